"""Keys from a command, for users of password managers: `ORCH_KEY_COMMAND <name of the key>` prints the key."""

import shlex
import subprocess
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from orchestrator.domain.errors import UserInputError

KEY_COMMAND = "ORCH_KEY_COMMAND"
KEY_VENDORS = "ORCH_KEY_VENDORS"

_TIMEOUT_S = 60.0  # a password manager may ask the user first
_AT_ONCE = 8


def keys_from_command(environment: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """The keys that the command prints, by name; those that it does not have are absent.

    What it prints is in no error and no log. Raises UserInputError where it cannot be run at all.
    """
    try:
        command = shlex.split(environment.get(KEY_COMMAND, ""))
    except ValueError:
        raise UserInputError(f"{KEY_COMMAND}: quotes that do not match") from None
    asked = tuple(dict.fromkeys(names))
    if not command or not asked:
        return {}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        keys = pool.map(lambda name: _ask(command, name, environment), asked)
    return {name: key for name, key in zip(asked, keys, strict=True) if key}


def _ask(command: list[str], name: str, environment: Mapping[str, str]) -> str:
    """The key `name`; empty where the command fails, prints nothing or prints more than one line."""
    try:
        done = subprocess.run(
            [*command, name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_TIMEOUT_S,
            env=dict(environment),
            check=False,
        )
    except OSError as error:
        raise UserInputError(f"{KEY_COMMAND}: {command[0]} cannot be run: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise UserInputError(f"{KEY_COMMAND}: no answer for {name} within {_TIMEOUT_S:.0f} s") from None
    key = done.stdout.decode("ascii", errors="replace").strip()
    return key if done.returncode == 0 and key.isascii() and len(key.split()) == 1 else ""

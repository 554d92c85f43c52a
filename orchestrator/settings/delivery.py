"""What this machine lets deliveries of finished runs do: who may be called, what may run, where files may go.

A run's input asks, the environment of the worker decides: whoever may start runs must not thereby command its machine.
"""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, SecretStr

from orchestrator.domain.delivery import sign
from orchestrator.domain.errors import UserInputError

WEBHOOK_SECRET = "ORCH_WEBHOOK_SECRET"
WEBHOOK_HOSTS = "ORCH_WEBHOOK_HOSTS"
HOOK_COMMANDS = "ORCH_HOOK_COMMANDS"
OUTPUT_ROOT = "ORCH_OUTPUT_ROOT"

_GRANTS = "output-folders"


class DeliverySettings(BaseModel):
    """What is allowed; nothing where nothing is set."""

    model_config = ConfigDict(frozen=True)

    webhook_secret: SecretStr = SecretStr("")  # signs webhooks; without one none is called
    webhook_hosts: tuple[str, ...] = ()  # the only hosts that are called; empty: any
    commands: tuple[str, ...] = ()  # absolute paths of programs that may run
    output_root: str = ""  # the folder below which files may be written


def find_delivery(environment: Mapping[str, str]) -> DeliverySettings:
    """Reads the four variables. Raises UserInputError for a value that cannot be used."""
    secret = environment.get(WEBHOOK_SECRET, "")
    try:
        sign(secret, "", 0, b"")
    except ValueError as error:
        raise UserInputError(f"{WEBHOOK_SECRET}: {error}") from None
    commands = tuple(one for one in environment.get(HOOK_COMMANDS, "").split(":") if one)
    for one in commands:
        if not one.startswith("/"):
            raise UserInputError(f"{HOOK_COMMANDS}: {one[:80]!r} is no absolute path of a program")
    root = environment.get(OUTPUT_ROOT, "")
    if root and not root.startswith("/"):
        raise UserInputError(f"{OUTPUT_ROOT}={root[:80]!r}: must be an absolute path")
    return DeliverySettings(
        webhook_secret=SecretStr(secret),
        webhook_hosts=tuple(one.strip() for one in environment.get(WEBHOOK_HOSTS, "").split(",") if one.strip()),
        commands=commands,
        output_root=root,
    )


def grant_output(home: Path, pattern: str) -> None:
    """Lets the worker of this ORCH_HOME write to `pattern`, an absolute path that may carry a date.

    The folder of ORCH_HOME is its user's alone: whoever can write there commands the worker anyway.
    """
    if pattern in granted_outputs(home):
        return
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (home / _GRANTS).open("a", encoding="utf-8") as file:
        file.write(f"{pattern}\n")


def granted_outputs(home: Path) -> tuple[str, ...]:
    """The patterns that were granted on this machine."""
    try:
        return tuple((home / _GRANTS).read_text(encoding="utf-8").splitlines())
    except FileNotFoundError:
        return ()

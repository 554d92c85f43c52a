"""How a command runs: its settings, and an event loop that Ctrl-C leaves in order."""

import asyncio
import getpass
import os
import signal
import socket
from collections.abc import Coroutine
from typing import Any

from orchestrator.client.spec import parse_project_id
from orchestrator.domain.errors import UserInputError
from orchestrator.domain.text import one_line
from orchestrator.settings import Settings, load_settings

DETACHED = 130


def settings_for(profile: str | None) -> Settings:
    """Settings of this process, with the Temporal profile of the command line if there is one."""
    if profile:
        os.environ["TEMPORAL_PROFILE"] = profile
    return load_settings()


def checked_id(project_id: str) -> str:
    """`project_id`, if it can be one. Raises UserInputError."""
    try:
        return parse_project_id(project_id)
    except ValueError:
        raise UserInputError(f"{project_id[:80]!r} is no project id; 'orch-cli list' shows them") from None


def operator() -> str:
    """Who asks, for the record of the run: `user@host`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no name for this user id
        user = f"uid-{os.getuid()}"
    return one_line(f"{user}@{socket.gethostname()}", 120)


def run_async(command: Coroutine[Any, Any, int]) -> int:
    """Run `command` to its exit code. The first SIGINT or SIGTERM cancels it: the exit code is then 130.

    A second signal ends the process at once.
    """
    return asyncio.run(_with_signals(command))


async def _with_signals(command: Coroutine[Any, Any, int]) -> int:
    loop = asyncio.get_running_loop()
    task = loop.create_task(command)
    signalled = False

    def on_signal() -> None:
        nonlocal signalled
        if signalled:
            os._exit(DETACHED)
        signalled = True
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    try:
        return await task
    except asyncio.CancelledError:
        if signalled:
            return DETACHED
        raise

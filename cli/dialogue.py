"""Asking a person: only where a terminal is at both ends, and never in the way of Ctrl-C."""

import asyncio
import os
import shlex
import sys
from pathlib import Path

from cli.console import say
from orchestrator.domain.errors import UserInputError

_LINE_BYTES = 4096


class InputEndedError(Exception):
    """Whoever was asked has closed the input (Ctrl-D)."""


def can_ask(no_input: bool = False) -> bool:
    """Whether a person can be asked: input and messages are a terminal's, and nobody said `--no-input`."""
    return not no_input and sys.stdin.isatty() and sys.stderr.isatty()


async def ask(question: str) -> str:
    """One line of the terminal, without blanks around it. Raises InputEndedError.

    Cancelling it leaves the terminal as it was: a thread that waits for input could not be stopped.
    """
    sys.stderr.write(f"{question} ")
    sys.stderr.flush()
    loop, descriptor = asyncio.get_running_loop(), sys.stdin.fileno()
    answer: asyncio.Future[bytes] = loop.create_future()

    def read() -> None:
        loop.remove_reader(descriptor)
        answer.set_result(os.read(descriptor, _LINE_BYTES))

    loop.add_reader(descriptor, read)
    try:
        line = await answer
    finally:
        loop.remove_reader(descriptor)
    if not line:
        say("")
        raise InputEndedError
    return line.decode(errors="replace").strip()


async def edit(path: Path) -> None:
    """Let the user edit a file with $VISUAL or $EDITOR (vi where neither is set).

    Raises UserInputError where there is no such editor, or it failed.
    """
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        process = await asyncio.create_subprocess_exec(*shlex.split(editor), str(path))
    except (OSError, ValueError) as error:
        raise UserInputError(f"EDITOR={editor[:80]} cannot be started: {error}") from None
    try:
        code = await process.wait()
    except asyncio.CancelledError:
        process.terminate()
        await process.wait()
        raise
    if code:
        raise UserInputError(f"the editor {editor[:80]} ended with exit code {code}: nothing is changed")

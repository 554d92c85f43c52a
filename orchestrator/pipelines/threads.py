"""Functions in threads of their own, which may be left behind: they keep no program from ending."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from typing import Any, TypeVar

R = TypeVar("R")


async def in_thread(function: Callable[..., R], *arguments: Any) -> R:
    """What `function` gives, or its exception. Cancelling stops the wait, not the function."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[R] = loop.create_future()

    def settle(result: R | None, error: BaseException | None) -> None:
        if outcome.done():
            return
        if error is not None:
            outcome.set_exception(error)
        else:
            outcome.set_result(result)  # type: ignore[arg-type]  # None where R is None

    def run() -> None:
        result: R | None = None
        error: BaseException | None = None
        try:
            result = copied.run(function, *arguments)
        except BaseException as raised:  # noqa: BLE001 - it is raised where the function was called for
            error = raised
        with suppress(RuntimeError):  # nobody waits any more, and the loop is closed
            loop.call_soon_threadsafe(settle, result, error)

    copied = copy_context()
    threading.Thread(target=run, name="pipeline", daemon=True).start()
    return await outcome

"""What every limiting algorithm offers."""

import time
from collections.abc import Callable
from typing import Protocol

Clock = Callable[[], float]
"""A source of seconds that never runs backwards."""

default_clock: Clock = time.monotonic


class Limiter(Protocol):
    """Decides whether one more call may happen now. Safe to share between threads."""

    def try_acquire(self) -> float:
        """Take one permit.

        Returns 0.0 if it was granted, otherwise the seconds until one is free;
        then nothing has been taken.
        """
        ...


def require_positive(name: str, value: float) -> None:
    """Raise ValueError unless `value` is greater than zero."""
    if not value > 0:
        raise ValueError(f"{name} must be greater than zero, got {value!r}")

"""Spans of runs: ids that every process derives alike, and the value of one ended span.

A run outlives its processes, so no span is open anywhere: what ended is told whole, with its own times. The ids are
digests of names, so that a call knows its task's span without any message between them.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

Attribute = str | int | float | bool | tuple[str, ...]

_TRACE_BYTES = 16
_SPAN_BYTES = 8


@dataclass(frozen=True)
class Span:
    """Something that ended. Times are seconds since the epoch; `error` is a class such as `timeout`, never a text.

    `moments` are names of things that happened within, with their times. `client`: another system did the work.
    """

    name: str
    trace_id: int
    span_id: int
    parent_id: int | None
    start_s: float
    end_s: float
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    error: str = ""
    moments: tuple[tuple[str, float], ...] = ()
    client: bool = False


def trace_id(namespace: str, run: str) -> int:
    """The trace of a run, of all its executions and resumptions. `run`: a project's id, or that of a pipeline's run."""
    return _digest(f"{namespace}/{run}", _TRACE_BYTES)


def root_id(trace: int, resumption: int = 0) -> int:
    """The span of the run; of its n-th resumption after it had ended."""
    return _span_id(trace, f"run/{resumption}")


def task_id(trace: int, task: str) -> int:
    """The span of a task of a project, or of a step of a pipeline."""
    return _span_id(trace, f"task/{task}")


def call_id(trace: int, key: str) -> int:
    """The span of a call. `key` is the text of its key."""
    return _span_id(trace, f"call/{key}")


def _span_id(trace: int, name: str) -> int:
    return _digest(f"{trace:032x}/{name}", _SPAN_BYTES)


def _digest(text: str, size: int) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:size], "big")

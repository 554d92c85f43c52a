"""Errors of the project, and how a failed model call is classified."""

from collections.abc import Sequence
from enum import StrEnum

from orchestrator.domain.base import Frozen


class OrchError(Exception):
    """Base of the project's errors."""


class UserInputError(OrchError):
    """Something that the user gave is wrong. The message is one line: where, what, and the fix. Exit code 2."""


class UserInputErrors(UserInputError):
    """Several such things at once: `problems` has one line for each, and so has the message."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class PrerequisiteError(OrchError):
    """Something outside is missing or broken (server, binary, store). One line with the fix. Exit code 1."""


class FailureKind(StrEnum):
    """Why a model call gave no usable answer. Decided by status and type, never by words in a message."""

    TIMEOUT = "timeout"  # no answer in time, or a stalled stream
    CONNECTION = "connection"  # refused, reset, name not found
    RATE_LIMIT = "rate_limit"  # 429
    SERVER = "server"  # 408, 409, 5xx, 529, in-band error event, an answer that is not the protocol
    AUTH = "auth"  # 401, 403
    BILLING = "billing"  # 402
    NOT_FOUND = "not_found"  # 404
    BAD_REQUEST = "bad_request"  # 400, 422 and other 4xx: this model does not take this request
    CONTEXT_TOO_LONG = "context_too_long"  # 413, or the vendor's code for it
    REFUSED = "refused"  # the model declined
    FILTERED = "filtered"  # the vendor's content filter
    EMPTY = "empty"  # a complete answer without text
    TRUNCATED = "truncated"  # ended by the output limit
    INVALID = "invalid"  # complete, but not what the stage needs (unparsable, schema violated)
    LOST = "lost"  # the process that made the call died before it could record the outcome
    CANCELLED = "cancelled"


class Fate(StrEnum):
    """What a call that did not end well may have cost."""

    UNBILLED = "unbilled"  # an error status, or a connection that was never made
    BILLED = "billed"  # the vendor reported usage
    UNCERTAIN = "uncertain"  # sent, and no status or no end: booked at the upper bound


class CallFailure(Frozen):
    """A failed model call as the workflow sees it. `message` is one redacted line of at most 200 characters."""

    kind: FailureKind
    fate: Fate
    message: str
    status: int | None = None
    retry_after_s: float | None = None

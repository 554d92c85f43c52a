"""What the fake vendor server answers: replies, the faults they can have, and rules that choose them."""

import json
import runpy
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from pydantic import Field

from orchestrator.domain.base import Frozen
from orchestrator.domain.money import Usage
from orchestrator.providers.base import FinishReason

BYTES_PER_TOKEN = 4


def tokens(text: str) -> int:
    """Size of `text` in the tokens of the fake vendors."""
    return len(text.encode()) // BYTES_PER_TOKEN + 1


class Fault(StrEnum):
    """What goes wrong with an answer. Those from CUT on happen after `Reply.fault_after` pieces of text."""

    NONE = "none"
    RESET = "reset"  # the connection is reset before any header
    HANG = "hang"  # the request is read, nothing is ever sent
    HTML = "html"  # status 200 with a page
    EMPTY_CHOICES = "empty_choices"  # a complete stream without any choice, candidate or content
    NULL_CONTENT = "null_content"  # a complete answer whose text is null
    USAGE_MISSING = "usage_missing"
    USAGE_ABSURD = "usage_absurd"  # negative counts
    CUT = "cut"  # the connection is closed in mid-stream
    RESET_IN_STREAM = "reset_in_stream"
    STALL = "stall"  # mid-stream, nothing more is sent and the connection stays open
    UNFINISHED = "unfinished"  # the stream ends well formed, without a reason why
    MALFORMED = "malformed"  # an event that is not JSON
    INVALID_UTF8 = "invalid_utf8"
    ERROR_EVENT = "error_event"  # an error inside of the stream
    LINGER = "linger"  # the whole answer is sent, but the stream stays open


class Reply(Frozen):
    """One answer. `status` other than 200 sends an error body with `error_type` and `error_code`.

    `usage` None: computed from the bytes, a quarter of them plus one. `latency_ms` passes before the first
    byte, `chunk_delay_ms` before each piece of text but the first; the text is sent in `chunks` pieces.
    """

    text: str = ""
    hidden: str = ""  # reasoning that comes before the text and is billed as output
    usage: Usage | None = None
    latency_ms: float = Field(default=0.0, ge=0)
    chunks: int = Field(default=1, ge=1)
    chunk_delay_ms: float = Field(default=0.0, ge=0)
    finish: FinishReason = FinishReason.STOP
    finish_text: str = ""  # sent in place of the vendor's own word for `finish`
    fault: Fault = Fault.NONE
    fault_after: int = Field(default=1, ge=0)
    status: int = 200
    headers: dict[str, str] = {}
    error_type: str = ""
    error_code: str = ""
    error_message: str = "scripted error"
    flagged: str = ""  # the input that a moderation flagged, in the body of an error of OpenRouter

    def pieces(self) -> list[str]:
        """The text in `chunks` pieces, none of them empty."""
        size = max(1, -(-len(self.text) // self.chunks))
        return [self.text[at : at + size] for at in range(0, len(self.text), size)]


class VendorRequest(Frozen):
    """A request as the server read it. `n` counts the requests of this vendor and model from 1."""

    vendor: str
    model: str
    stage: str  # from a first line `stage: <name>` of the system text, else empty
    system: str
    prompt: str
    max_tokens: int | None
    stream: bool
    n: int
    body: dict[str, object]
    headers: dict[str, str]  # lower-case names, without credentials


class Rule(Frozen):
    """A reply and the requests that it is for: every criterion that is set must hold."""

    reply: Reply
    vendor: str = ""
    model: str = ""
    stage: str = ""
    contains: str = ""  # in the system text or the prompt
    nth: int = 0  # only the n-th request of a vendor and model, from 1
    first: int = 0  # only the first so many

    def matches(self, request: VendorRequest) -> bool:
        """Whether the reply is for this request."""
        return (
            self.vendor in ("", request.vendor)
            and self.model in ("", request.model)
            and self.stage in ("", request.stage)
            and (self.contains in request.system or self.contains in request.prompt)
            and self.nth in (0, request.n)
            and (self.first == 0 or request.n <= self.first)
        )


Script = Callable[[VendorRequest], Reply]


def from_rules(rules: list[Rule] | tuple[Rule, ...], default: Reply | None = None) -> Script:
    """A script that takes the first rule that matches, else `default` (an answer `ok`)."""
    otherwise = default or Reply(text="ok")

    def script(request: VendorRequest) -> Reply:
        return next((rule.reply for rule in rules if rule.matches(request)), otherwise)

    return script


def load_script(path: Path) -> Script:
    """The script of a file: JSON with a list of rules, or Python with `reply(request) -> Reply`."""
    if path.suffix == ".py":
        function: Script = runpy.run_path(str(path))["reply"]
        return function
    return from_rules([Rule.model_validate(rule) for rule in json.loads(path.read_text(encoding="utf-8"))])

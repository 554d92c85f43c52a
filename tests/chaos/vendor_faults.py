"""What vendors do wrong, by name, and a script that does it while it plays a whole project."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from orchestrator.domain.money import Usage
from orchestrator.domain.tasks import Stage
from orchestrator.providers.base import FinishReason
from orchestrator.testing.project_script import ProjectScript
from orchestrator.testing.vendor_script import Fault, Reply, VendorRequest, tokens

Spoil = Callable[[Reply], Reply]

REFUSED = "connect refused"  # no reply is spoiled: nobody listens
HUGE = Usage(input_tokens=900_000_000, output_tokens=900_000_000)


def status(code: int, **more: object) -> Spoil:
    """An error status in place of the answer."""
    return lambda reply: Reply.model_validate({"status": code, **more})


def fault(kind: Fault) -> Spoil:
    """The answer with a fault; it is sent in pieces, and breaks after the first."""
    return lambda reply: reply.model_copy(update={"fault": kind, "chunks": 3})


def ended(finish: FinishReason) -> Spoil:
    """The answer's first half, ended for another reason than that it was complete."""
    return lambda reply: reply.model_copy(update={"text": reply.text[: len(reply.text) // 2], "finish": finish})


def _in_a_second(reply: Reply) -> Reply:
    moment = datetime.now(UTC) + timedelta(seconds=1)
    return Reply(status=429, headers={"retry-after": format_datetime(moment, usegmt=True)})


def _huge(reply: Reply) -> Reply:
    return reply.model_copy(update={"usage": HUGE})


# Answers that can be used all the same: what is wrong is what they say about their cost.
USABLE: dict[str, Spoil] = {
    "usage missing": fault(Fault.USAGE_MISSING),
    "usage negative": fault(Fault.USAGE_ABSURD),
    "usage huge": _huge,
}
UNUSABLE: dict[str, Spoil] = {
    "reset before the answer": fault(Fault.RESET),
    "reset in mid-stream": fault(Fault.RESET_IN_STREAM),
    "cut in mid-stream": fault(Fault.CUT),
    "stall in mid-stream": fault(Fault.STALL),
    "silence": fault(Fault.HANG),
    **{str(code): status(code) for code in (400, 401, 402, 403, 404, 408, 409, 413)},
    "429 with seconds": status(429, headers={"retry-after": "1"}),
    "429 with a date": _in_a_second,
    "429 without a time": status(429),
    **{str(code): status(code) for code in (500, 503, 529)},
    "HTML instead of JSON": fault(Fault.HTML),
    "empty choices": fault(Fault.EMPTY_CHOICES),
    "null content": fault(Fault.NULL_CONTENT),
    "refusal": ended(FinishReason.REFUSAL),
    "content filter": ended(FinishReason.FILTER),
    "length cut": ended(FinishReason.LENGTH),
    "invalid UTF-8": fault(Fault.INVALID_UTF8),
    "malformed event": fault(Fault.MALFORMED),
    "error event": fault(Fault.ERROR_EVENT),
    "end without a reason": fault(Fault.UNFINISHED),
}
FAULTS: dict[str, Spoil] = {**UNUSABLE, **USABLE}
SILENT = ("stall in mid-stream", "silence")  # noticed by nothing but the time that passes
ALL = (REFUSED, *FAULTS)

Choose = Callable[[VendorRequest], str]


class FaultyVendors:
    """A script: what the project's script says, with the faults that `choose` names (empty: none).

    `chosen` has the fault of each request, by vendor, model and number. With `dear` every answer costs as much as its
    request allows: a token per byte of the prompt, and all the output that was asked for.
    """

    def __init__(self, script: ProjectScript, choose: Choose, *, dear: bool = False) -> None:
        self.script = script
        self.choose = choose
        self.dear = dear
        self.chosen: dict[tuple[str, str, int], str] = {}

    def __call__(self, request: VendorRequest) -> Reply:
        """The reply to a request."""
        name = self.choose(request)
        self.chosen[request.vendor, request.model, request.n] = name
        reply = self.script.reply(request)
        if self.dear and request.max_tokens is not None:
            asked = len((request.system + request.prompt).encode())
            reply = reply.model_copy(update={"usage": Usage(input_tokens=asked, output_tokens=request.max_tokens)})
        return FAULTS[name](reply) if name in FAULTS else reply

    def fault_of(self, request: VendorRequest) -> str:
        """The fault that this request met, empty if none."""
        return self.chosen.get((request.vendor, request.model, request.n), "")

    def honest(self, request: VendorRequest, sent: str) -> Usage:
        """What an answer really used."""
        asked = tokens(request.system + request.prompt)
        return Usage(input_tokens=asked, output_tokens=tokens(sent))


def one_vendor(name: str, vendor: str) -> Choose:
    """One vendor always fails so."""
    return lambda request: name if request.vendor == vendor else ""


def every_vendor(name: str) -> Choose:
    """All vendors always fail so."""
    return lambda request: name


def after_the_plan(name: str) -> Choose:
    """All vendors fail so once there is a plan."""
    return lambda request: "" if request.stage == Stage.PLAN else name


def mixed(seed: int, share: float) -> Choose:
    """Any fault, at random, for a share of the requests."""
    dice = random.Random(seed)
    names = sorted(FAULTS)
    return lambda request: dice.choice(names) if dice.random() < share else ""

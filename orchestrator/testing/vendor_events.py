"""What the wire formats of the fake vendors share: the shape of a streamed answer, errors, events."""

import json
from typing import Any

from orchestrator.domain.money import Usage
from orchestrator.testing.vendor_script import Fault, Reply


class StreamFormat:
    """Writes the events of one streamed answer. Subclasses speak one family each."""

    def __init__(self, model: str, reply: Reply, usage: Usage) -> None:
        self.model = model
        self.reply = reply
        self.usage = usage

    @property
    def reported(self) -> Usage | None:
        """The usage that is sent: None where the fault is that there is none."""
        if self.reply.fault is Fault.USAGE_MISSING:
            return None
        if self.reply.fault is Fault.USAGE_ABSURD:
            return Usage(input_tokens=-5, output_tokens=-7)
        return self.usage

    def start(self) -> bytes:
        """Events before the first piece of text."""
        return b""

    def text(self, piece: str) -> bytes:
        """The event of one piece of text."""
        raise NotImplementedError

    def thought(self, text: str) -> bytes:
        """Reasoning that is not part of the answer."""
        raise NotImplementedError

    def end(self) -> bytes:
        """Events after the last piece."""
        raise NotImplementedError

    def unfinished(self) -> bytes:
        """A well formed end that does not say why the answer ended."""
        return b""

    def body(self) -> bytes:
        """The whole answer without a stream."""
        raise NotImplementedError

    def empty(self) -> bytes:
        """A complete stream without any choice, candidate or content."""
        raise NotImplementedError

    def error(self) -> bytes:
        """An error inside of the stream."""
        return sse({"error": {"message": "scripted error", "type": "server_error", "code": None}})

    def malformed(self) -> bytes:
        """An event that is not JSON."""
        return b"data: {oops\n\n"

    def invalid_utf8(self) -> bytes:
        """A piece of text whose bytes are not UTF-8."""
        return self.text("BYTES").replace(b"BYTES", b"\xff\xfe")


def error_body(family: str, reply: Reply) -> bytes:
    """The body of an error status."""
    if family == "anthropic":
        error = {"type": reply.error_type or "api_error", "message": reply.error_message}
        return compact({"type": "error", "error": error})
    if family == "google":
        details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reply.error_code}]
        status = reply.error_type or "UNKNOWN"
        error_value = {"code": reply.status, "message": reply.error_message, "status": status}
        return compact({"error": {**error_value, "details": details if reply.error_code else []}})
    shown = {"message": reply.error_message, "type": reply.error_type, "code": reply.error_code or None}
    return compact({"error": shown})


def sse(data: dict[str, Any]) -> bytes:
    """One event without a name."""
    return b"data: " + compact(data) + b"\n\n"


def named_event(data: dict[str, Any]) -> bytes:
    """One event that is named by its `type`."""
    return f"event: {data['type']}\n".encode() + sse(data)


def compact(value: Any) -> bytes:
    """JSON without white space."""
    return json.dumps(value, separators=(",", ":")).encode()

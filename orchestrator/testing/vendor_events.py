"""What the wire formats of the fake vendors share: the shape of a streamed answer, errors, events."""

import json
from typing import Any

from orchestrator.domain.money import Usage
from orchestrator.testing.vendor_script import Fault, Reply, VendorRequest, tokens
from orchestrator.testing.vendor_wire import Route


class StreamFormat:
    """Writes the events of one streamed answer. Subclasses speak one family, or one vendor's dialect of it."""

    content_type = "text/event-stream"

    def __init__(self, request: VendorRequest, reply: Reply, usage: Usage) -> None:
        self.request = request
        self.model = request.model
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

    @property
    def thought_tokens(self) -> int:
        """Tokens of the hidden reasoning, which are part of the usage's output."""
        return tokens(self.reply.hidden) if self.reply.hidden else 0

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
        error = {"type": self.reply.error_type or "server_error", "code": self.reply.error_code or None}
        return sse({"error": {"message": self.reply.error_message, **error}})

    def malformed(self) -> bytes:
        """An event that is not JSON."""
        return b"data: {oops\n\n"

    def invalid_utf8(self) -> bytes:
        """A piece of text whose bytes are not UTF-8."""
        return self.text("BYTES").replace(b"BYTES", b"\xff\xfe")


def error_body(where: Route, reply: Reply) -> bytes:
    """The body of an error status."""
    family = where.family
    if family == "gigachat":
        code = {"code": reply.error_code or reply.error_type} if reply.error_code or reply.error_type else {}
        return compact({"status": reply.status, "message": reply.error_message, **code})
    if family == "yandex":
        inner = {"grpcCode": 13, "httpCode": reply.status, "message": reply.error_message, "details": []}
        return compact({"error": inner})
    if family == "ollama":
        return compact({"error": reply.error_message})
    if family == "anthropic":
        error = {"type": reply.error_type or "api_error", "message": reply.error_message}
        return compact({"type": "error", "error": error})
    if family == "google":
        details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reply.error_code}]
        status = reply.error_type or "UNKNOWN"
        error_value = {"code": reply.status, "message": reply.error_message, "status": status}
        return compact({"error": {**error_value, "details": details if reply.error_code else []}})
    if where.vendor == "xai":
        return compact({"code": reply.error_message, "error": reply.error_message})
    if where.vendor == "mistral":
        flat = {"object": "error", "message": reply.error_message, "type": reply.error_type}
        return compact({**flat, "param": None, "code": reply.error_code or None})
    shown: dict[str, Any] = {"message": reply.error_message, "type": reply.error_type, "code": reply.error_code or None}
    if reply.flagged:
        shown["metadata"] = {"reasons": ["violence"], "flagged_input": reply.flagged}
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


def json_line(data: dict[str, Any]) -> bytes:
    """One object on a line of its own."""
    return compact(data) + b"\n"

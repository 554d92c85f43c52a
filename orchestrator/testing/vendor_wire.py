"""The wire formats of the vendors as the fake server speaks them: reading requests, writing answers."""

import json
import re
from typing import Any, NamedTuple

from orchestrator.domain.money import Usage
from orchestrator.providers.base import FinishReason
from orchestrator.testing.vendor_script import Fault, Reply

_OPENAI = re.compile(r"^(?:/(?P<vendor>[a-z][a-z0-9_]*))?(?:/api/paas)?/v\d\w*/chat/completions$")
_ANTHROPIC = re.compile(r"^/v\d\w*/messages$")
_GOOGLE = re.compile(r"^/v\d\w*/models/(?P<model>[^:/]+):(?P<method>generateContent|streamGenerateContent)$")

_OPENAI_FINISH = {
    FinishReason.STOP: "stop",
    FinishReason.LENGTH: "length",
    FinishReason.REFUSAL: "stop",
    FinishReason.FILTER: "content_filter",
}
_ANTHROPIC_FINISH = {
    FinishReason.STOP: "end_turn",
    FinishReason.LENGTH: "max_tokens",
    FinishReason.REFUSAL: "refusal",
    FinishReason.FILTER: "refusal",
}
_GOOGLE_FINISH = {
    FinishReason.STOP: "STOP",
    FinishReason.LENGTH: "MAX_TOKENS",
    FinishReason.REFUSAL: "SAFETY",
    FinishReason.FILTER: "SAFETY",
}


class Route(NamedTuple):
    """Which family a path belongs to; `vendor` and `model` where the path says them."""

    family: str
    vendor: str
    model: str
    stream: bool


class Parsed(NamedTuple):
    """What a request's body says."""

    model: str
    system: str
    prompt: str
    max_tokens: int | None
    stream: bool


def route(path: str) -> Route | None:
    """The family of a path without its query; None if no vendor has it."""
    if match := _OPENAI.match(path):
        return Route("openai", match["vendor"] or "openai", "", False)
    if _ANTHROPIC.match(path):
        return Route("anthropic", "anthropic", "", False)
    if match := _GOOGLE.match(path):
        return Route("google", "google", match["model"], match["method"].startswith("stream"))
    return None


def parse(where: Route, body: dict[str, Any]) -> Parsed:
    """The parts of a body that scripts look at."""
    if where.family == "google":
        config = body.get("generationConfig") or {}
        return Parsed(
            model=where.model,
            system=_google_text([body.get("systemInstruction") or {}]),
            prompt=_google_text(body.get("contents") or []),
            max_tokens=config.get("maxOutputTokens"),
            stream=where.stream,
        )
    messages = body.get("messages") or []
    system = [_plain(message.get("content")) for message in messages if message.get("role") == "system"]
    prompt = [_plain(message.get("content")) for message in messages if message.get("role") != "system"]
    return Parsed(
        model=str(body.get("model", "")),
        system=_plain(body.get("system")) if where.family == "anthropic" else "\n".join(system),
        prompt="\n".join(prompt),
        max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
        stream=bool(body.get("stream")),
    )


def error_body(family: str, reply: Reply) -> bytes:
    """The body of an error status."""
    if family == "anthropic":
        error = {"type": reply.error_type or "api_error", "message": reply.error_message}
        return _json({"type": "error", "error": error})
    if family == "google":
        details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reply.error_code}]
        status = reply.error_type or "UNKNOWN"
        error_value = {"code": reply.status, "message": reply.error_message, "status": status}
        return _json({"error": {**error_value, "details": details if reply.error_code else []}})
    shown = {"message": reply.error_message, "type": reply.error_type, "code": reply.error_code or None}
    return _json({"error": shown})


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


class OpenAIFormat(StreamFormat):
    """Chat Completions chunks."""

    def text(self, piece: str) -> bytes:
        """A chunk with a delta."""
        return self._chunk({"content": piece})

    def end(self) -> bytes:
        """The finish reason, the usage in a chunk without choices, and the end mark."""
        finish = _OPENAI_FINISH[self.reply.finish]
        refusal = self._chunk({"refusal": "no"}) if self.reply.finish is FinishReason.REFUSAL else b""
        null = self._chunk({"content": None}) if self.reply.fault is Fault.NULL_CONTENT else b""
        return refusal + null + self._chunk({}, finish) + self._usage() + b"data: [DONE]\n\n"

    def unfinished(self) -> bytes:
        """Only the end mark."""
        return b"data: [DONE]\n\n"

    def empty(self) -> bytes:
        """Chunks without choices."""
        return self._usage() + b"data: [DONE]\n\n"

    def body(self) -> bytes:
        """The whole answer without a stream."""
        message = {"role": "assistant", "content": self.reply.text}
        choice = {"index": 0, "message": message, "finish_reason": _OPENAI_FINISH[self.reply.finish]}
        base = {"id": "c1", "object": "chat.completion", "created": 1, "model": self.model}
        return _json({**base, "choices": [choice], "usage": self._usage_object()})

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return sse({**self._base(), "choices": [choice]})

    def _base(self) -> dict[str, Any]:
        return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": self.model}

    def _usage(self) -> bytes:
        usage = self._usage_object()
        return b"" if usage is None else sse({**self._base(), "choices": [], "usage": usage})

    def _usage_object(self) -> dict[str, Any] | None:
        usage = self.reported
        if usage is None:
            return None
        return {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": usage.input_tokens + usage.output_tokens,
            "prompt_tokens_details": {"cached_tokens": usage.cached_input_tokens},
        }


class AnthropicFormat(StreamFormat):
    """Messages events. Cached input is reported apart from other input, as the vendor does."""

    def start(self) -> bytes:
        """The message and its content block open."""
        block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        return self._message_start() + _event(block) + _event({"type": "ping"})

    def text(self, piece: str) -> bytes:
        """A text delta."""
        delta = {"type": "text_delta", "text": piece}
        return _event({"type": "content_block_delta", "index": 0, "delta": delta})

    def end(self) -> bytes:
        """The block closes, the reason and the output usage follow, the message ends."""
        return _event({"type": "content_block_stop", "index": 0}) + self._message_end()

    def unfinished(self) -> bytes:
        """The message ends without a reason."""
        return _event({"type": "content_block_stop", "index": 0}) + _event({"type": "message_stop"})

    def empty(self) -> bytes:
        """A message without content blocks and without a reason."""
        return self._message_start() + _event({"type": "message_stop"})

    def error(self) -> bytes:
        """An overload in mid-stream."""
        return _event({"type": "error", "error": {"type": "overloaded_error", "message": "scripted error"}})

    def malformed(self) -> bytes:
        """A named event that is not JSON."""
        return b"event: content_block_delta\n" + super().malformed()

    def body(self) -> bytes:
        """The whole answer without a stream."""
        content = [{"type": "text", "text": self.reply.text}]
        stop = _ANTHROPIC_FINISH[self.reply.finish]
        output = {"output_tokens": self.usage.output_tokens}
        return _json(
            {**self._base(), "content": content, "stop_reason": stop, "usage": {**self._input(), **output}}
        )

    def _base(self) -> dict[str, Any]:
        return {
            "id": "m1",
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "stop_sequence": None,
        }

    def _input(self) -> dict[str, Any]:
        usage = self.reported
        if usage is None:
            return {}
        cached = usage.cached_input_tokens
        return {"input_tokens": usage.input_tokens - cached, "cache_read_input_tokens": cached}

    def _message_start(self) -> bytes:
        usage = {**self._input(), "output_tokens": 1} if self.reported is not None else {}
        message = {**self._base(), "content": [], "stop_reason": None, "usage": usage}
        return _event({"type": "message_start", "message": message})

    def _message_end(self) -> bytes:
        usage = self.reported
        counts = {"output_tokens": usage.output_tokens} if usage is not None else {}
        delta = {"stop_reason": _ANTHROPIC_FINISH[self.reply.finish], "stop_sequence": None}
        return _event({"type": "message_delta", "delta": delta, "usage": counts}) + _event(
            {"type": "message_stop"}
        )


class GoogleFormat(StreamFormat):
    """Gemini chunks; the last one has the finish reason and the usage."""

    def text(self, piece: str) -> bytes:
        """A chunk with a part."""
        return sse({"candidates": [self._candidate(piece)], "modelVersion": self.model})

    def end(self) -> bytes:
        """The finish reason and the usage."""
        return sse(self._last(""))

    def empty(self) -> bytes:
        """A chunk without candidates."""
        return sse({"modelVersion": self.model, **self._usage()})

    def error(self) -> bytes:
        """An error object in the stream."""
        return sse({"error": {"code": 503, "message": "scripted error", "status": "UNAVAILABLE"}})

    def body(self) -> bytes:
        """The whole answer without a stream."""
        return _json(self._last(self.reply.text))

    def _last(self, text: str) -> dict[str, Any]:
        finish = {"finishReason": _GOOGLE_FINISH[self.reply.finish]}
        content = {"index": 0} if self.reply.fault is Fault.NULL_CONTENT else self._candidate(text)
        return {"candidates": [{**content, **finish}], "modelVersion": self.model, **self._usage()}

    def _candidate(self, text: str) -> dict[str, Any]:
        return {"index": 0, "content": {"role": "model", "parts": [{"text": text}]}}

    def _usage(self) -> dict[str, Any]:
        usage = self.reported
        if usage is None:
            return {}
        counts = {
            "promptTokenCount": usage.input_tokens,
            "cachedContentTokenCount": usage.cached_input_tokens,
            "candidatesTokenCount": usage.output_tokens,
            "totalTokenCount": usage.input_tokens + usage.output_tokens,
        }
        return {"usageMetadata": counts}


FORMATS: dict[str, type[StreamFormat]] = {
    "openai": OpenAIFormat,
    "anthropic": AnthropicFormat,
    "google": GoogleFormat,
}


def sse(data: dict[str, Any]) -> bytes:
    """One event without a name."""
    return b"data: " + _json(data) + b"\n\n"


def _event(data: dict[str, Any]) -> bytes:
    return f"event: {data['type']}\n".encode() + sse(data)


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _plain(content: Any) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _google_text(contents: list[dict[str, Any]]) -> str:
    return "\n".join(_plain(content.get("parts")) for content in contents)

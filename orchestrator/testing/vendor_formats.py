"""Answers in the wire format of each family, as a stream of events or whole."""

from typing import Any

from orchestrator.domain.money import Usage
from orchestrator.providers.base import FinishReason
from orchestrator.testing.vendor_events import StreamFormat, compact, named_event, sse
from orchestrator.testing.vendor_script import Fault

_OPENAI_FINISH = {
    FinishReason.STOP: "stop",
    FinishReason.LENGTH: "length",
    FinishReason.REFUSAL: "stop",
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


class OpenAIFormat(StreamFormat):
    """Chat Completions chunks. Vendors that differ have a subclass each."""

    filter_word = "content_filter"

    def thought(self, text: str) -> bytes:
        """A chunk with reasoning, as DeepSeek and others send it."""
        return self._chunk({"reasoning_content": text})

    def text(self, piece: str) -> bytes:
        """A chunk with a delta."""
        return self._chunk({"content": piece})

    def end(self) -> bytes:
        """The finish reason, the usage in a chunk without choices, and the end mark."""
        finish = self.reply.finish_text or self._finish_word()
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
        choice = {"index": 0, "message": message, "finish_reason": self._finish_word()}
        base = {"id": "c1", "object": "chat.completion", "created": 1, "model": self.model}
        return compact({**base, "choices": [choice], "usage": self._usage_object()})

    def usage_is_asked_for(self) -> bool:
        """Whether the stream ends with usage."""
        options = self.request.body.get("stream_options")
        return isinstance(options, dict) and bool(options.get("include_usage"))

    def cached(self, usage: Usage) -> dict[str, Any]:
        """The count of cached input."""
        return {"prompt_tokens_details": {"cached_tokens": usage.cached_input_tokens}}

    def output(self, tokens: int) -> dict[str, Any]:
        """The count of output."""
        return {"completion_tokens": tokens}

    def _finish_word(self) -> str:
        return self.filter_word if self.reply.finish is FinishReason.FILTER else _OPENAI_FINISH[self.reply.finish]

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return sse({**self._base(), "choices": [choice]})

    def _base(self) -> dict[str, Any]:
        return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": self.model}

    def _usage(self) -> bytes:
        usage = self._usage_object() if self.usage_is_asked_for() else None
        return b"" if usage is None else sse({**self._base(), "choices": [], "usage": usage})

    def _usage_object(self) -> dict[str, Any] | None:
        usage = self.reported
        if usage is None:
            return None
        return {
            "prompt_tokens": usage.input_tokens,
            "total_tokens": usage.input_tokens + usage.output_tokens,
            **self.output(usage.output_tokens),
            **self.cached(usage),
        }


class AnthropicFormat(StreamFormat):
    """Messages events. Cached input is reported apart from other input, as the vendor does."""

    def start(self) -> bytes:
        """The message and its content block open."""
        block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        return self._message_start() + named_event(block) + named_event({"type": "ping"})

    def thought(self, text: str) -> bytes:
        """A thinking delta."""
        delta = {"type": "thinking_delta", "thinking": text}
        return named_event({"type": "content_block_delta", "index": 0, "delta": delta})

    def text(self, piece: str) -> bytes:
        """A text delta."""
        delta = {"type": "text_delta", "text": piece}
        return named_event({"type": "content_block_delta", "index": 0, "delta": delta})

    def end(self) -> bytes:
        """The block closes, the reason and the output usage follow, the message ends."""
        return named_event({"type": "content_block_stop", "index": 0}) + self._message_end()

    def unfinished(self) -> bytes:
        """The message ends without a reason."""
        return named_event({"type": "content_block_stop", "index": 0}) + named_event({"type": "message_stop"})

    def empty(self) -> bytes:
        """A message without content blocks and without a reason."""
        return self._message_start() + named_event({"type": "message_stop"})

    def error(self) -> bytes:
        """An error in mid-stream, an overload if nothing else is scripted."""
        error = {"type": self.reply.error_type or "overloaded_error", "message": self.reply.error_message}
        return named_event({"type": "error", "error": error})

    def malformed(self) -> bytes:
        """A named event that is not JSON."""
        return b"event: content_block_delta\n" + super().malformed()

    def body(self) -> bytes:
        """The whole answer without a stream."""
        content = [{"type": "text", "text": self.reply.text}]
        stop = _ANTHROPIC_FINISH[self.reply.finish]
        output = {"output_tokens": self.usage.output_tokens}
        return compact({**self._base(), "content": content, "stop_reason": stop, "usage": {**self._input(), **output}})

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
        cached, written = usage.cached_input_tokens, usage.cache_write_tokens
        return {
            "input_tokens": usage.input_tokens - cached - written,
            "cache_read_input_tokens": cached,
            "cache_creation_input_tokens": written,
        }

    def _message_start(self) -> bytes:
        usage = {**self._input(), "output_tokens": 1} if self.reported is not None else {}
        message = {**self._base(), "content": [], "stop_reason": None, "usage": usage}
        return named_event({"type": "message_start", "message": message})

    def _message_end(self) -> bytes:
        usage = self.reported
        counts = {"output_tokens": usage.output_tokens} if usage is not None else {}
        stop = self.reply.finish_text or _ANTHROPIC_FINISH[self.reply.finish]
        delta = {"stop_reason": stop, "stop_sequence": None}
        return named_event({"type": "message_delta", "delta": delta, "usage": counts}) + named_event(
            {"type": "message_stop"}
        )


class GoogleFormat(StreamFormat):
    """Gemini chunks; the last one has the finish reason and the usage."""

    def thought(self, text: str) -> bytes:
        """A chunk with a part that is marked as a thought."""
        content = {"role": "model", "parts": [{"text": text, "thought": True}]}
        return sse({"candidates": [{"index": 0, "content": content}], "modelVersion": self.model})

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
        code = int(self.reply.error_code or 503)
        return sse({"error": {"code": code, "message": self.reply.error_message, "status": "UNAVAILABLE"}})

    def body(self) -> bytes:
        """The whole answer without a stream."""
        return compact(self._last(self.reply.text))

    def _last(self, text: str) -> dict[str, Any]:
        finish = {"finishReason": self.reply.finish_text or _GOOGLE_FINISH[self.reply.finish]}
        if self.reply.finish_text == "CONTINUATION":
            finish["continuationToken"] = "dG9rZW4="
        content = {"index": 0} if self.reply.fault is Fault.NULL_CONTENT else self._candidate(text)
        return {"candidates": [{**content, **finish}], "modelVersion": self.model, **self._usage()}

    def _candidate(self, text: str) -> dict[str, Any]:
        return {"index": 0, "content": {"role": "model", "parts": [{"text": text}]}}

    def _usage(self) -> dict[str, Any]:
        usage = self.reported
        if usage is None:
            return {}
        thoughts = self.thought_tokens
        counts = {
            "promptTokenCount": usage.input_tokens,
            "cachedContentTokenCount": usage.cached_input_tokens,
            "thoughtsTokenCount": thoughts,
            "candidatesTokenCount": usage.output_tokens - thoughts,
            "totalTokenCount": usage.input_tokens + usage.output_tokens,
        }
        return {"usageMetadata": counts}

"""Answers of GigaChat, YandexGPT and Ollama in their own wire formats."""

from typing import Any

from orchestrator.providers.base import FinishReason
from orchestrator.testing.vendor_events import StreamFormat, compact, json_line, sse
from orchestrator.testing.vendor_script import Fault

_GIGACHAT_FINISH = {
    FinishReason.STOP: "stop",
    FinishReason.LENGTH: "length",
    FinishReason.REFUSAL: "blacklist",
    FinishReason.FILTER: "blacklist",
}
_YANDEX_FINISH = {
    FinishReason.STOP: "ALTERNATIVE_STATUS_FINAL",
    FinishReason.LENGTH: "ALTERNATIVE_STATUS_TRUNCATED_FINAL",
    FinishReason.REFUSAL: "ALTERNATIVE_STATUS_CONTENT_FILTER",
    FinishReason.FILTER: "ALTERNATIVE_STATUS_CONTENT_FILTER",
}
_OLLAMA_FINISH = {
    FinishReason.STOP: "stop",
    FinishReason.LENGTH: "length",
    FinishReason.REFUSAL: "stop",  # a local model has no word for either
    FinishReason.FILTER: "stop",
}


class GigaChatFormat(StreamFormat):
    """Chunks like those of Chat Completions; the last one has the reason and the usage without the cached input."""

    def text(self, piece: str) -> bytes:
        """A chunk with a delta."""
        return sse(self._chunk({"content": piece}))

    def thought(self, text: str) -> bytes:
        """A chunk with reasoning."""
        return sse(self._chunk({"reasoning_content": text}))

    def end(self) -> bytes:
        """The reason, the usage and the end mark."""
        delta = {"content": None if self.reply.fault is Fault.NULL_CONTENT else ""}
        finish = self.reply.finish_text or _GIGACHAT_FINISH[self.reply.finish]
        return sse(self._chunk(delta, finish) | self._usage()) + b"data: [DONE]\n\n"

    def unfinished(self) -> bytes:
        """Only the end mark."""
        return b"data: [DONE]\n\n"

    def empty(self) -> bytes:
        """A chunk without choices."""
        return sse({"choices": [], "model": self.model, "object": "chat.completion", **self._usage()})

    def error(self) -> bytes:
        """A status inside of the stream."""
        return sse({"status": int(self.reply.error_code or 500), "message": self.reply.error_message})

    def body(self) -> bytes:
        """The whole answer without a stream."""
        message = {"role": "assistant", "content": self.reply.text}
        choice = {"index": 0, "message": message, "finish_reason": _GIGACHAT_FINISH[self.reply.finish]}
        return compact({"choices": [choice], "model": self.model, "object": "chat.completion", **self._usage()})

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta} | ({"finish_reason": finish} if finish else {})
        return {"choices": [choice], "created": 1, "model": self.model, "object": "chat.completion"}

    def _usage(self) -> dict[str, Any]:
        usage = self.reported
        if usage is None:
            return {}
        billed = usage.input_tokens - usage.cached_input_tokens
        counts = {
            "prompt_tokens": billed,
            "completion_tokens": usage.output_tokens,
            "total_tokens": billed + usage.output_tokens,
            "precached_prompt_tokens": usage.cached_input_tokens,
        }
        return {"usage": counts}


class YandexFormat(StreamFormat):
    """A JSON object per line, each with the whole text so far. Counts are strings; it knows no cache."""

    content_type = "application/json"
    _so_far = ""

    def text(self, piece: str) -> bytes:
        """The text so far."""
        self._so_far += piece
        return json_line(self._object(self._so_far, "ALTERNATIVE_STATUS_PARTIAL"))

    def thought(self, text: str) -> bytes:
        """An object whose text has not begun: thoughts are hidden."""
        return json_line(self._object("", "ALTERNATIVE_STATUS_PARTIAL"))

    def end(self) -> bytes:
        """The whole text once more, with the reason."""
        text = None if self.reply.fault is Fault.NULL_CONTENT else self.reply.text
        return json_line(self._object(text, self.reply.finish_text or _YANDEX_FINISH[self.reply.finish]))

    def empty(self) -> bytes:
        """An object without alternatives."""
        return json_line({"result": {"alternatives": [], "modelVersion": "1", **self._usage()}})

    def error(self) -> bytes:
        """An error in place of a result."""
        code = int(self.reply.error_code or 500)
        return json_line({"error": {"grpcCode": 13, "httpCode": code, "message": self.reply.error_message}})

    def malformed(self) -> bytes:
        """A line that is not JSON."""
        return b'{"result": oops\n'

    def body(self) -> bytes:
        """The whole answer without a stream."""
        return compact(self._object(self.reply.text, _YANDEX_FINISH[self.reply.finish]))

    def _object(self, text: str | None, status: str) -> dict[str, Any]:
        alternative = {"message": {"role": "assistant", "text": text}, "status": status}
        return {"result": {"alternatives": [alternative], "modelVersion": "1", **self._usage()}}

    def _usage(self) -> dict[str, Any]:
        usage = self.reported
        if usage is None:
            return {}
        thoughts = self.thought_tokens
        counts = {
            "inputTextTokens": str(usage.input_tokens),
            "completionTokens": str(usage.output_tokens - thoughts),
            "totalTokens": str(usage.input_tokens + usage.output_tokens),
            "completionTokensDetails": {"reasoningTokens": str(thoughts)},
        }
        return {"usage": counts}


class OllamaFormat(StreamFormat):
    """A JSON object per line; the last one is done. It knows no cache."""

    content_type = "application/x-ndjson"

    def text(self, piece: str) -> bytes:
        """An object with a piece of the message."""
        return json_line(self._object({"role": "assistant", "content": piece}))

    def thought(self, text: str) -> bytes:
        """An object with a piece of thinking."""
        return json_line(self._object({"role": "assistant", "content": "", "thinking": text}))

    def end(self) -> bytes:
        """The reason and the counts."""
        content = None if self.reply.fault is Fault.NULL_CONTENT else ""
        reason = self.reply.finish_text or _OLLAMA_FINISH[self.reply.finish]
        last = self._object({"role": "assistant", "content": content}) | {"done": True, "done_reason": reason}
        return json_line(last | self._counts())

    def empty(self) -> bytes:
        """An end without message and reason."""
        return json_line({"model": self.model, "done": True, **self._counts()})

    def error(self) -> bytes:
        """An error line."""
        return json_line({"error": self.reply.error_message})

    def malformed(self) -> bytes:
        """A line that is not JSON."""
        return b'{"model": oops\n'

    def body(self) -> bytes:
        """The whole answer without a stream."""
        whole = self._object({"role": "assistant", "content": self.reply.text})
        return compact(whole | {"done": True, "done_reason": _OLLAMA_FINISH[self.reply.finish]} | self._counts())

    def _object(self, message: dict[str, Any]) -> dict[str, Any]:
        return {"model": self.model, "created_at": "2026-11-21T00:00:00Z", "message": message, "done": False}

    def _counts(self) -> dict[str, Any]:
        usage = self.reported
        if usage is None:
            return {}
        return {"prompt_eval_count": usage.input_tokens, "eval_count": usage.output_tokens, "eval_duration": 1}

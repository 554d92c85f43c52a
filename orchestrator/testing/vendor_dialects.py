"""How vendors differ from OpenAI's Chat Completions, written from their documentation, not from our definitions.

A vendor that refuses a field refuses it here too.
"""

import re
from collections.abc import Mapping
from typing import Any

from orchestrator.domain.money import Usage
from orchestrator.testing.vendor_events import sse
from orchestrator.testing.vendor_formats import OpenAIFormat
from orchestrator.testing.vendor_script import Reply

_REASONING_OPENAI = re.compile(r"(o\d|gpt-[5-9]).*")
_FIXED_SAMPLING_KIMI = re.compile(r"kimi-k(2\.[5-9]|3).*")
_REASONING_XAI = re.compile(r"grok-[4-9].*")
_CLAUDE_5 = re.compile(r"claude-[a-z]+-5.*")


class DeepSeekFormat(OpenAIFormat):
    """Cached input has a name of its own."""

    def cached(self, usage: Usage) -> dict[str, Any]:
        """The counts of the cache."""
        hit = usage.cached_input_tokens
        return {"prompt_cache_hit_tokens": hit, "prompt_cache_miss_tokens": usage.input_tokens - hit}


class KimiFormat(OpenAIFormat):
    """Cached input is beside the other counts."""

    def cached(self, usage: Usage) -> dict[str, Any]:
        """The count of the cache."""
        return {"cached_tokens": usage.cached_input_tokens}


class MiniMaxFormat(OpenAIFormat):
    """Thoughts come inline unless the request splits them off; errors are a chunk of their own kind."""

    def thought(self, text: str) -> bytes:
        """Reasoning details, or a block in the text."""
        if self.request.body.get("reasoning_split") and "inline" not in self.model:
            return self._chunk({"reasoning_details": [{"type": "reasoning.text", "text": text}]})
        return self._chunk({"content": f"<think>\n{text}\n</think>\n\n"})

    def error(self) -> bytes:
        """A chunk with a status of the vendor."""
        code = int(self.reply.error_code or 1013)
        return sse({**self._base(), "choices": None, "base_resp": {"status_code": code, "status_msg": "scripted"}})


class XAIFormat(OpenAIFormat):
    """The completion is the text alone; only the total has the thoughts."""

    def output(self, tokens: int) -> dict[str, Any]:
        """The count of the text, and of the thoughts beside it."""
        thoughts = self.thought_tokens
        return {"completion_tokens": tokens - thoughts, "completion_tokens_details": {"reasoning_tokens": thoughts}}


class MistralFormat(OpenAIFormat):
    """Usage comes with the last chunk, unasked; thoughts are a part of a list."""

    def thought(self, text: str) -> bytes:
        """A list with a part that is no text."""
        return self._chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]})

    def usage_is_asked_for(self) -> bool:
        """It always comes."""
        return True


class CacheWritesFormat(OpenAIFormat):
    """What was written to the cache is counted beside what it gave: OpenAI's own newer models."""

    def cached(self, usage: Usage) -> dict[str, Any]:
        """Both counts of the cache."""
        counts = {"cached_tokens": usage.cached_input_tokens, "cache_write_tokens": usage.cache_write_tokens}
        return {"prompt_tokens_details": counts}


class OpenRouterFormat(CacheWritesFormat):
    """Comments keep the connection alive; an error is a chunk with a status."""

    def start(self) -> bytes:
        """A comment."""
        return b": OPENROUTER PROCESSING\n\n"

    def error(self) -> bytes:
        """A chunk with an error beside its choice."""
        error = {"code": int(self.reply.error_code or 502), "message": self.reply.error_message}
        choice = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
        return sse({**self._base(), "error": error, "choices": [choice]})


class ZhipuFormat(OpenAIFormat):
    """The filter has a word of its own."""

    filter_word = "sensitive"


class PlainFormat(OpenAIFormat):
    """A simple server of its own kind: no usage in streams, thoughts inline."""

    def thought(self, text: str) -> bytes:
        """A block in the text."""
        return self._chunk({"content": f"<think>{text}</think>"})

    def usage_is_asked_for(self) -> bool:
        """It never comes."""
        return False


DIALECTS: dict[str, type[OpenAIFormat]] = {
    "openai": CacheWritesFormat,
    "deepseek": DeepSeekFormat,
    "kimi": KimiFormat,
    "minimax": MiniMaxFormat,
    "xai": XAIFormat,
    "mistral": MistralFormat,
    "openrouter": OpenRouterFormat,
    "zhipu": ZhipuFormat,
    "plain": PlainFormat,
}


def refusal(vendor: str, model: str, body: Mapping[str, Any]) -> Reply | None:
    """The error that the vendor answers to a request with a field that it or its model refuses."""
    refused = next((name for name in _refused_fields(vendor, model) if name in body), None)
    heat = body.get("temperature")
    if refused is None and isinstance(heat, int | float) and heat > _HOTTEST.get(vendor, 2.0):
        refused = "temperature"
    if refused is None:
        return None
    status = 422 if vendor == "mistral" else 400
    return Reply(status=status, error_type="invalid_request_error", error_message=f"{refused} is not permitted")


_HOTTEST = {"anthropic": 1.0, "minimax": 1.0, "zhipu": 1.0, "kimi": 1.0, "mistral": 1.5}


def _refused_fields(vendor: str, model: str) -> tuple[str, ...]:
    if vendor == "mistral":
        return ("stream_options", "max_completion_tokens", "prompt_cache_options", "reasoning_split")
    if vendor == "plain":
        return ("stream_options", "response_format", "max_completion_tokens", "stop")
    if vendor == "openai" and _REASONING_OPENAI.fullmatch(model):
        return ("temperature", "top_p", "stop", "max_tokens")
    if vendor == "kimi" and _FIXED_SAMPLING_KIMI.fullmatch(model):
        return ("temperature", "top_p")
    if vendor == "xai" and _REASONING_XAI.fullmatch(model):
        return ("stop", "presence_penalty", "frequency_penalty")
    if vendor == "anthropic" and _CLAUDE_5.fullmatch(model):
        return ("temperature", "top_p")
    return ()

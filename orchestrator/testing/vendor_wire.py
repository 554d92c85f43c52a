"""Reading the vendors' requests as the fake server sees them: which vendor, which model, which texts."""

import re
from typing import Any, NamedTuple

_GIGACHAT = re.compile(r"^/gigachat/api/v\d\w*/chat/completions$")
_OPENAI = re.compile(r"^(?:/(?P<vendor>[a-z][a-z0-9_-]*))?(?:/api/paas)?/v\d\w*/chat/completions$")
_ANTHROPIC = re.compile(r"^/v\d\w*/messages$")
_GOOGLE = re.compile(r"^/v\d\w*/models/(?P<model>[^:/]+):(?P<method>generateContent|streamGenerateContent)$")
_YANDEX = re.compile(r"^/foundationModels/v1/completion$")
_OLLAMA = re.compile(r"^/api/chat$")
_YANDEX_MODEL = re.compile(r"^gpt://[^/]+/")


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
    if _GIGACHAT.match(path):
        return Route("gigachat", "gigachat", "", False)
    if match := _OPENAI.match(path):
        return Route("openai_compatible", match["vendor"] or "openai", "", False)
    if _ANTHROPIC.match(path):
        return Route("anthropic", "anthropic", "", False)
    if match := _GOOGLE.match(path):
        return Route("google", "google", match["model"], match["method"].startswith("stream"))
    if _YANDEX.match(path):
        return Route("yandex", "yandex", "", False)
    if _OLLAMA.match(path):
        return Route("ollama", "ollama", "", False)
    return None


def parse(where: Route, body: dict[str, Any]) -> Parsed:
    """The parts of a body that scripts look at."""
    if where.family == "google":
        return _google(where, body)
    if where.family == "yandex":
        return _yandex(body)
    messages = body.get("messages") or []
    system = [_plain(message.get("content")) for message in messages if message.get("role") == "system"]
    prompt = [_plain(message.get("content")) for message in messages if message.get("role") != "system"]
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    if where.family == "ollama":
        limit = (body.get("options") or {}).get("num_predict")
    return Parsed(
        model=str(body.get("model", "")),
        system=_plain(body.get("system")) if where.family == "anthropic" else "\n".join(system),
        prompt="\n".join(prompt),
        max_tokens=limit,
        stream=bool(body.get("stream", where.family == "ollama")),
    )


def _google(where: Route, body: dict[str, Any]) -> Parsed:
    config = body.get("generationConfig") or {}
    return Parsed(
        model=where.model,
        system=_google_text([body.get("systemInstruction") or {}]),
        prompt=_google_text(body.get("contents") or []),
        max_tokens=config.get("maxOutputTokens"),
        stream=where.stream,
    )


def _yandex(body: dict[str, Any]) -> Parsed:
    options = body.get("completionOptions") or {}
    messages = body.get("messages") or []
    return Parsed(
        model=_YANDEX_MODEL.sub("", str(body.get("modelUri", ""))),
        system="\n".join(str(m.get("text", "")) for m in messages if m.get("role") == "system"),
        prompt="\n".join(str(m.get("text", "")) for m in messages if m.get("role") != "system"),
        max_tokens=int(options["maxTokens"]) if "maxTokens" in options else None,
        stream=bool(options.get("stream")),
    )


def _plain(content: Any) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _google_text(contents: list[dict[str, Any]]) -> str:
    return "\n".join(_plain(content.get("parts")) for content in contents)

"""Reading the vendors' requests as the fake server sees them: which vendor, which model, which texts."""

import re
from typing import Any, NamedTuple

_OPENAI = re.compile(r"^(?:/(?P<vendor>[a-z][a-z0-9_]*))?(?:/api/paas)?/v\d\w*/chat/completions$")
_ANTHROPIC = re.compile(r"^/v\d\w*/messages$")
_GOOGLE = re.compile(r"^/v\d\w*/models/(?P<model>[^:/]+):(?P<method>generateContent|streamGenerateContent)$")


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


def _plain(content: Any) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _google_text(contents: list[dict[str, Any]]) -> str:
    return "\n".join(_plain(content.get("parts")) for content in contents)

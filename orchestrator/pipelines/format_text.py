"""Prompts with `{name}`: what is a variable, what is text, and how it is filled in.

Where every brace of a prompt is `{name}`, `{{` or `}}`, the doubled ones stand for single ones. Any other brace, such
as those of JSON, makes all braces text but those of `{name}`; `{{name}}` then stands for `{name}`.
"""

import re
from collections.abc import Callable, Mapping

from pydantic import JsonValue

from orchestrator.pipelines.errors import StepError
from orchestrator.pipelines.functions import MAX_TEXT_CHARS, text_of

_NAME = "[A-Za-z_][A-Za-z0-9_]*"
_STRICT = re.compile(rf"\{{\{{|\}}\}}|\{{(?P<name>{_NAME})\}}")
_LOOSE = re.compile(rf"\{{\{{(?P<escaped>{_NAME})\}}\}}|\{{(?P<name>{_NAME})\}}")
_REACH = re.compile(rf"\{{(?P<name>{_NAME})(?P<rest>(?:[.\[!][^{{}}\n]*|:[^{{}}\n ]*))\}}")


def names_in(template: str) -> tuple[str, ...]:
    """The variables of a prompt, in order of appearance."""
    found = (match["name"] for match in _pattern(template).finditer(template))
    return tuple(dict.fromkeys(name for name in found if name))


def reaching(template: str) -> dict[str, str]:
    """What looks like a variable that is reached into or formatted, such as `{x[0]}`, by the variable's name."""
    return {match["name"]: match[0] for match in _REACH.finditer(template)}


def filled(template: str, values: Mapping[str, JsonValue]) -> str:
    """The prompt with its variables filled in; values are never looked through for variables. Raises StepError."""
    pattern = _pattern(template)
    names = [name for match in pattern.finditer(template) if (name := match["name"])]
    for name in names:
        if name not in values:
            raise StepError(f"missing variable '{name}' in prompt template")
    texts = {name: text_of(values[name]) for name in names}
    if len(template) + sum(len(texts[name]) for name in names) > MAX_TEXT_CHARS:
        raise StepError(f"a prompt of more than {MAX_TEXT_CHARS} characters")
    return pattern.sub(_filler(texts, strict=pattern is _STRICT), template)


def _pattern(template: str) -> re.Pattern[str]:
    rest = _STRICT.sub("", template)
    return _LOOSE if "{" in rest or "}" in rest else _STRICT


def _filler(texts: Mapping[str, str], *, strict: bool) -> Callable[[re.Match[str]], str]:
    def fill(match: re.Match[str]) -> str:
        name = match["name"]
        if name is None:
            return match[0][0] if strict else f"{{{match['escaped']}}}"
        return texts[name]

    return fill

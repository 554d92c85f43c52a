"""A plan as YAML that a person edits: texts of models come out whole, and unable to act on a terminal."""

from collections.abc import Iterable

from orchestrator.artifacts.text import plain
from orchestrator.domain.answers import PlannedTask

_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}


def plan_yaml(tasks: Iterable[PlannedTask]) -> str:
    """YAML that `load_plan` reads back as the same tasks; prompts are block scalars."""
    lines = ["tasks:"]
    for task in tasks:
        lines += [
            f"  - id: {_quoted(task.id)}",
            f"    title: {_quoted(task.title)}",
            f"    type: {task.type.value}",
            f"    dependencies: {_list(task.dependencies)}",
            f"    files: {_list(task.files)}",
            f"    validators: {_list(task.validators)}",
            f"    prompt: {_block(task.prompt, 6)}",
        ]
    return "\n".join(lines) + "\n"


def _list(texts: Iterable[str]) -> str:
    return f"[{', '.join(_quoted(text) for text in texts)}]"


def _quoted(text: str) -> str:
    """A double-quoted scalar; what a terminal may act on is escaped."""
    return '"' + "".join(_ESCAPES.get(ch) or _harmless(ch) for ch in text) + '"'


def _harmless(ch: str) -> str:
    return ch if plain(ch) == ch else f"\\U{ord(ch):08X}"


def _block(text: str, indent: int) -> str:
    """A block scalar; a quoted one where a block could not hold the text as it is."""
    body = text.replace("\t", " ")
    if plain(body) != body or not text.strip() or text[0] in " \t\n":
        return _quoted(text)
    content = text.rstrip("\n")
    ends = len(text) - len(content)
    chomping = ("-", "", "+")[min(ends, 2)]
    pad = " " * indent
    lines = [pad + line if line else "" for line in content.split("\n")] + [""] * max(0, ends - 1)
    return "\n".join((f"|{chomping}", *lines))

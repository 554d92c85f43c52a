"""A model's text taken apart: reasoning dropped, fenced blocks told from prose. Linear in the text's length."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from orchestrator.domain.base import Frozen

_REASONING = "think|thinking|thought|reasoning"
_REASONING_OPEN = re.compile(rf"[ \t]*<({_REASONING})>", re.IGNORECASE)
_REASONING_CLOSE = re.compile(rf"</({_REASONING})>", re.IGNORECASE)
_FENCE = re.compile(r"(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})(?P<info>.*)$")
_NAMES_A_FILE = re.compile(r"\bpath\s*=")
_MARKDOWN = re.compile(r"\b(?:markdown|md)\b", re.IGNORECASE)
MAX_BLOCKS = 200
_MAX_NESTED = 500  # fences looked at to tell whether blocks are nested
_SHOWN_CHARS = 500  # longer info strings and lines of prose name no file
_CLOSER_INDENT = 3  # a closing fence may stand this much deeper than its opening one


class AnswerError(ValueError):
    """An answer that cannot be used. The message is one line that tells the model what to mend."""


class Block(Frozen):
    """A fenced block. `lead` is the last line of prose before it, `closed` is False where the text ended first."""

    info: str
    lead: str
    content: str
    closed: bool

    @property
    def language(self) -> str:
        """The first word of the info string in lower case, without what follows a colon."""
        words = self.info.split()
        return words[0].split(":")[0].lower() if words else ""


class Scanned(Frozen):
    """All blocks of a text in order, and the prose between them without reasoning."""

    blocks: tuple[Block, ...]
    prose: str


class _Fence(NamedTuple):
    indent: int
    mark: str
    info: str

    def is_like(self, other: "_Fence") -> bool:
        """True if `other`, found inside this one, is a fence of the same kind and not just content."""
        same_kind = other.mark[0] == self.mark[0] and len(other.mark) >= len(self.mark)
        return same_kind and other.indent <= self.indent + _CLOSER_INDENT


def normalise_text(text: str) -> str:
    """`text` with plain line ends, without byte order mark, and free of what UTF-8 cannot carry."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
    return plain.encode(errors="replace").decode()


def scan(text: str) -> Scanned:
    """Take `text` apart. Inside a fence nothing but its end has a meaning. Raises AnswerError for too many blocks."""
    lines = _after_orphan(normalise_text(text)).split("\n")
    blocks: list[Block] = []
    prose: list[str] = []
    lead = ""
    at = 0
    while at < len(lines):
        fence = _fence(lines[at])
        if fence is not None:
            if len(blocks) == MAX_BLOCKS:
                raise AnswerError(f"more than {MAX_BLOCKS} code blocks")
            end, closed = _end_of(lines, at, fence, lead)
            content = [_dedented(line, fence.indent) for line in lines[at + 1 : end]]
            blocks.append(Block(info=fence.info, lead=lead, content="".join(f"{x}\n" for x in content), closed=closed))
            at = end + 1 if closed else end
            lead = ""
        elif _REASONING_OPEN.match(lines[at]):
            at = _skip_reasoning(lines, at)
        else:
            prose.append(lines[at])
            lead = lines[at].strip()[:_SHOWN_CHARS] or lead
            at += 1
    return Scanned(blocks=tuple(blocks), prose="\n".join(prose).strip())


def _after_orphan(text: str) -> str:
    """Some servers swallow the opening tag: then everything before a closing tag on its own line is reasoning."""
    opening = re.search(rf"^[ \t]*<({_REASONING})>", text, re.IGNORECASE | re.MULTILINE)
    closing = re.search(rf"^[ \t]*</({_REASONING})>[ \t]*$", text, re.IGNORECASE | re.MULTILINE)
    if closing and (opening is None or opening.start() > closing.start()):
        return text[closing.end() :]
    return text


def _skip_reasoning(lines: list[str], at: int) -> int:
    """The line after a reasoning block, or the line that its end stands in, cut to what follows the end."""
    for number in range(at, len(lines)):
        closing = _REASONING_CLOSE.search(lines[number])
        if closing:
            lines[number] = lines[number][closing.end() :]
            return number
    return len(lines)


def _fence(line: str) -> _Fence | None:
    found = _FENCE.match(line)
    if found is None or (found["fence"][0] == "`" and "`" in found["info"]):
        return None
    return _Fence(
        indent=len(found["indent"].expandtabs(4)), mark=found["fence"], info=found["info"][:_SHOWN_CHARS].strip()
    )


def _end_of(lines: list[str], start: int, opener: _Fence, lead: str) -> tuple[int, bool]:
    """Index of the closing line and True, or of the first line that is no longer inside and False.

    A fence of the same length with an info string opens a nested block: models forget to make the outer longer.
    """
    depth = 0
    marks = _marks_inside(lines, start, opener)
    for at, fence in marks:
        if _NAMES_A_FILE.search(fence.info):
            return at, False
        if fence.info:
            depth += 1
        elif depth:
            depth -= 1
        else:
            return _nested_end(marks, at) if _MARKDOWN.search(f"{opener.info} {lead}") else at, True
    return len(lines), False


def _marks_inside(lines: list[str], start: int, opener: _Fence) -> Iterator[tuple[int, _Fence]]:
    """All lines after `start` that could open or close a block at the opener's level."""
    for at in range(start + 1, len(lines)):
        fence = _fence(lines[at])
        if fence is not None and opener.is_like(fence):
            yield at, fence


def _nested_end(marks: Iterator[tuple[int, _Fence]], at: int) -> int:
    """The end of a Markdown file whose first bare fence stands at `at`: there, or later if that opened a block.

    It did if the fences that follow, up to the next named file, pair up so that the last one closes the file.
    """
    rest = []
    for mark in islice(marks, _MAX_NESTED):
        if _NAMES_A_FILE.search(mark[1].info):
            break
        rest.append(mark)
    inside = True
    for _, fence in rest[:-1]:
        if inside and fence.info:
            return at
        inside = not inside
    return rest[-1][0] if rest and not inside and not rest[-1][1].info else at


def _dedented(line: str, indent: int) -> str:
    blank = len(line) - len(line.lstrip(" \t"))
    return line[min(indent, blank) :]

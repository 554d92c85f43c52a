"""Text of models and users made harmless for reports and messages."""

import re
import unicodedata

from orchestrator.domain.text import one_line

_HOSTILE_CATEGORIES = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
_MARKDOWN = re.compile(r"[\\`*_\[\]{}()#!|~$@^]|:(?=//)|(?<=mailto):|(?<=xmpp):|(?<=www)\.", re.IGNORECASE)
_LIST_MARK = re.compile(r"^(\d+(?=[.)](?:\s|$))|(?=[-+=]))")
_BACKTICKS = re.compile(r"`+")


class Verbatim(str):
    """Markdown that is safe already; the report template prints it as it is."""


def plain(text: str) -> str:
    """`text` without control, format and bidirectional characters, except line ends; tabs become spaces."""
    unified = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    ")
    return "".join(ch for ch in unified if ch == "\n" or unicodedata.category(ch) not in _HOSTILE_CATEGORIES)


def markdown_line(text: str, limit: int = 300) -> str:
    """`text` as one line that Markdown shows literally: no markup, link, HTML or table cell comes of it."""
    line = one_line(text, limit).replace("&", "&amp;")
    escaped = _LIST_MARK.sub(r"\1\\", _MARKDOWN.sub(r"\\\g<0>", line))
    return escaped.replace("<", "&lt;").replace(">", "&gt;")


def markdown_block(text: str, limit: int = 8000) -> Verbatim:
    """`text` in a fence that it cannot close; cut, and saying so, after `limit` characters."""
    body = plain(text).strip("\n")
    if len(body) > limit:
        body = f"{body[:limit]}\n… (cut after {limit} of {len(body)} characters)"
    fence = "`" * max([3, *(len(run) + 1 for run in _BACKTICKS.findall(body))])
    return Verbatim(f"{fence}text\n{body}\n{fence}")

"""Text of people and models made fit for one line of a log, a message or a table."""

import re
import unicodedata

# CSI, OSC, DCS and other string sequences, then the two-character ones.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
_INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
_SCAN_FACTOR = 8  # a line that is cut anyway is not scanned to its end


def printable(text: str) -> str:
    """`text` with its line ends and tabs, but without terminal escapes and invisible characters."""
    plain = _ESCAPES.sub("", text.replace("\r\n", "\n"))
    return "".join(ch for ch in plain if ch in "\n\t" or unicodedata.category(ch) not in _INVISIBLE)


def one_line(text: str, limit: int = 200) -> str:
    """`text` as one printable line of at most `limit` characters; a longer one ends in an ellipsis.

    Removes terminal escapes, control, format (bidirectional, zero-width) and unassigned characters; each run
    of white space becomes one space.
    """
    cut = len(text) > limit * _SCAN_FACTOR
    text = _ESCAPES.sub("", text[: limit * _SCAN_FACTOR])
    spaced = re.sub(r"\s+", " ", text)
    line = "".join(ch for ch in spaced if unicodedata.category(ch) not in _INVISIBLE).strip()
    if len(line) > limit or cut:
        return line[: limit - 1].rstrip() + "…"
    return line


def duration(seconds: float) -> str:
    """Seconds for a reader: `12 s`, `3 min 05 s`, `2 h 10 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"

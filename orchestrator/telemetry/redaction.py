"""Text that may be shown or logged: no secrets, no terminal escapes, no invisible characters."""

import re
import unicodedata
from collections.abc import Iterable

REDACTED = "[redacted]"
_SHORTEST_SECRET = 6  # shorter values would blank out ordinary words

# What looks like a key even where we were not told about it: vendors echo keys in other spellings.
_KEY_SHAPES = re.compile(
    r"\b(?:sk|pk|rk|xai|gsk)-[A-Za-z0-9_\-]{12,}|\bAIza[A-Za-z0-9_\-]{20,}|\b(?i:bearer|basic)\s+[A-Za-z0-9._~+/=\-]{12,}"
)
# CSI, OSC, DCS and other string sequences, then the two-character ones.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
_INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
_SCAN_FACTOR = 8  # a line that is cut anyway is not scanned to its end


def redact(text: str, secrets: Iterable[str]) -> str:
    """`text` with every secret, and all that has the shape of a vendor's key, replaced by `[redacted]`."""
    for secret in sorted((s for s in secrets if len(s) >= _SHORTEST_SECRET), key=len, reverse=True):
        text = text.replace(secret, REDACTED)
    return _KEY_SHAPES.sub(REDACTED, text)


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

"""Text that may be logged: no secrets."""

import re
from collections.abc import Iterable

REDACTED = "[redacted]"
_SHORTEST_SECRET = 6  # shorter values would blank out ordinary words

# What looks like a key even where we were not told about it: vendors echo keys in other spellings.
_KEY_SHAPES = re.compile(
    r"\b(?:sk|pk|rk|xai|gsk)-[A-Za-z0-9_\-]{12,}|\bAIza[A-Za-z0-9_\-]{20,}|\b(?i:bearer|basic)\s+[A-Za-z0-9._~+/=\-]{12,}"
)


def redact(text: str, secrets: Iterable[str]) -> str:
    """`text` with every secret, and all that has the shape of a vendor's key, replaced by `[redacted]`."""
    for secret in sorted((s for s in secrets if len(s) >= _SHORTEST_SECRET), key=len, reverse=True):
        text = text.replace(secret, REDACTED)
    return _KEY_SHAPES.sub(REDACTED, text)

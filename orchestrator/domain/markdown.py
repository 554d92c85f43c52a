"""Text of users and models inside Markdown as the Web UI of Temporal renders it: with formulas and fractions."""

_MARKUP = frozenset("|<>`*_[]()#$\\~^\r\n")
_CELL_CHARS = 80


def cell(text: str) -> str:
    """Text for a line or a cell of a table: no markup, at most 80 characters."""
    return "".join(" " if ch in _MARKUP else ch for ch in text)[:_CELL_CHARS]


def quoted(text: str, max_bytes: int) -> str:
    """Text as it is, as a block in which nothing is markup; what is longer than `max_bytes` of UTF-8 is cut."""
    kept = text.encode()[:max_bytes].decode(errors="ignore")
    lines = kept.splitlines() + (["…"] if len(kept) < len(text) else [])
    return "\n".join(f"    {line}" for line in lines)


def dollars(spent_usd: float, max_usd: float | None = None) -> str:
    """An amount, and of how much: two dollar signs would make a formula."""
    return f"{spent_usd:.4f} USD" if max_usd is None else f"{spent_usd:.4f} of {max_usd:.2f} USD"

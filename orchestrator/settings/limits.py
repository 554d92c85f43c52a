"""How often vendors may be asked, by all workers together."""

import re

from orchestrator.domain.errors import UserInputError

RATE_LIMITS = "ORCH_RATE_LIMITS"

_LIMIT = re.compile(r"\s*([a-z][a-z0-9_-]{0,31})\s*=\s*([0-9]+(?:\.[0-9]+)?)\s*/\s*([smh])\s*")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def parse_rate_limits(raw: str) -> dict[str, float]:
    """Requests per second by vendor, from `openai=5/s,anthropic=300/m`. Raises UserInputError."""
    limits: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in raw.split(","))):
        match = _LIMIT.fullmatch(part)
        if match is None or float(match[2]) == 0:
            raise UserInputError(
                f"{RATE_LIMITS}: {part[:60]!r} is no limit; write VENDOR=NUMBER/s, /m or /h, such as openai=5/s"
            )
        if match[1] in limits:
            raise UserInputError(f"{RATE_LIMITS}: {match[1]} has more than one limit")
        limits[match[1]] = float(match[2]) / _SECONDS[match[3]]
    return limits

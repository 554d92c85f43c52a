"""Rate limiting decorators for sync and async functions.

Written by simulated models.
"""

from rate_limiter.decorators import rate_limit, sliding_window, token_bucket
from rate_limiter.errors import RateLimitExceeded
from rate_limiter.limiter import Clock, Limiter
from rate_limiter.sliding_window import SlidingWindow
from rate_limiter.token_bucket import TokenBucket

__all__ = [
    "Clock",
    "Limiter",
    "RateLimitExceeded",
    "SlidingWindow",
    "TokenBucket",
    "rate_limit",
    "sliding_window",
    "token_bucket",
]

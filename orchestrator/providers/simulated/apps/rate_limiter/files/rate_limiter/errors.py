"""Errors of the rate limiter."""


class RateLimitExceeded(Exception):
    """A call came too early.

    `retry_after_s` says in how many seconds it would be allowed.
    """

    def __init__(self, name: str, retry_after_s: float) -> None:
        super().__init__(f"{name}: rate limit reached, retry in {retry_after_s:.3f} s")
        self.name = name
        self.retry_after_s = retry_after_s

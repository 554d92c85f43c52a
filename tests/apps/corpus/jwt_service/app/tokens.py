"""Signed tokens that say who somebody is."""

from datetime import UTC, datetime, timedelta

import jwt

_ALGORITHM = "HS256"


class BadTokenError(ValueError):
    """The token is not ours, or too old."""


def issue(name: str, secret: str, lifetime: timedelta = timedelta(hours=1)) -> str:
    """A token for `name` that holds for `lifetime`."""
    return jwt.encode({"sub": name, "exp": datetime.now(UTC) + lifetime}, secret, algorithm=_ALGORITHM)


def owner(token: str, secret: str) -> str:
    """The name that the token was issued for. Raises BadTokenError."""
    try:
        claims = jwt.decode(token, secret, algorithms=[_ALGORITHM])
    except jwt.InvalidTokenError as error:
        raise BadTokenError(str(error)) from error
    return str(claims["sub"])

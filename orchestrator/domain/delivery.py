"""The form of deliveries: the message of a webhook, its signature, and folders that carry a date."""

import base64
import binascii
import hashlib
import hmac
import re
from datetime import datetime

DATE_DIRECTIVES = "YmdHMSjyGVuaAbB%"
WEBHOOK_SECRET_PREFIX = "whsec_"

_MAX_URL_CHARS = 2000
_MAX_ARGUMENTS = 64
_MAX_COMMAND_CHARS = 4000
# Stricter than what a URL may be, so that nobody can read another host out of it.
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?(?:[/?#][!-~]*)?"
)
_USER = re.compile(r"https?://[^/?#]*@")
_DIRECTIVE = re.compile(r"%(.?)", re.DOTALL)


def check_webhook(url: str) -> str:
    """`url`, if a webhook can have it. Raises ValueError."""
    if _USER.match(url):
        raise ValueError("must hold no user or password; the receiver checks the signature")
    found = _URL.fullmatch(url)
    if not found or not 0 < int(found["port"] or 1) < 65536:
        raise ValueError("must be an http:// or https:// address")
    if len(url) > _MAX_URL_CHARS:
        raise ValueError(f"must have at most {_MAX_URL_CHARS} characters")
    return url


def check_command(command: tuple[str, ...]) -> tuple[str, ...]:
    """`command`, if it is an absolute program and arguments. Raises ValueError."""
    if not command or not command[0].startswith("/"):
        raise ValueError("must begin with the absolute path of a program")
    if len(command) > _MAX_ARGUMENTS or sum(map(len, command)) > _MAX_COMMAND_CHARS or "\0" in "".join(command):
        raise ValueError(f"must have at most {_MAX_ARGUMENTS} arguments and {_MAX_COMMAND_CHARS} characters")
    return command


def check_date_pattern(pattern: str) -> str:
    """`pattern`, if it is a path whose `%` are known directives of dates. Raises ValueError."""
    if not pattern.strip():
        raise ValueError("is empty")
    if not pattern.isprintable():
        raise ValueError("must be one printable line")
    for match in _DIRECTIVE.finditer(pattern):
        if not match[1] or match[1] not in DATE_DIRECTIVES:
            known = " ".join(f"%{one}" for one in DATE_DIRECTIVES)
            raise ValueError(f"{match[0]!r} is no part of a date; known are {known}")
    if ".." in pattern.split("/"):
        raise ValueError("must not hold '..'")
    return pattern


def dated(pattern: str, at: datetime) -> str:
    """`pattern` with its directives filled in, whatever the locale of this process writes around them."""
    return at.strftime(check_date_pattern(pattern))


def webhook_host(url: str) -> str:
    """The host of a webhook, which check_webhook has passed; empty for what is none."""
    found = _URL.fullmatch(url)
    return found["host"].lower() if found else ""


def shown_host(url: str) -> str:
    """Scheme and host of a webhook: the rest of its address may be as good as a password."""
    found = _URL.fullmatch(url)
    return f"{found['scheme']}://{found['host']}" if found else "the webhook"


def host_allowed(host: str, allowed: tuple[str, ...]) -> bool:
    """Whether `host` is one of `allowed`, or below one that begins with a dot. All are allowed where none is named."""
    host = host.lower().rstrip(".")
    return not allowed or any(
        host == one or (one.startswith(".") and host.endswith(one)) for one in (each.lower() for each in allowed)
    )


def sign(secret: str, message_id: str, timestamp_s: int, body: bytes) -> str:
    """The header `webhook-signature` of Standard Webhooks 1.0: HMAC-SHA256 over id, time and body.

    A secret `whsec_...` is base64 of the key; any other text is the key itself.
    """
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    return f"v1,{base64.b64encode(hmac.new(_key(secret), signed, hashlib.sha256).digest()).decode()}"


def _key(secret: str) -> bytes:
    if not secret.startswith(WEBHOOK_SECRET_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(WEBHOOK_SECRET_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("after whsec_ comes base64") from None

"""Keys that payloads and artifacts are sealed with (`ORCH_ENCRYPTION_KEYS`), and the token of the codec server."""

import base64
import binascii
import re

from pydantic import BaseModel, ConfigDict, SecretBytes, SecretStr

from orchestrator.domain.errors import UserInputError

ENCRYPTION_KEYS = "ORCH_ENCRYPTION_KEYS"
CODEC_TOKEN = "ORCH_CODEC_TOKEN"
KEY_BYTES = 32

_MIN_TOKEN_CHARS = 16
_ID = re.compile(r"[A-Za-z0-9._-]{1,32}")
_MAKE_ONE = "make one with 'openssl rand -base64 32'"


class EncryptionKey(BaseModel):
    """A key of 32 bytes and the public name that whatever it seals carries."""

    model_config = ConfigDict(frozen=True)

    id: str
    secret: SecretBytes


class EncryptionKeys(BaseModel):
    """The first key seals, all of them open. Without any, nothing is sealed."""

    model_config = ConfigDict(frozen=True)

    keys: tuple[EncryptionKey, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.keys)

    @property
    def ids(self) -> tuple[str, ...]:
        """Names of the keys, that of the sealing one first."""
        return tuple(key.id for key in self.keys)


def parse_encryption_keys(text: str) -> EncryptionKeys:
    """Keys from `<id>:<base64 of 32 bytes>[,...]`. Raises UserInputError, which tells the place and never the value."""
    pieces = [piece.strip() for piece in text.split(",")] if text.strip() else []
    keys = EncryptionKeys(keys=tuple(_parsed(number, piece) for number, piece in enumerate(pieces, 1)))
    if len(set(keys.ids)) < len(keys.ids):
        raise UserInputError(f"{ENCRYPTION_KEYS}: two keys have the same id")
    return keys


def parse_codec_token(text: str) -> SecretStr:
    """The token that the codec server asks for, empty where there is none. Raises UserInputError."""
    token = text.strip()
    if token and (len(token) < _MIN_TOKEN_CHARS or not token.isascii() or len(token.split()) > 1):
        raise UserInputError(
            f"{CODEC_TOKEN}: needs at least {_MIN_TOKEN_CHARS} ASCII characters without spaces; "
            "make one with 'openssl rand -hex 32'"
        )
    return SecretStr(token)


def _parsed(number: int, piece: str) -> EncryptionKey:
    key_id, colon, encoded = piece.partition(":")
    if not colon or not _ID.fullmatch(key_id):
        raise UserInputError(
            f"{ENCRYPTION_KEYS}: key {number} is not <id>:<base64>; an id has up to 32 letters, digits, '.', '_', '-'"
        )
    try:
        secret = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise UserInputError(f"{ENCRYPTION_KEYS}: key {number} is not base64; {_MAKE_ONE}") from None
    if len(secret) != KEY_BYTES:
        raise UserInputError(
            f"{ENCRYPTION_KEYS}: key {number} has {len(secret)} bytes instead of {KEY_BYTES}; {_MAKE_ONE}"
        )
    return EncryptionKey(id=key_id, secret=SecretBytes(secret))

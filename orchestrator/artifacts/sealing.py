"""AES-256-GCM around bytes that leave this process: payloads for Temporal, objects of the artifact store.

A sealed value is `magic | length of the key's id | id | nonce of 12 bytes | ciphertext and tag`. Everything before the
nonce and the value's context (what it is, which object) is authenticated too, so that nothing can be passed
off as something else. Nonces are random: one key is good for four billion values (docs/security.md).
"""

import os
import re
from functools import cached_property
from typing import TYPE_CHECKING

from orchestrator.artifacts.errors import ArtifactError, MissingKeyError
from orchestrator.settings.encryption import ENCRYPTION_KEYS, EncryptionKeys

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_MAGIC = b"\xfforch\x01"  # no text begins so
_NONCE_BYTES = 12
_ID_BYTES = re.compile(rb"[A-Za-z0-9._-]{1,32}")


class Sealer:
    """Seals with the first key, opens with any. Safe for concurrent use."""

    def __init__(self, keys: EncryptionKeys) -> None:
        self._keys = keys

    @property
    def active(self) -> bool:
        """Whether anything is sealed; a sealer without keys only tells which key is missing."""
        return bool(self._keys)

    def seal(self, data: bytes, context: str) -> bytes:
        """`data` sealed; without keys as it is."""
        if not self._keys:
            return data
        key_id = self._keys.keys[0].id
        head = _head(key_id.encode())
        nonce = os.urandom(_NONCE_BYTES)
        return head + nonce + self._ciphers[key_id].encrypt(nonce, data, head + context.encode())

    def unseal(self, data: bytes, context: str) -> bytes:
        """What seal was given for this context; what is not sealed as it is.

        Raises MissingKeyError, with the id of the key; ArtifactError where the value was altered or is another one's.
        """
        if not is_sealed(data):
            return data
        start = len(_MAGIC) + 1
        end = start + (data[len(_MAGIC)] if len(data) >= start else 0)
        key_id = data[start:end]
        if not _ID_BYTES.fullmatch(key_id):
            raise ArtifactError(f"{context} was altered")
        cipher = self._ciphers.get(key_id.decode())
        if cipher is None:
            raise MissingKeyError(_missing(key_id.decode(), self._keys))
        from cryptography.exceptions import InvalidTag

        head, nonce = data[:end], data[end : end + _NONCE_BYTES]
        try:
            return cipher.decrypt(nonce, data[end + _NONCE_BYTES :], head + context.encode())
        except (InvalidTag, ValueError):  # a nonce that was cut off
            raise ArtifactError(f"{context} was altered, or sealed with another key {key_id.decode()!r}") from None

    def is_current(self, data: bytes) -> bool:
        """Whether `data` needs no new seal: it has that of the first key, or there are no keys."""
        return not self._keys or data.startswith(_head(self._keys.ids[0].encode()))

    @cached_property
    def _ciphers(self) -> dict[str, "AESGCM"]:
        if not self._keys:
            return {}
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return {key.id: AESGCM(key.secret.get_secret_value()) for key in self._keys.keys}


def is_sealed(data: bytes) -> bool:
    """Whether `data` looks like what a sealer gives, of any key."""
    return data.startswith(_MAGIC)


def _head(key_id: bytes) -> bytes:
    return _MAGIC + bytes([len(key_id)]) + key_id


def _missing(key_id: str, keys: EncryptionKeys) -> str:
    held = f"holds only {', '.join(keys.ids)}" if keys else "is not set"
    return f"this data is sealed with encryption key {key_id!r}; {ENCRYPTION_KEYS} {held}"

"""AES-256-GCM around bytes that leave this process: payloads for Temporal, objects of the artifact store.

A sealed value is `magic | length of the key's id | id | mark of the key | nonce of 12 bytes | ciphertext and tag`.
Everything before the nonce and the value's context (what it is, which object) is authenticated too, so that nothing can
be passed off as something else. The mark, four bytes, tells another key of the same name from an altered value: what
was altered may be mended or given up, what wants another key must not. Nonces are random: one key is good for four
billion values (docs/security.md).
"""

import hashlib
import os
import re
from functools import cached_property
from typing import TYPE_CHECKING

from orchestrator.artifacts.errors import ArtifactError, MissingKeyError
from orchestrator.settings.encryption import ENCRYPTION_KEYS, EncryptionKey, EncryptionKeys

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_MAGIC = b"\xfforch\x01"  # no text begins so
_MARK_BYTES = 4
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
        head, cipher = next(iter(self._ciphers.items()))
        nonce = os.urandom(_NONCE_BYTES)
        return head + nonce + cipher.encrypt(nonce, data, head + context.encode())

    def unseal(self, data: bytes, context: str) -> bytes:
        """What seal was given for this context; what is not sealed as it is.

        Raises MissingKeyError, with the id of the key; ArtifactError for an altered value, or one of another place.
        """
        if not is_sealed(data):
            return data
        start = len(_MAGIC) + 1
        end = start + (data[len(_MAGIC)] if len(data) >= start else 0)
        key_id, end = data[start:end], end + _MARK_BYTES
        if not _ID_BYTES.fullmatch(key_id) or len(data) < end + _NONCE_BYTES:
            raise ArtifactError(f"{context} was altered")
        head, nonce = data[:end], data[end : end + _NONCE_BYTES]
        cipher = self._ciphers.get(head)
        if cipher is None:
            raise MissingKeyError(_missing(key_id.decode(), self._keys))
        from cryptography.exceptions import InvalidTag

        try:
            return cipher.decrypt(nonce, data[end + _NONCE_BYTES :], head + context.encode())
        except InvalidTag:
            raise ArtifactError(f"{context} was altered") from None

    def is_current(self, data: bytes) -> bool:
        """Whether `data` needs no new seal: it has that of the first key, or there are no keys."""
        return not self._keys or data.startswith(_head(self._keys.keys[0]))

    @cached_property
    def _ciphers(self) -> dict[bytes, "AESGCM"]:
        """By the heads of what they sealed, the sealing one first."""
        if not self._keys:
            return {}
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return {_head(key): AESGCM(key.secret.get_secret_value()) for key in self._keys.keys}


def is_sealed(data: bytes) -> bool:
    """Whether `data` looks like what a sealer gives, of any key."""
    return data.startswith(_MAGIC)


def _head(key: EncryptionKey) -> bytes:
    mark = hashlib.sha256(b"orch-key-mark" + key.secret.get_secret_value()).digest()[:_MARK_BYTES]
    return _MAGIC + bytes([len(key.id)]) + key.id.encode() + mark


def _missing(key_id: str, keys: EncryptionKeys) -> str:
    held = f"holds only {', '.join(keys.ids)}" if keys else "is not set"
    if key_id in keys.ids:
        held = "holds another key of this name"
    return f"this data is sealed with encryption key {key_id!r}; {ENCRYPTION_KEYS} {held}"

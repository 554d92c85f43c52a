"""The call journal: what is known about the fate of each request to a model.

One object per call key. It is created as INTENT before the request leaves and replaced, in one atomic put,
by DONE (an answer, or a failure that was billed) or VOID (a failure that cost nothing). An INTENT that stays
means that nobody knows: the request may have been paid for.
"""

import hashlib
import os
import socket
import time
import uuid
from collections.abc import Set
from enum import StrEnum

from pydantic import ValidationError

from orchestrator.artifacts.errors import ArtifactError
from orchestrator.artifacts.store import ArtifactStore, safe_piece
from orchestrator.contracts.calls import CallKey, CallResult
from orchestrator.domain.base import Frozen
from orchestrator.domain.ledger import UncertainCharge
from orchestrator.domain.money import Usage

_FOLDER = "journal"
_FOLDER_PIECES = 2  # namespace, project


class Fresh(Frozen):
    """INTENT was written by this call: send the request now."""


class Done(Frozen):
    """The request ended before, with what is recorded."""

    record: CallResult


class Void(Frozen):
    """The request failed before, without cost."""

    record: CallResult


class Changed(Frozen):
    """The request ended before, but for another prompt; `record` is what came of that one."""

    record: CallResult
    digest: str


class Unknown(Frozen):
    """The request was begun before, by `owner`, and its outcome is not recorded."""

    owner: str


Begin = Fresh | Done | Void | Changed | Unknown


FREE = UncertainCharge(amount_micro=0, model="")


class _State(StrEnum):
    INTENT = "intent"
    DONE = "done"
    VOID = "void"


class _Entry(Frozen):
    key: str
    digest: str
    state: _State
    owner: str
    charge: UncertainCharge = FREE
    attempt: str = ""
    record: CallResult | None = None


class Journal:
    """The journal in `store`, written to as `owner`. Methods raise ArtifactUnavailableError."""

    def __init__(self, store: ArtifactStore, owner: str) -> None:
        self._store = store
        self._owner = owner

    async def begin(self, key: CallKey, digest: str, charge: UncertainCharge = FREE) -> Begin:
        """Claims the request `key` whose prompt has `digest`. At most one caller ever gets Fresh.

        `charge`: whom it asks, and what that can cost at most.
        """
        intent = _Entry(
            key=key.text(),
            digest=digest,
            state=_State.INTENT,
            owner=self._owner,
            charge=charge,
            attempt=uuid.uuid4().hex,
        )
        if await self._store.create_named(_name(intent.key), _encode(intent)):
            return Fresh()
        found = await self._read(intent.key)
        if found == intent:  # a store that retried the creation after a lost reply
            return Fresh()
        if found is None or found.record is None:
            return Unknown(owner=found.owner if found else "")
        if found.digest != digest:
            return Changed(record=found.record, digest=found.digest)
        return Done(record=found.record) if found.state is _State.DONE else Void(record=found.record)

    async def done(self, key: CallKey, digest: str, record: CallResult, charge: UncertainCharge = FREE) -> None:
        """Records an answer, or a failure that was billed, in one atomic put. `charge`: what it did cost."""
        await self._finish(key, digest, _State.DONE, record, charge)

    async def void(self, key: CallKey, digest: str, record: CallResult) -> None:
        """Records a failure that cost nothing, in one atomic put."""
        await self._finish(key, digest, _State.VOID, record, FREE)

    async def finished(self, key_text: str) -> Usage | None:
        """What the request `key_text` (CallKey.text()) used; nothing for VOID; None where that is unknown."""
        found = await self._read(key_text)
        if found is None or found.record is None:
            return None
        return Usage() if found.state is _State.VOID else found.record.usage

    async def charges(self, namespace: str, project: str, known: Set[str]) -> dict[str, UncertainCharge]:
        """What the project's requests cost, or can cost at most, by key; without the `known` and the free ones.

        An entry that cannot be read tells nothing and is left out.
        """
        folder = "/".join((_FOLDER, safe_piece(namespace), safe_piece(project)))
        ours = {_name(key) for key in known}
        entries = [await self._entry(name) for name in await self._store.list_named(folder) if name not in ours]
        return {entry.key: entry.charge for entry in entries if entry is not None and entry.charge.amount_micro}

    async def _finish(
        self, key: CallKey, digest: str, state: _State, record: CallResult, charge: UncertainCharge
    ) -> None:
        entry = _Entry(key=key.text(), digest=digest, state=state, owner=self._owner, charge=charge, record=record)
        await self._store.write_named(_name(entry.key), _encode(entry))

    async def _read(self, key_text: str) -> _Entry | None:
        return await self._entry(_name(key_text))

    async def _entry(self, name: str) -> _Entry | None:
        """The entry; None where there is none or it cannot be read, which tells nothing about the request."""
        try:
            data = await self._store.read_named(name)
            return None if data is None else _Entry.model_validate_json(data)
        except (ArtifactError, ValidationError):
            return None


def process_owner() -> str:
    """Identifies this process for ever: host, process id, time in milliseconds, random digits."""
    return f"{socket.gethostname()}:{os.getpid()}:{time.time_ns() // 1_000_000}:{uuid.uuid4().hex[:12]}"


def _encode(entry: _Entry) -> bytes:
    return entry.model_dump_json(exclude_defaults=True).encode()


def _name(key_text: str) -> str:
    """`journal/<namespace>/<project>/<digest>.json`: names are never sealed, and a task's id may tell a lot."""
    folders = "/".join(safe_piece(piece) for piece in key_text.split("/")[:_FOLDER_PIECES])
    return f"{_FOLDER}/{folders}/{hashlib.sha256(key_text.encode()).hexdigest()[:32]}.json"

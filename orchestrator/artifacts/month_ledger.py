"""What a schedule's runs may spend in a calendar month: a log in the store that concurrent batches append to.

An entry reserves before its batch starts a project and is settled when the batch ends. One that never was (its batch
was terminated) counts in full: the cap holds whatever happened.
"""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from orchestrator.artifacts.store import ArtifactStore, safe_piece
from orchestrator.contracts.delivery import MonthGrant, MonthInput, ScheduleTerms
from orchestrator.domain.base import Frozen
from orchestrator.domain.batch import grant

_FOLDER = "schedules"


class _Entry(Frozen):
    """One batch's reservation, in micro-USD."""

    batch_id: str
    granted_micro: int


class _Settled(Frozen):
    """What the batch spent in the end, in micro-USD."""

    spent_micro: int


class MonthLedger:
    """The log of one namespace. Methods raise ArtifactUnavailableError where the store cannot be used."""

    def __init__(self, store: ArtifactStore, namespace: str) -> None:
        self._store = store
        self._namespace = namespace

    async def reserve(self, request: MonthInput) -> MonthGrant:
        """As much of what is wanted as the month has left, 0 where nothing is. Once per batch, however often asked."""
        limit = request.terms.month_micro
        folder = self._folder(request)
        while True:
            entries = await self._entries(folder)
            used = sum(amount for _, amount in entries)
            for entry, _ in entries:
                if entry.batch_id == request.batch_id:
                    return self._grant(request, entry.granted_micro, used)
            entry = _Entry(batch_id=request.batch_id, granted_micro=grant(limit, used, request.wanted_micro))
            # Of batches that saw the same log only one gets this number; the others look again.
            name = f"{folder}/{len(entries) + 1:06d}.json"
            if await self._store.create_named(name, entry.model_dump_json().encode()):
                return self._grant(request, entry.granted_micro, used + entry.granted_micro)

    async def spent(self, terms: ScheduleTerms, at_s: float) -> int:
        """What the month has spent or set aside, in micro-USD."""
        request = MonthInput(terms=terms, batch_id="", at_s=at_s, wanted_micro=0)
        return sum(amount for _, amount in await self._entries(self._folder(request)))

    async def settle(self, request: MonthInput) -> None:
        """Books `wanted_micro` as what the batch spent, in place of what it had reserved."""
        folder = self._folder(request)
        for number, (entry, _) in enumerate(await self._entries(folder), start=1):
            if entry.batch_id == request.batch_id:
                settled = _Settled(spent_micro=request.wanted_micro)
                await self._store.write_named(_settled(folder, number), settled.model_dump_json().encode())

    async def _entries(self, folder: str) -> list[tuple[_Entry, int]]:
        """Every reservation, with what it takes of the month."""
        entries: list[tuple[_Entry, int]] = []
        while data := await self._store.read_named(f"{folder}/{len(entries) + 1:06d}.json"):
            entry = _Entry.model_validate_json(data)
            settled = await self._store.read_named(_settled(folder, len(entries) + 1))
            spent = _Settled.model_validate_json(settled).spent_micro if settled else entry.granted_micro
            entries.append((entry, spent))
        return entries

    def _folder(self, request: MonthInput) -> str:
        pieces = (_FOLDER, safe_piece(self._namespace), safe_piece(request.terms.name), month_of(request))
        return "/".join(pieces)

    @staticmethod
    def _grant(request: MonthInput, granted_micro: int, used_micro: int) -> MonthGrant:
        left = 0 if request.terms.month_micro is None else max(0, request.terms.month_micro - used_micro)
        return MonthGrant(granted_micro=granted_micro, month=month_of(request), left_micro=left)


def month_of(request: MonthInput) -> str:
    """The calendar month in the schedule's time zone in which the batch started, such as `2026-11`."""
    return datetime.fromtimestamp(request.at_s, UTC).astimezone(ZoneInfo(request.terms.timezone)).strftime("%Y-%m")


def _settled(folder: str, number: int) -> str:
    return f"{folder}/{number:06d}.settled.json"

"""What must hold after a run, judged by what the fake vendors counted."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum

from orchestrator.artifacts.manifest import read_file, read_manifest
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.contracts.project import ProjectStatus, ProjectView
from orchestrator.contracts.tools import CallRecord
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.money import Usage, cost_micro
from orchestrator.testing.project_script import task_of
from orchestrator.testing.vendor_records import RequestRecord
from tests.chaos.rig import dollars
from tests.chaos.vendor_faults import USABLE, FaultyVendors

PROJECT = "project"  # owner of calls that belong to no task


class Harm(StrEnum):
    """The columns of the table: in which way a run did not hold."""

    LOST = "lost"  # an answer that was paid for is missing, or the run itself did not end
    REPEATED = "repeated"  # a call that was answered was sent again (P2)
    OVER_CAP = "over cap"  # the vendors billed, or the ledger booked, more than allowed (P3)
    WRONG_STATUS = "wrong status"  # the status says something else than what happened (P4)
    BOOKS = "books"  # amounts that do not add up (P7)


class ChaosError(AssertionError):
    """An invariant is broken; `harm` says which column of the table counts it."""

    def __init__(self, harm: Harm, message: str) -> None:
        super().__init__(f"{harm}: {message}")
        self.harm = harm


def require(holds: bool, harm: Harm, message: str) -> None:
    """Raises ChaosError unless it holds."""
    if not holds:
        raise ChaosError(harm, message)


@contextmanager
def counted_as(harm: Harm) -> Iterator[None]:
    """Assertions that fail inside count as `harm`."""
    try:
        yield
    except ChaosError:
        raise
    except AssertionError as error:
        raise ChaosError(harm, str(error)) from error


async def invariants(
    vendors: FaultyVendors,
    requests: Sequence[RequestRecord],
    models: Sequence[ModelSpec],
    view: ProjectView,
    records: Sequence[CallRecord],
    store: ArtifactStore,
) -> None:
    """P2, P3, P4 and P7 of one run that has ended. Raises ChaosError."""
    good = [record for record in requests if _answered(vendors, record)]
    _nothing_repeated(good, requests, records)
    _nothing_lost(good, records)
    books(vendors, requests, models, view, records)
    await _status(vendors, view, good, store)


def _answered(vendors: FaultyVendors, record: RequestRecord) -> bool:
    """Whether the vendor sent a whole answer that can be used: not cut by a fault, nor by the request's own limit."""
    fault = vendors.fault_of(record.request)
    whole = record.complete and record.sent == vendors.script.reply(record.request).text
    return whole and not record.disconnected and fault in ("", *USABLE)


def _nothing_repeated(
    good: Sequence[RequestRecord], requests: Sequence[RequestRecord], records: Sequence[CallRecord]
) -> None:
    """One request per call key, one usable answer per place in the run (a key without the number of its request).

    The two judges of a draft are two places, though both may have to ask the one model that is left.
    """
    asked = Counter((*_place(record), f"{record.request.vendor}:{record.request.model}") for record in requests)
    unknown = asked - Counter((record.task, record.stage, record.model) for record in records)
    require(not unknown, Harm.REPEATED, f"requests that no call stands for: {dict(unknown)}")
    places = {record.key.rpartition("/")[0]: (record.task, record.stage) for record in records}
    twice = Counter(_place(record) for record in good) - Counter(places.values())
    told = [f"{task} {stage}: {_story(task, stage, good, requests, records)}" for task, stage in twice]
    require(not twice, Harm.REPEATED, f"answered calls were made again: {'; '.join(told)}")


def _place(record: RequestRecord) -> tuple[str, str]:
    return task_of(record.request) or PROJECT, record.request.stage


def _story(
    task: str,
    stage: str,
    good: Sequence[RequestRecord],
    requests: Sequence[RequestRecord],
    records: Sequence[CallRecord],
) -> str:
    """What the vendors sent and what the run took, for whoever has to find out why they differ."""
    whole = {record.seq for record in good}
    seen = [
        f"{r.request.model} #{r.request.n} {'whole' if r.seq in whole else 'not whole'}"
        for r in requests
        if _place(r) == (task, stage)
    ]
    taken = [f"{r.key} {r.model} {r.outcome} {r.latency_ms} ms" for r in records if (r.task, r.stage) == (task, stage)]
    return f"sent {', '.join(seen)}; taken {', '.join(taken)}"


def _nothing_lost(good: Sequence[RequestRecord], records: Sequence[CallRecord]) -> None:
    sent = Counter(f"{r.request.vendor}:{r.request.model} {r.request.stage}" for r in good)
    booked = Counter(f"{r.model} {r.stage}" for r in records if r.outcome == "answer" or r.cost_micro)
    missing = sent - booked
    require(not missing, Harm.LOST, f"answers that no record knows: {dict(missing)}")


def books(
    vendors: FaultyVendors,
    requests: Sequence[RequestRecord],
    models: Sequence[ModelSpec],
    view: ProjectView,
    records: Sequence[CallRecord],
) -> None:
    """P3 and P7: what was billed and booked is within the cap, and every amount is in one place. Raises ChaosError."""
    prices = {model.id: model.prices for model in models}
    billed, claims = 0, False
    for record in requests:
        asked = record.request
        wrong = vendors.fault_of(asked) in USABLE
        claims = claims or wrong
        usage = vendors.honest(asked, record.sent) if wrong else record.usage
        billed += cost_micro(usage, prices[f"{asked.vendor}:{asked.model}"]) if usage != Usage() else 0
    booked = view.spent_micro + view.uncertain_micro
    require(billed <= view.max_micro, Harm.OVER_CAP, f"billed {dollars(billed)} of {dollars(view.max_micro)}")
    require(booked <= view.max_micro, Harm.OVER_CAP, f"booked {dollars(booked)} of {dollars(view.max_micro)}")
    require(view.reserved_micro == 0, Harm.BOOKS, f"{dollars(view.reserved_micro)} are still reserved")
    require(billed <= booked, Harm.BOOKS, f"billed {dollars(billed)}, booked {dollars(booked)}")
    exact = view.uncertain_micro == 0 and not claims
    require(not exact or billed == view.spent_micro, Harm.BOOKS, f"billed {billed}, spent {view.spent_micro}")
    tasks = sum(task.spent_micro for task in view.tasks)
    planning = sum(view.spent_by_stage.values())
    require(tasks + planning == view.spent_micro, Harm.BOOKS, f"{tasks} + {planning} is not {view.spent_micro}")
    calls = sum(record.cost_micro for record in records)
    require(calls == view.spent_micro, Harm.BOOKS, f"calls {calls}, spent {view.spent_micro}")
    require(view.calls == len(records), Harm.BOOKS, f"{view.calls} calls, {len(records)} records")


async def _status(
    vendors: FaultyVendors, view: ProjectView, good: Sequence[RequestRecord], store: ArtifactStore
) -> None:
    """SUCCESS only with every file as a model sent it, checked and scored by answers that came; no other lie."""
    if view.status is ProjectStatus.SYSTEM_FAILURE:
        require(not any(task.files for task in view.tasks), Harm.WRONG_STATUS, "a failure that has files")
    if view.status is not ProjectStatus.SUCCESS:
        require(bool(view.reason), Harm.WRONG_STATUS, f"{view.status} without a reason")
        return
    expected = {path: text for task in vendors.script.tasks for path, text in task.files.items()}
    require(view.manifest is not None, Harm.WRONG_STATUS, "SUCCESS without a manifest")
    assert view.manifest is not None
    manifest = await read_manifest(store, view.manifest)
    found = {file.path: (await read_file(store, file)).decode() for file in manifest.files}
    wrong = [path for path, text in expected.items() if found.get(path) != text]
    require(not wrong, Harm.WRONG_STATUS, f"SUCCESS, but not what was sent: {wrong}")
    stages = Counter(record.request.stage for record in good)
    count = len(vendors.script.tasks)
    enough = stages["plan"] >= 1 and stages["generate"] >= count and stages["evaluate"] >= count
    require(enough, Harm.WRONG_STATUS, f"SUCCESS with usable answers {dict(stages)} for {count} tasks")

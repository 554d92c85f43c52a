"""The journal: whatever happens, no request is called fresh twice, and no answer is forgotten."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.artifacts.journal import Begin, Changed, Done, Fresh, Journal, Unknown, Void, process_owner
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.contracts.calls import CallKey, CallKind, CallResult
from orchestrator.domain.errors import CallFailure, FailureKind, Fate
from orchestrator.domain.ledger import UncertainCharge
from orchestrator.domain.money import Usage
from orchestrator.domain.refs import BlobRef
from orchestrator.domain.tasks import Stage

KEY = CallKey(namespace="default", project="p1", task="t1", stage=Stage.GENERATE)
ANSWER = CallResult(
    kind=CallKind.ANSWER,
    model="v:m",
    usage=Usage(input_tokens=10, cached_input_tokens=2, output_tokens=5),
    answer=BlobRef(sha256="a" * 64, size=3),
    notes=("repaired",),
)
UNBILLED = CallResult(
    kind=CallKind.FAILURE,
    model="v:m",
    failure=CallFailure(kind=FailureKind.RATE_LIMIT, fate=Fate.UNBILLED, message="429", status=429),
)


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    return ArtifactStore.open("memory://" if request.param == "memory" else tmp_path.as_uri())


def test_the_first_to_begin_calls_and_every_later_one_gets_the_answer(store: ArtifactStore) -> None:
    async def scenario() -> None:
        ours, theirs = Journal(store, "ours"), Journal(store, "theirs")
        assert await ours.begin(KEY, "d") == Fresh()
        await ours.done(KEY, "d", ANSWER)
        assert await ours.begin(KEY, "d") == Done(record=ANSWER)
        assert await theirs.begin(KEY, "d") == Done(record=ANSWER)
        assert await theirs.finished(KEY.text()) == ANSWER.usage

    asyncio.run(scenario())


def test_an_unbilled_failure_is_remembered_and_costs_nothing(store: ArtifactStore) -> None:
    async def scenario() -> None:
        journal = Journal(store, "ours")
        assert await journal.begin(KEY, "d") == Fresh()
        await journal.void(KEY, "d", UNBILLED)
        assert await journal.begin(KEY, "d") == Void(record=UNBILLED)
        assert await journal.finished(KEY.text()) == Usage()

    asyncio.run(scenario())


@pytest.mark.parametrize("digest", ["d", "other"])
def test_an_intent_without_outcome_is_unknown_also_to_its_own_writer(store: ArtifactStore, digest: str) -> None:
    async def scenario() -> None:
        dead = Journal(store, "dead")
        assert await dead.begin(KEY, "d") == Fresh()
        assert await Journal(store, "next").begin(KEY, digest) == Unknown(owner="dead")
        assert await dead.begin(KEY, digest) == Unknown(owner="dead")
        assert await dead.finished(KEY.text()) is None
        assert await dead.begin(KEY.model_copy(update={"ask": 2}), "d") == Fresh()

    asyncio.run(scenario())


def test_an_answer_that_comes_after_all_is_found_by_reconciliation(store: ArtifactStore) -> None:
    async def scenario() -> None:
        slow = Journal(store, "slow")
        assert await slow.begin(KEY, "d") == Fresh()
        assert isinstance(await Journal(store, "next").begin(KEY, "d"), Unknown)
        await slow.done(KEY, "d", ANSWER)
        assert await Journal(store, "next").finished(KEY.text()) == ANSWER.usage

    asyncio.run(scenario())


@pytest.mark.parametrize("billed", [True, False])
def test_an_outcome_for_another_prompt_is_never_taken_for_this_one(store: ArtifactStore, billed: bool) -> None:
    async def scenario() -> None:
        journal = Journal(store, "ours")
        await journal.begin(KEY, "old")
        record = ANSWER if billed else UNBILLED
        await (journal.done if billed else journal.void)(KEY, "old", record)
        assert await journal.begin(KEY, "new") == Changed(record=record, digest="old")

    asyncio.run(scenario())


def test_what_was_never_begun_is_not_finished(store: ArtifactStore) -> None:
    assert asyncio.run(Journal(store, "x").finished(KEY.text())) is None


def test_an_answer_without_reported_usage_stays_uncertain(store: ArtifactStore) -> None:
    async def scenario() -> Usage | None:
        journal = Journal(store, "x")
        await journal.done(KEY, "d", ANSWER.model_copy(update={"usage": None}))
        return await journal.finished(KEY.text())

    assert asyncio.run(scenario()) is None


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"state":"done"}'])
def test_a_damaged_entry_is_unknown_never_fresh(tmp_path: Path, damage: bytes) -> None:
    async def scenario() -> None:
        store = ArtifactStore.open(tmp_path.as_uri())
        journal = Journal(store, "x")
        await journal.done(KEY, "d", ANSWER)
        (name,) = await store.list_named("journal/default/p1")
        await store.write_named(name, damage)
        assert await journal.begin(KEY, "d") == Unknown(owner="")
        assert await journal.finished(KEY.text()) is None

    asyncio.run(scenario())


def test_the_outcome_is_one_object_with_answer_usage_and_digest(store: ArtifactStore) -> None:
    async def scenario() -> None:
        journal = Journal(store, "x")
        await journal.begin(KEY, "the-digest")
        await journal.done(KEY, "the-digest", ANSWER)
        (name,) = await store.list_named("journal")
        data = await store.read_named(name) or b""
        for part in (b"the-digest", b"a" * 64, b'"output_tokens":5', KEY.text().encode()):
            assert part in data

    asyncio.run(scenario())


def test_of_concurrent_begins_exactly_one_is_fresh(store: ArtifactStore) -> None:
    async def scenario() -> list[Begin]:
        return await asyncio.gather(*(Journal(store, f"o{n}").begin(KEY, "d") for n in range(40)))

    assert sum(isinstance(begin, Fresh) for begin in asyncio.run(scenario())) == 1


NAMES = st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=30) | st.sampled_from(
    ["..", ".", "a/b", "A", "a", "a.0", "-", "%", "~", "\0", "x" * 400]
)


@given(st.lists(st.tuples(NAMES, NAMES, NAMES, NAMES), min_size=2, max_size=2, unique=True))
def test_different_keys_have_different_entries(parts: list[tuple[str, str, str, str]]) -> None:
    async def scenario() -> None:
        journal = Journal(ArtifactStore.open("memory://"), "x")
        keys = [
            CallKey(namespace=space, project=project, task=task, role=role, stage=Stage.EVALUATE)
            for space, project, task, role in parts
        ]
        if keys[0].text() != keys[1].text():
            assert [await journal.begin(key, "d") for key in keys] == [Fresh(), Fresh()]

    asyncio.run(scenario())


def test_entries_of_keys_that_differ_in_case_differ_on_any_file_system() -> None:
    async def scenario() -> list[str]:
        store = ArtifactStore.open("memory://")
        for task in ("T1", "t1"):
            await Journal(store, "x").begin(KEY.model_copy(update={"task": task}), "d")
        return await store.list_named("journal")

    assert len({name.casefold() for name in asyncio.run(scenario())}) == 2


def test_owners_differ() -> None:
    assert process_owner() != process_owner()


def test_what_a_project_s_requests_cost_is_told_by_key() -> None:
    async def scenario() -> None:
        journal = Journal(ArtifactStore.open("memory://"), "x")
        most, cost = UncertainCharge(amount_micro=900, model="v:m"), UncertainCharge(amount_micro=50, model="v:m")
        known, begun, done, failed = (KEY.model_copy(update={"task": f"t{n}"}) for n in range(4))
        for key in (known, begun, done, failed):
            await journal.begin(key, "d", most)
        await journal.done(known, "d", ANSWER, cost)
        await journal.done(done, "d", ANSWER, cost)
        await journal.void(failed, "d", UNBILLED)
        await journal.begin(KEY.model_copy(update={"project": "p10"}), "d", most)
        found = await journal.charges("default", "p1", {known.text()})
        assert found == {begun.text(): most, done.text(): cost}

    asyncio.run(scenario())

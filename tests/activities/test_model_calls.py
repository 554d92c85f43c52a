"""One model call: paid once, recorded before it is told, classified, and never lost in silence."""

import asyncio
import dataclasses
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.boundary import ErrorBoundary
from activities.interfaces import STAGE_ACTIVITIES
from orchestrator.artifacts.errors import ArtifactUnavailableError
from orchestrator.artifacts.journal import Journal
from orchestrator.artifacts.manifest import read_draft
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.contracts.calls import CallKind, CallResult, PromptParts
from orchestrator.domain.answers import Critique, CritiqueIssue, Evaluation, PlanAnswer, PlannedTask, Verdict
from orchestrator.domain.errors import CallFailure, FailureKind, Fate
from orchestrator.domain.money import Usage
from orchestrator.domain.refs import BlobRef
from orchestrator.domain.tasks import Stage, TaskType
from orchestrator.providers.base import FinishReason, ModelAnswer, ProviderError
from orchestrator.testing.scripted import ScriptedProvider
from tests.activities.calls import GOOD_FILE, SECRET, HeldProvider, activities, call, request_for

USAGE = Usage(input_tokens=100, output_tokens=20)


def store_in(folder: Path) -> ArtifactStore:
    return ArtifactStore.open((folder / "store").as_uri())


def answer(text: str, finish: FinishReason = FinishReason.STOP, usage: Usage | None = USAGE) -> ModelAnswer:
    return ModelAnswer(text=text, usage=usage, finish=finish)


def failure(kind: FailureKind, fate: Fate, message: str = "no") -> ProviderError:
    return ProviderError(CallFailure(kind=kind, fate=fate, message=message, status=503, retry_after_s=2.0))


def cancelled(**reasons: bool) -> activity.ActivityCancellationDetails:
    return activity.ActivityCancellationDetails(**reasons)


def ask_once(folder: Path, stage: Stage, reply: object) -> tuple[CallResult, ScriptedProvider]:
    async def run() -> tuple[CallResult, ScriptedProvider]:
        store = store_in(folder)
        provider = ScriptedProvider("acme", {stage: reply})  # type: ignore[dict-item]
        return await call(activities(store, provider), await request_for(store, stage)), provider

    return asyncio.run(run())


def test_a_plan_becomes_tasks(tmp_path: Path) -> None:
    plan = PlanAnswer(
        tasks=[
            PlannedTask(id="a", title="A\x1b[31m", type=TaskType.CODE_GENERATION, prompt="do a", files=["./a.py"]),
            PlannedTask(
                id="b",
                title="B",
                type=TaskType.CODE_REVIEW,
                prompt="do b",
                dependencies=["a", "a"],
                validators=["nonsense", "ruff"],
            ),
        ]
    )
    result, _ = ask_once(tmp_path, Stage.PLAN, plan)
    assert result.kind is CallKind.ANSWER
    first, second = result.plan
    assert (first.title, first.files) == ("A", ("a.py",))
    assert (second.files, second.dependencies, second.validators) == (("docs/b.md",), ("a",), ("ruff",))
    assert result.notes == ("b: unknown validators dropped: nonsense",)
    assert asyncio.run(store_in(tmp_path).get(first.prompt)) == b"do a"


def test_files_become_a_draft(tmp_path: Path) -> None:
    result, provider = ask_once(tmp_path, Stage.GENERATE, answer(GOOD_FILE))
    assert result.kind is CallKind.ANSWER
    assert result.usage == USAGE
    assert result.draft is not None
    assert asyncio.run(read_draft(store_in(tmp_path), result.draft)) == {"pkg/core.py": b"x = 1\n"}
    request = provider.requests[0]
    assert request.system.startswith("stage: generate\n")
    assert request.json_schema is None
    size = len(request.system.encode()) + len(request.prompt.encode())
    assert result.prompt_bytes == size


def test_a_revision_keeps_what_it_leaves_out(tmp_path: Path) -> None:
    async def run() -> None:
        store = store_in(tmp_path)
        request = await request_for(store, Stage.REVISE)
        assert isinstance(request.parts, PromptParts) and request.parts.task is not None
        task = request.parts.task.model_copy(update={"files": ("pkg/core.py", "pkg/new.py")})
        request = request.model_copy(update={"parts": request.parts.model_copy(update={"task": task})})
        provider = ScriptedProvider("acme", {Stage.REVISE: answer("```python path=pkg/new.py\ny = 1\n```")})
        result = await call(activities(store, provider), request)
        assert result.draft is not None
        assert await read_draft(store, result.draft) == {"pkg/core.py": b"old = 1\n", "pkg/new.py": b"y = 1\n"}

    asyncio.run(run())


def test_a_critique_is_kept_whole_and_summed_up(tmp_path: Path) -> None:
    critique = Critique(score=0.4, verdict=Verdict.REVISE, issues=[CritiqueIssue(message="wrong \ud800")])
    text = critique.model_copy(update={"issues": [CritiqueIssue(message="wrong")]}).model_dump_json()
    result, provider = ask_once(tmp_path, Stage.CRITIQUE, answer(text.replace("wrong", "wrong \\ud800")))
    assert result.critique is not None
    assert (result.critique.score, result.critique.revise, result.critique.issues) == (0.4, True, 1)
    assert result.critique_ref is not None
    kept = Critique.model_validate_json(asyncio.run(store_in(tmp_path).get(result.critique_ref)))
    assert kept.issues[0].message == "wrong ?"
    assert provider.requests[0].json_schema is not None


def test_a_judge_scores(tmp_path: Path) -> None:
    result, _ = ask_once(tmp_path, Stage.EVALUATE, Evaluation(score=0.9))
    assert (result.kind, result.score) == (CallKind.ANSWER, 0.9)


@pytest.mark.parametrize(
    "text", ['{"score": 8}', '{"score": "8/10"}', '{"score": true}', '{"score": NaN}', "0.8", "{}"]
)
def test_an_unreadable_score_is_no_score(tmp_path: Path, text: str) -> None:
    result, _ = ask_once(tmp_path, Stage.EVALUATE, answer(text))
    assert result.kind is CallKind.FAILURE
    assert result.failure is not None
    assert (result.failure.kind, result.failure.fate) == (FailureKind.INVALID, Fate.BILLED)
    assert result.usage == USAGE


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (answer("I will not", FinishReason.REFUSAL), FailureKind.REFUSED),
        (answer("", FinishReason.FILTER), FailureKind.FILTERED),
        (answer(GOOD_FILE, FinishReason.LENGTH), FailureKind.TRUNCATED),
        (answer(" \n"), FailureKind.EMPTY),
        (answer("sorry"), FailureKind.INVALID),
    ],
)
def test_complete_answers_that_cannot_be_used_are_failures_that_were_paid(
    tmp_path: Path, reply: ModelAnswer, kind: FailureKind
) -> None:
    result, _ = ask_once(tmp_path, Stage.GENERATE, reply)
    assert result.kind is CallKind.FAILURE
    assert result.failure is not None
    assert (result.failure.kind, result.failure.fate, result.usage) == (kind, Fate.BILLED, USAGE)


def test_an_answer_without_usage_says_so(tmp_path: Path) -> None:
    result, _ = ask_once(tmp_path, Stage.GENERATE, answer(GOOD_FILE, usage=None))
    assert (result.kind, result.usage) == (CallKind.ANSWER, None)
    assert result.notes[0] == "the vendor reported no usage"
    invalid, _ = ask_once(tmp_path / "other", Stage.GENERATE, answer("sorry", usage=None))
    assert invalid.failure is not None
    assert invalid.failure.fate is Fate.UNCERTAIN


def test_a_prompt_larger_than_what_was_reserved_is_not_sent(tmp_path: Path) -> None:
    async def run() -> None:
        store = store_in(tmp_path)
        provider = ScriptedProvider("acme", {Stage.GENERATE: answer(GOOD_FILE)})
        request = await request_for(store, Stage.GENERATE)
        refused = await call(activities(store, provider), request.model_copy(update={"max_prompt_bytes": 100}))
        assert refused.kind is CallKind.TOO_LARGE
        assert refused.prompt_bytes > 100
        assert provider.requests == []
        enough = request.model_copy(update={"max_prompt_bytes": refused.prompt_bytes})
        assert (await call(activities(store, provider), enough)).kind is CallKind.ANSWER

    asyncio.run(run())


@pytest.mark.parametrize("reply", [answer(GOOD_FILE), answer("sorry"), failure(FailureKind.SERVER, Fate.UNBILLED)])
def test_a_recorded_outcome_is_returned_and_nothing_sent(tmp_path: Path, reply: ModelAnswer | ProviderError) -> None:
    async def run() -> None:
        store = store_in(tmp_path)
        provider = ScriptedProvider("acme", {Stage.GENERATE: reply})
        request = await request_for(store, Stage.GENERATE)
        first = await call(activities(store, provider), request)
        again = await call(activities(store, provider, owner="worker-2"), request)
        assert again == first.model_copy(update={"replayed": True})
        assert len(provider.requests) == 1

    asyncio.run(run())


def test_an_intent_of_a_dead_worker_is_uncertain_and_not_asked_again(tmp_path: Path) -> None:
    async def run() -> None:
        store = store_in(tmp_path)
        dying = HeldProvider(answer(GOOD_FILE))
        request = await request_for(store, Stage.GENERATE)
        first = asyncio.create_task(call(activities(store, dying), request))
        await dying.asked.wait()
        provider = ScriptedProvider("acme", {Stage.GENERATE: answer(GOOD_FILE)})
        result = await call(activities(store, provider, owner="worker-2"), request)
        assert result.kind is CallKind.UNCERTAIN
        assert result.failure is not None
        assert (result.failure.kind, result.failure.fate) == (FailureKind.LOST, Fate.UNCERTAIN)
        assert provider.requests == []
        next_ask = await request_for(store, Stage.GENERATE, ask=2)
        assert (await call(activities(store, provider, owner="worker-2"), next_ask)).kind is CallKind.ANSWER
        dying.release.set()
        await first

    asyncio.run(run())


def test_a_request_without_a_status_is_uncertain(tmp_path: Path) -> None:
    async def run() -> None:
        store = store_in(tmp_path)
        provider = ScriptedProvider("acme", {Stage.GENERATE: failure(FailureKind.TIMEOUT, Fate.UNCERTAIN)})
        request = await request_for(store, Stage.GENERATE)
        result = await call(activities(store, provider), request)
        assert result.kind is CallKind.UNCERTAIN
        assert result.failure is not None
        assert (result.failure.kind, result.failure.retry_after_s) == (FailureKind.TIMEOUT, 2.0)
        assert await Journal(store, "me").finished(request.key.text()) is None
        again = await call(activities(store, provider), request)
        assert again.failure is not None
        assert again.failure.kind is FailureKind.LOST
        assert len(provider.requests) == 1

    asyncio.run(run())


def test_the_key_of_another_prompt_costs_what_that_one_cost(tmp_path: Path) -> None:
    async def run() -> None:
        store = store_in(tmp_path)
        provider = ScriptedProvider("acme", {Stage.GENERATE: answer(GOOD_FILE)})
        await call(activities(store, provider), await request_for(store, Stage.GENERATE))
        changed = await request_for(store, Stage.GENERATE, error="something else")
        result = await call(activities(store, provider), changed)
        assert result.kind is CallKind.FAILURE
        assert result.failure is not None
        assert (result.failure.kind, result.failure.fate, result.usage) == (FailureKind.LOST, Fate.BILLED, USAGE)
        assert len(provider.requests) == 1

    asyncio.run(run())


def test_a_vendor_without_a_key_here_is_not_asked(tmp_path: Path) -> None:
    async def run() -> None:
        store = store_in(tmp_path)
        result = await call(activities(store, ScriptedProvider("other", {})), await request_for(store, Stage.GENERATE))
        assert result.failure is not None
        assert (result.failure.kind, result.failure.fate) == (FailureKind.AUTH, Fate.UNBILLED)

    asyncio.run(run())


def test_an_attempt_that_is_given_up_leaves_the_call_to_the_next(tmp_path: Path) -> None:
    async def run() -> None:
        store = store_in(tmp_path)
        provider = HeldProvider(answer(GOOD_FILE))
        worker = activities(store, provider)
        request = await request_for(store, Stage.GENERATE)
        environment = ActivityEnvironment()
        first = asyncio.create_task(call(worker, request, environment))
        await provider.asked.wait()
        environment.cancel(cancellation_details=cancelled(timed_out=True))
        with pytest.raises(asyncio.CancelledError):
            await first
        second = asyncio.create_task(call(worker, request))
        await asyncio.sleep(0)
        provider.release.set()
        result = await second
        assert (result.kind, result.replayed) == (CallKind.ANSWER, False)
        assert len(provider.requests) == 1

    asyncio.run(run())


def test_a_call_that_nobody_waits_for_is_still_recorded(tmp_path: Path) -> None:
    async def run() -> None:
        store = store_in(tmp_path)
        provider = HeldProvider(answer(GOOD_FILE))
        worker = activities(store, provider)
        request = await request_for(store, Stage.GENERATE)
        environment = ActivityEnvironment()
        first = asyncio.create_task(call(worker, request, environment))
        await provider.asked.wait()
        environment.cancel(cancellation_details=cancelled(not_found=True))
        with pytest.raises(asyncio.CancelledError):
            await first
        provider.release.set()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.wait(others)
        assert (await call(worker, request)).replayed
        assert len(provider.requests) == 1

    asyncio.run(run())


def test_a_shutdown_waits_for_the_end(tmp_path: Path) -> None:
    async def run() -> None:
        store = store_in(tmp_path)
        provider = HeldProvider(answer(GOOD_FILE))
        environment = ActivityEnvironment()
        running = asyncio.create_task(
            call(activities(store, provider), await request_for(store, Stage.GENERATE), environment)
        )
        await provider.asked.wait()
        environment.cancel(cancellation_details=cancelled(worker_shutdown=True))
        await asyncio.sleep(0)
        provider.release.set()
        assert (await running).kind is CallKind.ANSWER

    asyncio.run(run())


def test_a_request_to_cancel_closes_the_connection_and_is_uncertain(tmp_path: Path) -> None:
    async def run() -> None:
        store = store_in(tmp_path)
        provider = HeldProvider(answer(GOOD_FILE))
        worker = activities(store, provider)
        request = await request_for(store, Stage.GENERATE)
        environment = ActivityEnvironment()
        running = asyncio.create_task(call(worker, request, environment))
        await provider.asked.wait()
        environment.cancel(cancellation_details=cancelled(cancel_requested=True))
        result = await running
        assert result.kind is CallKind.UNCERTAIN
        assert result.failure is not None
        assert (result.failure.kind, result.failure.fate) == (FailureKind.CANCELLED, Fate.UNCERTAIN)
        assert provider.closed_early
        again = await call(worker, request)
        assert again.kind is CallKind.UNCERTAIN
        assert len(provider.requests) == 1

    asyncio.run(run())


def test_a_request_to_cancel_before_sending_costs_nothing(tmp_path: Path) -> None:
    class SlowStore(ArtifactStore):
        """Blocks before the first read."""

        reached = asyncio.Event()

        async def get(self, ref: BlobRef) -> bytes:
            self.reached.set()
            await asyncio.Event().wait()
            raise AssertionError

    async def run() -> None:
        request = await request_for(store_in(tmp_path), Stage.GENERATE)
        store = SlowStore.open((tmp_path / "store").as_uri())
        provider = ScriptedProvider("acme", {})
        environment = ActivityEnvironment()
        running = asyncio.create_task(call(activities(store, provider), request, environment))
        await store.reached.wait()
        environment.cancel(cancellation_details=cancelled(cancel_requested=True))
        result = await running
        assert result.kind is CallKind.FAILURE
        assert result.failure is not None
        assert (result.failure.kind, result.failure.fate) == (FailureKind.CANCELLED, Fate.UNBILLED)

    asyncio.run(run())


def test_an_answer_that_is_there_is_kept_whoever_cancels(tmp_path: Path) -> None:
    class SlowStore(ArtifactStore):
        """Holds back what is written after the answer."""

        held = False
        writing = asyncio.Event()
        release = asyncio.Event()

        async def put(self, data: bytes) -> BlobRef:
            if self.held:
                self.writing.set()
                await self.release.wait()
            return await super().put(data)

    async def run() -> None:
        store = SlowStore.open((tmp_path / "store").as_uri())
        request = await request_for(store, Stage.GENERATE)
        store.held = True
        provider = ScriptedProvider("acme", {Stage.GENERATE: answer(GOOD_FILE)})
        environment = ActivityEnvironment()
        running = asyncio.create_task(call(activities(store, provider), request, environment))
        await store.writing.wait()
        environment.cancel(cancellation_details=cancelled(cancel_requested=True))
        await asyncio.sleep(0)
        store.release.set()
        result = await running
        assert (result.kind, result.usage) == (CallKind.ANSWER, USAGE)
        assert await Journal(store, "me").finished(request.key.text()) == USAGE

    asyncio.run(run())


def test_an_answer_outlives_an_outage_of_the_store(tmp_path: Path) -> None:
    class Failing(ArtifactStore):
        """Refuses the first two writes after the answer."""

        refusals = 2
        refusing = False

        async def put(self, data: bytes) -> BlobRef:
            if self.refusing and self.refusals:
                self.refusals -= 1
                raise ArtifactUnavailableError("disk full")
            return await super().put(data)

    async def run() -> None:
        store = Failing.open((tmp_path / "store").as_uri())
        request = await request_for(store, Stage.GENERATE)
        provider = ScriptedProvider("acme", {Stage.GENERATE: answer(GOOD_FILE)})
        store.refusing = True
        result = await call(activities(store, provider), request)
        assert (result.kind, store.refusals, len(provider.requests)) == (CallKind.ANSWER, 0, 1)

    asyncio.run(run())


def test_a_missing_part_is_a_free_failure_and_nothing_is_sent(tmp_path: Path) -> None:
    async def run() -> None:
        store = store_in(tmp_path)
        request = await request_for(store_in(tmp_path / "elsewhere"), Stage.GENERATE)
        provider = ScriptedProvider("acme", {Stage.GENERATE: answer(GOOD_FILE)})
        result = await call(activities(store, provider), request)
        assert result.failure is not None
        assert (result.kind, result.failure.fate) == (CallKind.FAILURE, Fate.UNBILLED)
        assert "missing" in result.failure.message
        assert provider.requests == []

    asyncio.run(run())


def test_no_secret_leaves_in_a_result(tmp_path: Path) -> None:
    refused, _ = ask_once(tmp_path, Stage.GENERATE, failure(FailureKind.AUTH, Fate.UNBILLED, f"bad key {SECRET}"))
    echoed, _ = ask_once(tmp_path / "b", Stage.GENERATE, answer(f"\x1b[2J{SECRET}\n{GOOD_FILE}"))
    assert SECRET not in refused.model_dump_json()
    assert SECRET not in echoed.preview
    assert "\x1b" not in echoed.preview


class Innermost(ActivityInboundInterceptor):
    """Runs the activity, as the SDK's own interceptor does."""

    def __init__(self) -> None:
        pass

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        return await input.fn(*input.args)


def test_heartbeats_go_on_while_the_vendor_answers(tmp_path: Path) -> None:
    async def run() -> None:
        store = store_in(tmp_path)
        provider = HeldProvider(answer(GOOD_FILE))
        environment = ActivityEnvironment()
        beats = 0

        def beat(*_: object) -> None:
            nonlocal beats
            beats += 1
            if beats == 3:
                provider.release.set()

        environment.on_heartbeat = beat
        environment.info = dataclasses.replace(environment.info, heartbeat_timeout=timedelta(milliseconds=30))
        request = await request_for(store, Stage.GENERATE)
        boundary = ErrorBoundary(()).intercept_activity(Innermost())
        given = ExecuteActivityInput(fn=activities(store, provider).generate, args=[request], executor=None, headers={})
        assert (await environment.run(boundary.execute_activity, given)).kind is CallKind.ANSWER
        assert beats >= 3

    asyncio.run(run())


def test_every_stage_has_an_activity() -> None:
    assert set(STAGE_ACTIVITIES) == set(Stage)

"""The cap holds whatever happens, and nobody starves below it."""

from collections.abc import Awaitable, Callable

from temporalio import activity

from activities.interfaces import STAGE_ACTIVITIES
from activities.model_calls import ModelActivities
from orchestrator.contracts import names
from orchestrator.contracts.calls import CallKind, CallRequest, CallResult
from orchestrator.contracts.project import BudgetView, ProjectStatus
from orchestrator.domain.tasks import Stage
from orchestrator.providers.base import ModelRequest
from tests.workflow.conftest import Opened
from tests.workflow.harness import Run, spec
from tests.workflow.play import Play, text_task


def many(count: int) -> Play:
    """Independent tasks."""
    return Play(*(text_task(f"t{number:02d}") for number in range(1, count + 1)))


def committed(budget: BudgetView) -> int:
    return budget.spent_micro + budget.uncertain_micro + budget.reserved_micro


async def test_twelve_at_once_share_a_small_budget(opened: Opened) -> None:
    play, seen = many(12), list[BudgetView]()
    runs: list[Run] = []

    async def review(request: ModelRequest) -> str:
        seen.append(await runs[0].query(names.QUERY_BUDGET, BudgetView))
        return '{"score": 0.9, "verdict": "approve", "issues": []}'

    play.on(Stage.CRITIQUE, reply=review)
    gate = play.hold(Stage.CRITIQUE)
    async with opened(play) as house:
        runs.append(await house.start(spec(max_micro=190_000, concurrency=12)))
        await play.until(lambda: sum(asked.stage is Stage.GENERATE for asked in play.answered) == 12)
        await runs[0].until(lambda view: view.calls == 13)
        budget: BudgetView = await runs[0].query(names.QUERY_BUDGET, BudgetView)
        gate.open()
        view = await runs[0].result()
    assert budget.waiting > 0
    assert view.status is ProjectStatus.SUCCESS, view.reason
    assert all(committed(budget) <= 190_000 for budget in seen)
    assert max(committed(budget) for budget in seen) > 150_000  # the money is used, not only guarded
    assert [task.status for task in view.tasks] == ["COMPLETED"] * 12


async def test_what_is_finished_when_the_money_ends_is_kept(opened: Opened) -> None:
    play = many(8)
    async with opened(play) as house:
        view = await house.play(spec(max_micro=70_000, concurrency=2))
    statuses = [task.status for task in view.tasks]
    assert view.status is ProjectStatus.BUDGET_EXHAUSTED
    assert statuses.count("COMPLETED") >= 2
    assert "FAILED" in statuses
    assert "budget" in view.reason
    assert view.manifest is not None


async def test_a_budget_for_nothing_asks_nobody(opened: Opened) -> None:
    play = many(1)
    async with opened(play) as house:
        view = await house.play(spec(max_micro=1_000))
    assert view.status is ProjectStatus.BUDGET_EXHAUSTED
    assert (play.count(), view.spent_micro) == (0, 0)


async def test_a_scarce_budget_asks_for_shorter_answers(opened: Opened) -> None:
    play = many(1)
    async with opened(play) as house:
        view = await house.play(spec(max_micro=30_000))
    (plan,) = play.requests(Stage.PLAN)
    assert 2048 <= plan.request.max_tokens < 8192
    assert view.status is ProjectStatus.SUCCESS, view.reason


def generate(models: ModelActivities) -> Callable[[CallRequest], Awaitable[CallResult]]:
    """Finds the first prompt larger than what was reserved for it."""
    requests: list[CallRequest] = []

    @activity.defn(name=STAGE_ACTIVITIES[Stage.GENERATE])
    async def measured(request: CallRequest) -> CallResult:
        requests.append(request)
        if len(requests) == 1:
            return CallResult(
                kind=CallKind.TOO_LARGE, model=request.model.id, prompt_bytes=request.max_prompt_bytes + 1_000
            )
        assert request.max_prompt_bytes == requests[0].max_prompt_bytes + 1_000
        assert request.key == requests[0].key
        return await models.generate(request)

    return measured


async def test_a_prompt_above_its_reservation_is_reserved_again(opened: Opened) -> None:
    play = many(1)
    async with opened(play, instead=generate) as house:
        view = await house.play(spec())
    assert view.status is ProjectStatus.SUCCESS, view.reason
    assert play.count(Stage.GENERATE) == 1
    assert view.calls == 5

"""Vendors that fail, lie, lose replies or answer what nobody can use."""

from orchestrator.contracts.project import ProjectStatus, Timeouts
from orchestrator.domain.answers import PlanAnswer
from orchestrator.domain.errors import FailureKind, Fate
from orchestrator.domain.tasks import Stage
from orchestrator.providers.base import FinishReason, ModelAnswer, ProviderError
from tests.workflow.conftest import Opened
from tests.workflow.harness import model, spec
from tests.workflow.play import DOWN, LOST, REFUSED, Play, cut_off, text_task

NO_PLAN = PlanAnswer(tasks=[text_task("t1", "t2"), text_task("t2", "t1")])


async def test_a_vendor_that_is_down_is_passed_over_and_the_result_says_so(opened: Opened) -> None:
    play = Play(text_task("t1"), text_task("t2"))
    play.down("alpha")
    async with opened(play) as house:
        run = await house.start(spec())
        view = await run.result()
        kinds = [event.kind for event in await run.events()]
        breakers = (await run.state()).breakers
    assert view.status is ProjectStatus.SUCCESS, view.reason
    assert play.count(vendor="alpha") == 1  # an open breaker is not tried again
    assert any(note.startswith("alpha was out of service (the key is not accepted)") for note in view.notes)
    assert kinds.count("breaker_opened") == 1
    assert breakers.circuit("alpha").state == "open"
    assert {task.model for task in view.tasks} == {"beta:one"}


async def test_no_vendor_at_all_is_a_failure_with_its_reason(opened: Opened) -> None:
    play = Play(text_task("t1"))
    play.down("alpha", "beta", "gamma")
    async with opened(play) as house:
        view = await house.play(spec())
    assert view.status is ProjectStatus.SYSTEM_FAILURE
    assert "alpha: the key is not accepted" in view.reason
    assert (view.spent_micro, view.quality_score, view.tasks) == (0, None, ())
    assert play.count() == 3


async def test_vendors_that_go_away_later_leave_no_success(opened: Opened) -> None:
    play = Play(text_task("t1"), text_task("t2"))
    play.on(Stage.GENERATE, "t2", reply=DOWN)
    async with opened(play) as house:
        view = await house.play(spec(concurrency=1))
    statuses = {task.id: task.status for task in view.tasks}
    assert statuses == {"t1": "COMPLETED", "t2": "FAILED"}
    assert view.status is ProjectStatus.PARTIAL_SUCCESS
    assert "no vendor is available" in view.tasks[1].reason


async def test_a_busy_vendor_is_asked_again(opened: Opened) -> None:
    play = Play(text_task("t1"))
    busy = ProviderError.of(FailureKind.SERVER, Fate.UNBILLED, "overloaded")
    play.on(Stage.GENERATE, vendor="alpha", reply=busy, times=1)
    async with opened(play) as house:
        view = await house.play(spec())
    assert view.status is ProjectStatus.SUCCESS
    assert [asked.vendor for asked in play.requests(Stage.GENERATE)] == ["alpha", "alpha"]


async def test_who_declines_is_replaced_without_a_strike(opened: Opened) -> None:
    play = Play(text_task("t1"))
    play.on(Stage.GENERATE, vendor="alpha", reply=REFUSED)
    async with opened(play) as house:
        run = await house.start(spec())
        view = await run.result()
        circuits = (await run.state()).breakers.circuits
    assert view.tasks[0].model == "beta:one"
    assert circuits == {}


async def test_no_critic_is_no_reason_to_fail(opened: Opened) -> None:
    play = Play(text_task("t1"))
    play.on(Stage.CRITIQUE, reply=REFUSED)
    async with opened(play) as house:
        view = await house.play(spec())
    assert (view.status, view.tasks[0].reviewer) == (ProjectStatus.SUCCESS, "")


async def test_the_second_invalid_plan_goes_to_another_model(opened: Opened) -> None:
    play = Play(text_task("t1"))
    play.on(Stage.PLAN, reply=NO_PLAN, times=2)
    async with opened(play) as house:
        view = await house.play(spec())
    assert view.status is ProjectStatus.SUCCESS
    plans = play.requests(Stage.PLAN)
    assert [asked.vendor for asked in plans] == ["alpha", "alpha", "beta"]
    assert "dependency cycle" in plans[1].request.prompt


async def test_the_third_invalid_plan_ends_the_run(opened: Opened) -> None:
    play = Play(text_task("t1"))
    play.on(Stage.PLAN, reply=NO_PLAN)
    async with opened(play) as house:
        view = await house.play(spec())
    assert view.status is ProjectStatus.SYSTEM_FAILURE
    assert "no plan" in view.reason
    assert "dependency cycle" in view.reason
    assert play.count() == 3
    assert view.spent_micro > 0


async def test_an_answer_that_was_cut_off_is_asked_for_with_a_higher_limit(opened: Opened) -> None:
    play = Play(text_task("t1"))
    play.on(Stage.GENERATE, reply=cut_off("```text path=t1.txt\nhalf"), times=1)
    async with opened(play) as house:
        view = await house.play(spec())
    first, second = (asked.request.max_tokens for asked in play.requests(Stage.GENERATE))
    assert second == 2 * first
    assert view.status is ProjectStatus.SUCCESS


async def test_a_prompt_too_long_for_one_model_goes_to_a_larger_one(opened: Opened) -> None:
    play = Play(text_task("t1"))
    too_long = ProviderError.of(FailureKind.CONTEXT_TOO_LONG, Fate.UNBILLED, "too long")
    play.on(Stage.GENERATE, vendor="alpha", reply=too_long)
    large = model("gamma", context_tokens=900_000)
    async with opened(play) as house:
        view = await house.play(spec(models=(model("alpha"), model("beta"), large)))
    assert [asked.vendor for asked in play.requests(Stage.GENERATE)] == ["alpha", "gamma"]
    assert view.status is ProjectStatus.SUCCESS


async def test_a_lost_reply_is_booked_as_uncertain_and_asked_again(opened: Opened) -> None:
    play = Play(text_task("t1"))
    play.on(Stage.GENERATE, reply=LOST, times=1)
    async with opened(play) as house:
        run = await house.start(spec())
        view = await run.result()
        records = await run.records()
    assert view.status is ProjectStatus.SUCCESS
    lost = [record for record in records if record.uncertain_micro]
    assert [record.stage for record in lost] == ["generate"]
    assert view.uncertain_micro == lost[0].uncertain_micro == view.tasks[0].uncertain_micro > 0
    assert any("uncertain" in note for note in view.notes)
    assert play.count(Stage.GENERATE) == 2


async def test_an_answer_without_usage_counts_in_full(opened: Opened) -> None:
    play = Play(text_task("t1"))
    text = play.files("t1")
    play.on(Stage.GENERATE, reply=ModelAnswer(text=text, usage=None, finish=FinishReason.STOP))
    async with opened(play) as house:
        view = await house.play(spec())
    assert view.status is ProjectStatus.SUCCESS
    assert view.uncertain_micro > 0


async def test_a_reply_that_came_after_all_replaces_its_upper_bound(opened: Opened) -> None:
    """The first attempt is given up, and its answer arrives while the second one goes on."""
    play = Play(text_task("t1"))
    late = play.hold(Stage.GENERATE, times=1)
    async with opened(play) as house:
        run = await house.start(spec(timeouts=Timeouts(heartbeat_s=2.0, give_up_s=2.0)))
        evaluation = play.hold(Stage.EVALUATE)
        await evaluation.arrived.wait()
        late.open()
        await play.until(lambda: sum(asked.stage is Stage.GENERATE for asked in play.answered) == 2)
        evaluation.open()
        view = await run.result()
        kinds = [event.kind for event in await run.events()]
        records = await run.records()
    assert view.status is ProjectStatus.SUCCESS, view.reason
    assert play.count(Stage.GENERATE) == 2
    assert "reconciled" in kinds
    assert view.uncertain_micro == 0
    written = [record for record in records if record.stage == "generate"]
    assert view.tasks[0].spent_by_stage["generate"] == 2 * sum(record.cost_micro for record in written)


async def test_a_model_without_a_price_is_never_asked(opened: Opened) -> None:
    play = Play(text_task("t1"))
    async with opened(play) as house:
        view = await house.play(spec(models=(model("alpha", prices=()), model("beta"), model("gamma"))))
    assert view.status is ProjectStatus.SUCCESS
    assert play.count(vendor="alpha") == 0


async def test_only_vendors_of_the_worker_are_candidates(opened: Opened) -> None:
    play = Play(text_task("t1"))
    async with opened(play) as house:
        view = await house.play(spec(models=(model("foreign"), model("beta"))))
    assert view.status is ProjectStatus.SUCCESS
    assert {asked.vendor for asked in play.asked} == {"beta"}

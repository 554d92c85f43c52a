"""The step machine: every task ends, the best version is kept, a status never lies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain import steps
from orchestrator.domain.quality import JUDGES, RULES, combine
from orchestrator.domain.steps import FINAL, Check, Phase, Review, Step, TaskState, TaskStatus, Version
from orchestrator.domain.tasks import Stage, TaskType
from tests.unit.core_values import draft

RULE = RULES[TaskType.CODE_GENERATION]
OK, BAD = Check(passed=True), Check(passed=False, summary="pytest: 1 failed")


def generated() -> TaskState:
    return steps.drafted(steps.start(TaskState()), draft(), "a:m")


def scored(state: TaskState, *scores: float | None) -> TaskState:
    for judge, score in zip(JUDGES, scores, strict=True):
        state = steps.judged(state, judge, score, RULE)
    return state


def test_the_way_of_a_good_task() -> None:
    state = steps.start(TaskState())
    assert steps.next_steps(state) == (Step(stage=Stage.GENERATE),)
    state = steps.drafted(state, draft(), "a:m")
    assert steps.next_steps(state) == (steps.CHECK, Step(stage=Stage.CRITIQUE))
    state = steps.checked(state, OK, RULE)
    assert steps.next_steps(state) == (Step(stage=Stage.CRITIQUE),)
    state = steps.reviewed(state, Review(revise=False, reviewer="b:m"), RULE)
    assert [step.role for step in steps.next_steps(state)] == list(JUDGES)
    state = scored(state, 0.9, 0.92)
    assert state.status is TaskStatus.COMPLETED and state.best and state.best.score == pytest.approx(0.91)
    assert steps.next_steps(state) == ()


@pytest.mark.parametrize("check,revise", [(OK, True), (BAD, False)])
def test_a_revision_only_where_critic_or_validators_ask_for_it(check: Check, revise: bool) -> None:
    state = steps.reviewed(steps.checked(generated(), check, RULE), Review(revise=revise), RULE)
    assert state.phase is Phase.REVISE
    state = steps.drafted(state, draft("b.py"), "a:m")
    assert steps.next_steps(state) == (steps.CHECK,)


def test_a_revision_that_breaks_the_checks_is_thrown_away() -> None:
    state = steps.reviewed(steps.checked(generated(), OK, RULE), Review(revise=True), RULE)
    state = steps.checked(steps.drafted(state, draft("worse.py"), "a:m"), BAD, RULE)
    assert state.phase is Phase.EVALUATE and state.current and state.current.draft == draft()


def test_rejected_by_validators_scores_zero_unjudged_and_ends_failed() -> None:
    state = generated()
    for _ in range(RULE.max_iterations):
        state = steps.reviewed(steps.checked(state, BAD, RULE), Review(revise=False), RULE)
        state = steps.checked(steps.drafted(state, draft(), "a:m"), BAD, RULE)
        if state.status is TaskStatus.RUNNING:
            assert state.phase is Phase.GENERATE
            state = steps.drafted(state, draft(), "a:m")
    assert state.status is TaskStatus.FAILED and state.best and "pytest" in state.reason


def test_no_score_is_no_made_up_score() -> None:
    state = steps.reviewed(steps.checked(generated(), OK, RULE), Review(revise=False), RULE)
    state = scored(state, None, None)
    assert state.best and state.best.score is None and state.status is TaskStatus.RUNNING
    assert combine((None, None)) is None and combine((None, 0.7)) == 0.7
    assert combine((0.9, 0.8)) == 0.8 and combine((0.9, 0.88)) == pytest.approx(0.89)


def test_unchecked_code_is_at_best_degraded() -> None:
    check = Check(passed=True, unchecked="pytest could not run: no sandbox")
    state = steps.reviewed(steps.checked(generated(), check, RULE), Review(revise=False), RULE)
    state = scored(state, 0.95, 0.95)
    assert state.status is TaskStatus.DEGRADED and "no sandbox" in state.reason


def test_without_an_answer_the_task_fails_and_with_one_it_keeps_the_best() -> None:
    nothing = steps.unanswered(steps.start(TaskState()), Step(stage=Stage.GENERATE), "all down", RULE)
    assert nothing.status is TaskStatus.FAILED and nothing.reason == "all down" and nothing.best is None
    state = steps.reviewed(steps.checked(generated(), OK, RULE), Review(revise=False), RULE)
    state = scored(state, 0.5, 0.5)
    state = steps.unanswered(state, Step(stage=Stage.GENERATE), "all down", RULE)
    assert state.status is TaskStatus.DEGRADED and state.best and state.best.score == 0.5


def before_a_retry(check: Check | None = OK) -> TaskState:
    replaced = Version(draft=draft("before.py"), author="a:m", check=check, score=0.95)
    return steps.start(TaskState(generation=1, replaced=replaced))


def test_a_retry_that_gives_nothing_leaves_what_there_was_as_less_than_was_asked_for() -> None:
    state = steps.unanswered(before_a_retry(), Step(stage=Stage.GENERATE), "all down", RULE)
    assert state.status is TaskStatus.DEGRADED and state.best and state.best.draft == draft("before.py")
    assert state.reason == "as before its retry, which gave nothing better: all down"
    assert state.shown == state.best and state.replaced is None


def test_a_retry_that_validators_reject_leaves_what_they_accepted() -> None:
    state = steps.checked(steps.drafted(before_a_retry(), draft("worse.py"), "b:m"), BAD, RULE)
    state = steps.finish(state, "out of money", RULE)
    assert state.status is TaskStatus.DEGRADED and state.best and state.best.draft == draft("before.py")
    assert state.reason == "as before its retry, which gave nothing better: pytest: 1 failed"


def test_what_was_rejected_before_a_retry_too_stays_rejected() -> None:
    state = steps.unanswered(before_a_retry(BAD), Step(stage=Stage.GENERATE), "all down", RULE)
    assert state.status is TaskStatus.FAILED and state.reason == "rejected by validators: pytest: 1 failed"
    assert state.best and state.best.draft == draft("before.py")


def test_a_retry_that_is_sound_counts_though_its_score_is_lower() -> None:
    state = steps.drafted(before_a_retry(), draft("after.py"), "b:m")
    state = steps.reviewed(steps.checked(state, OK, RULE), Review(revise=False), RULE)
    state = steps.finish(scored(state, 0.5, 0.5), "", RULE)
    assert state.status is TaskStatus.DEGRADED and state.best and state.best.draft == draft("after.py")


def test_before_the_last_iteration_the_author_escalates() -> None:
    state = generated()
    for score in (0.3, 0.6):
        state = steps.reviewed(steps.checked(state, OK, RULE), Review(revise=False), RULE)
        state = scored(state, score, score)
        if state.iteration == 2:
            assert state.escalations == 0
            state = steps.drafted(state, draft(), "a:m")
    assert state.iteration == 3 and state.escalations == 1


@given(st.data())
def test_any_interleaving_ends_and_survives_serialisation(data: st.DataObject) -> None:
    state = steps.start(TaskState())
    for _ in range(80):
        wanted = steps.next_steps(state)
        if not wanted:
            break
        step = data.draw(st.sampled_from(wanted))
        if step.stage is None:
            state = steps.checked(state, data.draw(st.sampled_from([OK, BAD])), RULE)
        elif data.draw(st.booleans()) and step.stage is not Stage.GENERATE:
            state = steps.unanswered(state, step, "down", RULE)
        elif step.stage in (Stage.GENERATE, Stage.REVISE):
            state = steps.drafted(state, draft(), "a:m")
        elif step.stage is Stage.CRITIQUE:
            state = steps.reviewed(state, Review(revise=data.draw(st.booleans())), RULE)
        else:
            state = steps.judged(state, step.role, data.draw(st.sampled_from([None, 0.2, 0.9])), RULE)
        assert TaskState.model_validate_json(state.model_dump_json()) == state
    assert state.status in FINAL
    assert state.best is not None
    if state.status is TaskStatus.COMPLETED:
        assert state.best.score is not None and state.best.score >= RULE.threshold
        assert state.best.check is not None and state.best.check.passed

"""Integration ends and never makes things worse; and a status never lies, whatever the state is."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.integration import (
    MAX_ROUNDS,
    Integration,
    ProjectCheck,
    after_check,
    drafts,
    repaired_one,
    responsible,
    validators,
)
from orchestrator.domain.outcome import ProjectStatus, ending, quality
from orchestrator.domain.refs import DraftRef
from orchestrator.domain.steps import Check, TaskState, TaskStatus, Version, repaired
from orchestrator.domain.tasks import TaskSpec
from tests.properties.profile import examples
from tests.properties.values import numbered_draft, random_plan, survives

SEEDS = st.integers(0, 2**32)
RUNNING = frozenset(list(ProjectStatus)[:5])


def random_task(rng: Random, number: int, task_id: str) -> TaskState:
    """A final state as the step machine leaves it."""
    status = rng.choice((TaskStatus.COMPLETED, TaskStatus.DEGRADED, TaskStatus.FAILED, TaskStatus.SKIPPED))
    if status is TaskStatus.SKIPPED or (status is TaskStatus.FAILED and rng.random() < 0.5):
        return TaskState(status=status, reason="down")
    version = Version(
        draft=numbered_draft(number, f"{task_id}.py"),
        author="a:m",
        check=Check(passed=status is not TaskStatus.FAILED),
        score=0.95 if status is TaskStatus.COMPLETED else rng.choice((None, 0.4)),
    )
    return TaskState(status=status, best=version, reason="" if status is TaskStatus.COMPLETED else "below")


def random_check(rng: Random, plan: tuple[TaskSpec, ...]) -> ProjectCheck:
    named = tuple(rng.choice(plan).files[0] for _ in range(rng.randint(0, 3)))
    passed = rng.random() < 0.2
    return ProjectCheck(
        passed=passed,
        findings=0 if passed else rng.randint(1, 6),
        unchecked=rng.choice(("", "", "no sandbox")),
        summary="pytest",
        paths=named,
    )


@examples(400)
@given(SEEDS)
def test_integration_ends_and_keeps_the_best_files(seed: int) -> None:
    rng = Random(seed)
    plan = random_plan(rng, 6)
    states = {task.id: random_task(rng, number, task.id) for number, task in enumerate(plan)}
    progress, number = Integration(), 100
    best: tuple[int, dict[str, DraftRef]] | None = None  # fewest findings, and the files that had them
    for _ in range(MAX_ROUNDS + 1):
        checked_files, check = drafts(plan, states), random_check(rng, plan)
        progress, restored = after_check(progress, check, plan, states)
        progress = survives(progress)
        for task_id, draft in restored.items():
            states[task_id] = repaired(states[task_id], draft, "a:m")
        if check.passed or best is None or check.findings <= best[0]:
            best = (check.findings, checked_files)
            assert not restored
        assert progress.best is not None and (progress.best.findings, drafts(plan, states)) == best
        assert progress.done or (progress.pending and progress.round <= MAX_ROUNDS)
        if progress.done:
            break
        assert len(set(progress.pending)) == len(progress.pending)
        for task_id in progress.pending:
            if rng.random() < 0.7:
                number += 1
                states[task_id] = repaired(states[task_id], numbered_draft(number, f"{task_id}.py"), "b:m")
            progress = survives(repaired_one(progress, task_id))
        assert not progress.pending
    assert progress.done


@examples(200)
@given(SEEDS, st.integers(0, 3))
def test_responsible_are_owners_and_what_they_build_on(seed: int, round_: int) -> None:
    rng = Random(seed)
    plan = random_plan(rng, 8)
    states = {task.id: random_task(rng, number, task.id) for number, task in enumerate(plan)}
    named = rng.choice(plan)
    found = responsible(plan, states, named.files, round_)
    assert all(states[task_id].best for task_id in found)
    assert (named.id in found) is (states[named.id].best is not None)
    assert set(responsible(plan, states, named.files, max(0, round_ - 1))) <= set(found)
    asked = {name for task in plan for name in task.validators}
    assert asked <= set(validators(plan, [path for task in plan for path in task.files]))


@examples(400)
@given(
    seed=SEEDS,
    stopped=st.sampled_from((None, None, ProjectStatus.CANCELLED, ProjectStatus.TIMEOUT)),
    exhausted=st.sampled_from((False, False, True)),
    failure=st.sampled_from(("", "no plan: down")),
    done=st.booleans(),
)
def test_a_status_never_lies(
    seed: int, stopped: ProjectStatus | None, exhausted: bool, failure: str, done: bool
) -> None:
    rng = Random(seed)
    plan = random_plan(rng, 3)
    states = [random_task(rng, number, task.id) for number, task in enumerate(plan)]
    if rng.random() < 0.3:
        states = [TaskState(status=TaskStatus.COMPLETED, best=state.best) for state in states if state.best]
    if rng.random() < 0.2:
        states.append(rng.choice((TaskState(), TaskState(status=TaskStatus.RUNNING))))
    check = rng.choice((None, random_check(rng, plan)))
    end = ending(states, Integration(done=done, best=check), stopped, "by hand", exhausted, failure)
    whole = check is not None and check.passed and not check.unchecked
    all_completed = bool(states) and all(state.status is TaskStatus.COMPLETED and state.best for state in states)
    assert end.status not in RUNNING
    assert (end.status is ProjectStatus.SUCCESS) is (all_completed and whole and stopped is None and not exhausted)
    assert bool(end.reason) is (end.status is not ProjectStatus.SUCCESS)
    if stopped is ProjectStatus.CANCELLED:
        assert end.status is ProjectStatus.CANCELLED
    elif exhausted:
        assert end.status is ProjectStatus.BUDGET_EXHAUSTED
    elif stopped is not None:
        assert end.status is stopped
    elif not any(state.best for state in states):
        assert end.status is ProjectStatus.SYSTEM_FAILURE
    else:
        lost = any(state.best is None for state in states)
        assert (end.status is ProjectStatus.PARTIAL_SUCCESS) is lost


@examples(200)
@given(SEEDS)
def test_quality_lies_between_the_scores_and_counts_what_is_missing(seed: int) -> None:
    rng = Random(seed)
    states = [random_task(rng, number, "t") for number in range(rng.randint(0, 6))]
    mean = quality(states)
    assert (mean is None) is (not states)
    assert mean is None or 0 <= mean <= 1
    if mean == 1:
        assert all(state.best and state.best.score == 1 for state in states)
    if mean is not None:
        worse = quality([*states, TaskState(status=TaskStatus.FAILED, reason="down")])
        assert worse is not None and worse <= mean

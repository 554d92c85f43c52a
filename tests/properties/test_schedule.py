"""Plans and schedules over random graphs: what can be carried out is accepted, and all of it is carried out."""

from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.plan import check_plan, find_cycle
from orchestrator.domain.schedule import ready, remaining_path, skip_hopeless, upstream
from orchestrator.domain.steps import FINAL, USABLE, TaskState, TaskStatus, start
from orchestrator.domain.tasks import TaskSpec
from tests.properties.profile import examples
from tests.properties.values import planned, random_plan

SEEDS = st.integers(0, 2**32)
ENDS = (TaskStatus.COMPLETED, TaskStatus.COMPLETED, TaskStatus.DEGRADED, TaskStatus.FAILED, TaskStatus.SKIPPED)


def closure(plan: tuple[TaskSpec, ...], task_id: str) -> set[str]:
    """Everything that a task builds on, itself excluded."""
    of = {task.id: task.dependencies for task in plan}
    found: set[str] = set()
    edge = [task_id]
    while edge:
        for dependency in of[edge.pop()]:
            if dependency not in found:
                found.add(dependency)
                edge.append(dependency)
    return found


@examples(300)
@given(SEEDS)
def test_a_graph_without_cycles_is_accepted(seed: int) -> None:
    plan = random_plan(Random(seed), 12)
    assert check_plan([planned(task) for task in plan]) == []


@examples(300)
@given(SEEDS)
def test_a_cycle_is_found_and_shown_as_it_is(seed: int) -> None:
    rng = Random(seed)
    tasks = [planned(task) for task in random_plan(rng, 10)]
    ring = rng.sample(tasks, rng.randint(1, len(tasks)))
    for before, after in zip(ring, [*ring[1:], ring[0]], strict=True):
        before.dependencies.append(after.id)
    cycle = find_cycle(tasks)
    of = {task.id: task.dependencies for task in tasks}
    assert len(cycle) >= 2 and cycle[0] == cycle[-1] and len(set(cycle)) == len(cycle) - 1
    assert all(after in of[before] for before, after in pairwise(cycle))
    assert any("cycle" in error for error in check_plan(tasks))


@examples(200)
@given(SEEDS)
def test_a_plan_that_cannot_be_carried_out_is_refused(seed: int) -> None:
    rng = Random(seed)
    tasks = [planned(task) for task in random_plan(rng, 8)]
    one = rng.choice(tasks)
    match rng.randrange(4):
        case 0:
            tasks.append(one)
        case 1:
            one.dependencies.append("t99")
        case 2:
            tasks.append(one.model_copy(update={"id": "other"}))
        case _:
            tasks.append(one.model_copy(update={"id": "project", "files": ["other.py"]}))
    assert check_plan(tasks)


@examples(200)
@given(SEEDS)
def test_the_longest_path_is_counted_from_every_task(seed: int) -> None:
    plan = random_plan(Random(seed), 12)
    length = remaining_path(plan)
    for task in plan:
        dependents = [length[other.id] for other in plan if task.id in other.dependencies]
        assert length[task.id] == 1 + max(dependents, default=0)


@examples(400)
@given(SEEDS, st.integers(1, 5))
def test_every_task_is_started_once_or_skipped_for_a_reason(seed: int, concurrency: int) -> None:
    rng = Random(seed)
    plan = random_plan(rng, 14)
    length, states = remaining_path(plan), {task.id: TaskState() for task in plan}
    running: list[str] = []
    started: list[str] = []
    for _ in range(3 * len(plan)):
        early = ready(plan, states, length)
        states |= skip_hopeless(plan, states)
        assert early == ready(plan, states, length), "a task is ready although a dependency was lost"
        waiting = ready(plan, states, length)
        assert [length[t.id] for t in waiting] == sorted((length[t.id] for t in waiting), reverse=True)
        for task in waiting[: concurrency - len(running)]:
            assert all(states[d].status in USABLE for d in task.dependencies)
            states[task.id] = start(states[task.id])
            running.append(task.id)
            started.append(task.id)
        if not running:
            break
        assert len(running) == concurrency or not [t for t in waiting if t.id not in running], "a slot stays empty"
        ended = running.pop(rng.randrange(len(running)))
        states[ended] = TaskState(status=rng.choice(ENDS), reason="as it came")
    assert all(state.status in FINAL for state in states.values())
    assert len(set(started)) == len(started)
    for task in plan:
        bad = [d for d in task.dependencies if states[d].status not in USABLE]
        assert (task.id in started) is not bool(bad)
        if bad:
            assert states[task.id].status is TaskStatus.SKIPPED
            assert any(d in states[task.id].reason for d in bad)


@examples(200)
@given(SEEDS, st.integers(0, 4))
def test_upstream_is_what_a_task_builds_on(seed: int, steps: int) -> None:
    rng = Random(seed)
    plan = random_plan(rng, 10)
    task = rng.choice(plan)
    near, all_of_it = upstream(plan, [task.id], steps), upstream(plan, [task.id], len(plan))
    assert set(all_of_it) == closure(plan, task.id) | {task.id}
    assert set(near) <= set(all_of_it)
    assert all_of_it == [t.id for t in plan if t.id in set(all_of_it)]
    if steps == 1:
        assert set(near) == {task.id, *task.dependencies}

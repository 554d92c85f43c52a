"""What must hold after every event of a simulated run, and at its end, judged by what really happened."""

from orchestrator.domain.breaker import CircuitState
from orchestrator.domain.calls import MAX_ASKS
from orchestrator.domain.integration import MAX_ROUNDS
from orchestrator.domain.outcome import ProjectStatus
from orchestrator.domain.quality import RULES, combine
from orchestrator.domain.steps import FINAL, USABLE, TaskState, TaskStatus, Version, next_steps
from tests.properties.simulation import Memory, Run, Waits
from tests.properties.values import survives

# Per iteration: generate, critique, revise and two judges; two more judges for what integration saved.
CALLS_PER_ITERATION = 5


def check_event(run: Run, before: Memory) -> None:
    """Invariants of a state, and of the move that led to it."""
    _check_money(run)
    _check_calls(run)
    for task in run.plan:
        old, new = before.tasks[task.id], run.task(task.id)
        if new.status is TaskStatus.RUNNING or (new.best and new.status in USABLE):
            assert all(run.task(d).best is not None for d in task.dependencies), f"{task.id} began too early"
        if not run.memory.integrating:
            assert old.status not in FINAL or new == old, f"{task.id} changed after its end"
            assert merit(new.best) >= merit(old.best), f"{task.id} lost its best version"
    again = survives(run.memory)
    assert [next_steps(state) for state in again.tasks.values()] == [next_steps(s) for s in run.memory.tasks.values()]


def check_end(run: Run) -> None:
    """The run is over: its status is true, and nothing is left open."""
    memory, truth = run.memory, run.truth
    assert run.end is not None
    assert not memory.ledger.reserved and not run.waiters
    skipped = {task_id for task_id, state in memory.tasks.items() if state.status is TaskStatus.SKIPPED}
    assert memory.stopped or {slot.split("/")[0] for slot in memory.calls} <= skipped
    assert memory.stopped or all(state.status in FINAL for state in memory.tasks.values())
    status = run.end.status
    assert status is not ProjectStatus.BUDGET_EXHAUSTED or truth.refused
    assert status is not ProjectStatus.CANCELLED or memory.stopped is ProjectStatus.CANCELLED
    assert status is not ProjectStatus.TIMEOUT or memory.stopped is ProjectStatus.TIMEOUT
    answered = any(state.best for state in memory.tasks.values())
    if not answered:
        assert status in (
            ProjectStatus.SYSTEM_FAILURE,
            ProjectStatus.BUDGET_EXHAUSTED,
            ProjectStatus.CANCELLED,
            ProjectStatus.TIMEOUT,
        )
    if status is ProjectStatus.SUCCESS:
        check = memory.integration.best
        assert check is not None and check.passed and not check.unchecked
        assert {state.status for state in memory.tasks.values()} == {TaskStatus.COMPLETED}
    else:
        assert run.end.reason
    for task in run.plan:
        _check_status(run, task.id, memory.tasks[task.id])


def settle_uncertain(run: Run, actual_micro: int) -> None:
    """Before publish: half of the calls of unknown fate turn out to have finished. The books still agree."""
    ledger, booked = run.memory.ledger, sum(run.truth.bills.values())
    for number, (key, charge) in enumerate(ledger.uncertain.items()):
        if number % 2:
            ledger = ledger.reconcile(key, actual_micro)
            booked += min(actual_micro, charge.amount_micro)
    assert ledger.spent_micro == booked
    assert ledger.committed_micro <= run.memory.ledger.committed_micro


def bound_of_calls(run: Run) -> int:
    """How many calls the whole run may make, whatever the answers are."""
    per_task = [RULES[task.type].max_iterations * CALLS_PER_ITERATION + 2 + MAX_ROUNDS for task in run.plan]
    return sum(per_task)


def merit(version: Version | None) -> tuple[int, float]:
    """How good a version is: none, rejected, unchecked, accepted; then by score."""
    if version is None:
        return -1, 0.0
    rank = 1 if version.check is None else 2 if version.check.passed else 0
    return rank, -1.0 if version.score is None else version.score


def _check_money(run: Run) -> None:
    ledger, truth = run.memory.ledger, run.truth
    assert ledger.spent_micro + ledger.uncertain_micro + ledger.reserved_micro <= ledger.max_micro, "over the cap"
    assert ledger.spent_micro == sum(truth.bills.values()), "sum of calls differs from the total"
    assert {key: charge.amount_micro for key, charge in ledger.uncertain.items()} == truth.lost
    flying = {job.key for job in run.in_flight if job.step.stage is not None}
    assert set(ledger.reserved) == flying, "a reservation without a request, or the reverse"


def _check_calls(run: Run) -> None:
    truth = run.truth
    assert len(set(truth.sent)) == len(truth.sent), "a request was sent twice"
    assert max(truth.asked.values(), default=0) <= MAX_ASKS
    assert len(truth.asked.keys() | truth.concluded) <= bound_of_calls(run)
    flying = {s for job in run.in_flight if job.sent for s in (job.sent.model.vendor, job.sent.model.id)}
    for scope, circuit in run.memory.breakers.circuits.items():
        assert circuit.state is not CircuitState.HALF_OPEN or scope in flying, f"{scope} is probed by nobody"
    waiting = [job for job in run.jobs.values() if job.waits is Waits.BUDGET]
    assert sorted(run.waiters) == sorted(job.slot for job in waiting)
    assert not waiting or run.paused or flying, "waits for money that nobody will give back"


def _check_status(run: Run, task_id: str, state: TaskState) -> None:
    """A task's status tells what validators and judges said about the very files that it hands over."""
    version, truth = state.best, run.truth
    if state.status is TaskStatus.DEGRADED:
        assert state.reason and version is not None
    if state.status in (TaskStatus.FAILED, TaskStatus.SKIPPED):
        assert state.reason, f"{task_id} does not say why"
    if version is None or version.draft.manifest.sha256 in truth.mended:
        assert version is not None or state.status not in USABLE
        return
    check = truth.checks.get(version.draft.manifest.sha256)
    assert version.check == check
    if state.status in USABLE:
        assert check is None or check.passed
    if state.status is TaskStatus.COMPLETED:
        scores = truth.judged[version.draft.manifest.sha256]
        score = combine(tuple(scores.values()))
        assert check is not None and not check.unchecked
        assert score is not None and score >= RULES[run.by_id[task_id].type].threshold

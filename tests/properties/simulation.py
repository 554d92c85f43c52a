"""A whole run without Temporal: schedule, step machine, choice of models, ledger and breakers against an adversary.

The driver does what the workflows do and nothing else; every decision is the core's. The adversary (`adversary.py`)
decides what happens next: which request lands, with what answer, which message arrives. After every event the
invariants of `invariants.py` are checked.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from orchestrator.domain import integration, schedule, steps
from orchestrator.domain.base import Frozen
from orchestrator.domain.breaker import Breakers
from orchestrator.domain.calls import (
    CallLimits,
    CallProgress,
    GiveUp,
    Send,
    WaitForBudget,
    WaitUntil,
    after_failure,
    choose,
    in_turn,
    is_hopeless,
)
from orchestrator.domain.errors import CallFailure, Fate
from orchestrator.domain.integration import Integration, ProjectCheck
from orchestrator.domain.ledger import Ledger
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.money import Usage, cost_micro
from orchestrator.domain.outcome import Ending, ProjectStatus, ending
from orchestrator.domain.quality import RULES
from orchestrator.domain.refs import DraftRef
from orchestrator.domain.routing import ModelOverride, ProjectModels, ranking, repair_of, work_of
from orchestrator.domain.settlement import Outcome, settle
from orchestrator.domain.steps import FINAL, Check, Review, Step, TaskState, TaskStatus
from orchestrator.domain.tasks import Stage, TaskSpec
from tests.properties.values import survives

PROMPT_BYTES = 2_000  # what every request is estimated at


class Memory(Frozen):
    """What a run carries from one execution to the next."""

    tasks: dict[str, TaskState]
    ledger: Ledger
    breakers: Breakers = Breakers()
    calls: dict[str, CallProgress] = {}
    integration: Integration = Integration()
    integrating: bool = False
    exhausted: bool = False
    stopped: ProjectStatus | None = None


class Waits(StrEnum):
    """What a job waits for."""

    GATE = "gate"  # its next decision
    BUDGET = "budget"
    TIME = "time"
    ANSWER = "answer"


@dataclass
class Job:
    """One step on its way: a call, or a check. `task` is empty for the check of the whole project."""

    task: str
    step: Step
    slot: str
    iteration: int
    waits: Waits = Waits.GATE
    wake_s: float = 0.0
    sent: Send | None = None
    key: str = ""
    prompt_bytes: int = 0  # what was reserved for


class Answer(Frozen):
    """What came of a request: one of the stage's fields, or a failure; `too_large`: not sent, with its true size."""

    usage: Usage | None = None
    failure: CallFailure | None = None
    too_large: int = 0
    draft: DraftRef | None = None
    review: Review | None = None
    score: float | None = None


@dataclass
class Truth:
    """What really happened, kept apart from what the core remembers."""

    bills: dict[str, int] = field(default_factory=dict)  # booked by key, in micro-USD
    lost: dict[str, int] = field(default_factory=dict)  # booked as uncertain, by key
    sent: list[str] = field(default_factory=list)
    asked: dict[str, int] = field(default_factory=dict)  # requests by slot
    concluded: set[str] = field(default_factory=set)  # slots of calls that are over
    checks: dict[str, Check] = field(default_factory=dict)  # by manifest
    judged: dict[str, dict[str, float | None]] = field(default_factory=dict)  # by manifest, then judge
    mended: set[str] = field(default_factory=set)  # manifests of repairs
    refused: bool = False


class Run:
    """One run. `pump` takes every step that needs nobody's word; the adversary gives the words."""

    def __init__(
        self,
        plan: tuple[TaskSpec, ...],
        models: tuple[ModelSpec, ...],
        max_micro: int,
        concurrency: int,
        overrides: tuple[ModelOverride, ...] = (),
    ) -> None:
        self.plan = plan
        self.by_id = {task.id: task for task in plan}
        self.models = models
        self.given = ProjectModels(models=models, routing={}, overrides=overrides)
        self.concurrency = concurrency
        self.length = schedule.remaining_path(plan)
        self.memory = Memory(tasks={task.id: TaskState() for task in plan}, ledger=Ledger(max_micro=max_micro))
        self.truth = Truth()
        self.now_s = 1_000.0
        self.paused = self.draining = False
        self.cancelled: set[str] = set()
        self.waiters: list[str] = []
        self.jobs: dict[str, Job] = {}
        self.running: set[str] = set()  # tasks that this execution drives
        self.halted: set[str] = set()  # those of them that met a closed gate
        self.events = 0
        self.end: Ending | None = None

    # What the adversary sees

    @property
    def in_flight(self) -> list[Job]:
        return [job for job in self.jobs.values() if job.waits is Waits.ANSWER]

    @property
    def timers(self) -> list[float]:
        return [job.wake_s for job in self.jobs.values() if job.waits is Waits.TIME]

    @property
    def must_stop(self) -> bool:
        return self.draining or self.memory.stopped is not None

    def task(self, task_id: str) -> TaskState:
        return self.memory.tasks[task_id]

    # What the adversary does; each is one event

    def answer(self, job: Job, answer: Answer) -> None:
        """A request of a stage lands."""
        assert job.sent is not None
        self._settle(job, job.sent, answer)
        if answer.too_large:
            progress = self._progress(job).model_copy(update={"prompt_bytes": answer.too_large})
        else:
            if answer.failure is None:
                self._close_call(job)
                self._take(job, answer, job.sent.model.id)
                return
            progress = after_failure(self._progress(job), job.sent, answer.failure)
        job.waits = Waits.GATE
        self._remember(calls={**self.memory.calls, job.slot: progress})
        assert job.step.stage is not None
        if is_hopeless(progress, job.step.stage):
            self._refuse(job, GiveUp(reason=f"no usable answer: {progress.last_failure}"))

    def check(self, job: Job, check: Check) -> None:
        """The validators of a task have spoken."""
        state = self.task(job.task)
        assert state.current is not None
        self.truth.checks[state.current.draft.manifest.sha256] = check
        del self.jobs[job.slot]
        self._set(job.task, steps.checked(state, check, RULES[self.by_id[job.task].type]))

    def check_project(self, job: Job, check: ProjectCheck) -> None:
        """The validators of the whole project have spoken."""
        del self.jobs[job.slot]
        changed, restored = integration.after_check(self.memory.integration, check, self.plan, self.memory.tasks)
        for task_id, draft in restored.items():
            best = self.task(task_id).best
            assert best is not None
            self._set(task_id, steps.repaired(self.task(task_id), draft, best.author))
        self._remember(integration=changed)
        if changed.done and changed.best and changed.best.passed:
            for task_id, state in self.memory.tasks.items():
                if state.status is TaskStatus.FAILED and state.best is not None:
                    verdict = Check(passed=True, unchecked=changed.best.unchecked)
                    self.truth.checks[state.best.draft.manifest.sha256] = verdict
                    self.truth.judged.pop(state.best.draft.manifest.sha256, None)
                    self._set(task_id, steps.rejudge(state, verdict, RULES[self.by_id[task_id].type]))

    def set_budget(self, max_micro: int) -> None:
        self._remember(ledger=self.memory.ledger.model_copy(update={"max_micro": max_micro}))

    def cancel_task(self, task_id: str) -> None:
        if self.task(task_id).status in FINAL:
            return
        if self.task(task_id).status is TaskStatus.RUNNING:
            self.cancelled.add(task_id)
        else:
            self._set(task_id, steps.skip(self.task(task_id), "skipped by the user", by_user=True))

    def stop(self, status: ProjectStatus) -> None:
        if self.memory.stopped is None:
            self._remember(stopped=status)

    def continue_as_new(self) -> None:
        """The next execution begins with nothing but the stored memory."""
        assert self.draining and not self.jobs
        self.memory = survives(self.memory)
        self.draining = False
        self.waiters, self.running, self.halted = [], set(), set()

    # The driver

    def pump(self) -> None:
        """Go on until every job waits for an answer, for time, for money, or for the end of a pause."""
        self.events += 1
        before = None
        while before != (before := self._fingerprint()):
            self._drive()
            for slot in [*self.waiters, *(s for s in self.jobs if s not in self.waiters)]:
                job = self.jobs.get(slot)
                if job is not None and job.waits is not Waits.ANSWER:
                    self._decide(job)

    def _fingerprint(self) -> object:
        jobs = tuple((job.slot, job.waits, job.key) for job in self.jobs.values())
        return self.memory, jobs, tuple(self.waiters), frozenset(self.running), frozenset(self.halted), self.end

    def _drive(self) -> None:
        if self.end is not None:
            return
        for task_id, state in schedule.skip_hopeless(self.plan, self.memory.tasks).items():
            self._set(task_id, state)
        if not self.must_stop and not self.paused:
            resumed = [
                t for t in self.plan if self.task(t.id).status is TaskStatus.RUNNING and t.id not in self.running
            ]
            waiting = resumed + schedule.ready(self.plan, self.memory.tasks, self.length)
            for task in waiting[: max(0, self.concurrency - len(self.running))]:
                self._set(task.id, steps.start(self.task(task.id)))
                self.running.add(task.id)
        for task_id in list(self.running):
            self._drive_task(task_id)
        if self.running or self.jobs or self.draining:
            return
        if self.memory.stopped is not None or self._integrated():
            self.end = self._ending()

    def _drive_task(self, task_id: str) -> None:
        """Ask for the next steps once all those under way are over, as the workflow does."""
        state, open_steps = self.task(task_id), [j.step for j in self.jobs.values() if j.task == task_id]
        wanted = steps.next_steps(state)
        if open_steps:
            # What is left of the steps side by side is exactly what a new execution would have to perform.
            assert set(open_steps) <= set(wanted)
            assert task_id in self.halted or set(open_steps) == set(wanted)
            return
        if wanted and task_id not in self.halted:
            for step in wanted:
                self._open(task_id, step, state.generation, state.iteration)
            return
        self.running.discard(task_id)
        self.halted.discard(task_id)
        was_cancelled = task_id in self.cancelled
        self.cancelled.discard(task_id)  # a task that ended all the same may still be repaired
        if state.status is TaskStatus.RUNNING and was_cancelled:
            self._set(task_id, steps.skip(state, "skipped by the user", by_user=True))
        elif state.status is TaskStatus.RUNNING and self.memory.stopped is not None:
            self._set(task_id, steps.finish(state, "stopped", RULES[self.by_id[task_id].type]))

    def _integrated(self) -> bool:
        """True once integration is over; otherwise opens what it needs next."""
        if not all(state.status in FINAL for state in self.memory.tasks.values()):
            return False
        progress = self.memory.integration
        if progress.done or self.paused:
            return progress.done
        self._remember(integrating=True)
        if not progress.pending:
            self._open("", steps.CHECK, 0, progress.round)
        for task_id in progress.pending:
            self._open(task_id, Step(stage=Stage.REPAIR), self.task(task_id).generation, progress.round)
        return False

    def _open(self, task_id: str, step: Step, generation: int, iteration: int) -> None:
        name = step.stage.value if step.stage else "check"
        slot = f"{task_id}/{generation}/{name}/{iteration}/{step.role or '-'}"
        if step.stage is None and task_id:
            current = self.task(task_id).current
            assert current is not None
            slot += f"/{current.draft.manifest.sha256}"
        assert slot not in self.jobs
        self.jobs[slot] = Job(task=task_id, step=step, slot=slot, iteration=iteration)

    def _decide(self, job: Job) -> None:
        """One pass through the gates and the core's choice."""
        if job.waits is Waits.TIME and self.now_s < job.wake_s and not self._gate_closed(job):
            return
        if self.paused and not self.must_stop:
            return
        if self._gate_closed(job):
            self._leave_queue(job)
            del self.jobs[job.slot]
            self.halted.add(job.task)
            return
        if job.step.stage is None:
            job.waits = Waits.ANSWER
            return
        progress, ledger = self._progress(job), self.memory.ledger
        choice = choose(progress, self._ranking(job), self._limits(job), ledger, self.memory.breakers, self.now_s)
        choice = in_turn(choice, job.slot, self.waiters)
        if not isinstance(choice, WaitForBudget):
            self._leave_queue(job)
        match choice:
            case GiveUp():
                self.check_refusal(job, choice)
                self._refuse(job, choice)
            case WaitUntil(time_s=time_s):
                assert time_s > self.now_s
                job.waits, job.wake_s = Waits.TIME, time_s
            case WaitForBudget():
                job.waits = Waits.BUDGET
                if job.slot not in self.waiters:
                    self.waiters.append(job.slot)
            case Send():
                self._send(job, choice, progress)

    def _gate_closed(self, job: Job) -> bool:
        return self.must_stop or job.task in self.cancelled

    def _send(self, job: Job, send: Send, progress: CallProgress) -> None:
        job.key = f"{job.slot}/{progress.ask}"
        job.waits, job.sent = Waits.ANSWER, send
        job.prompt_bytes = progress.prompt_bytes or self._limits(job).prompt_bytes
        assert self.memory.breakers.allows(send.model, self.now_s)
        self._remember(
            ledger=self.memory.ledger.reserve(job.key, send.amount_micro),
            breakers=self.memory.breakers.on_send(send.model),
        )

    def _settle(self, job: Job, sent: Send, answer: Answer) -> None:
        """The core settles the request; our own books, kept apart from it, note what it really cost."""
        outcome = Outcome(usage=answer.usage, failure=answer.failure, sent=not answer.too_large)
        memory = self.memory
        settled = settle(job.key, job.slot, sent, outcome, memory.ledger, memory.breakers, self.now_s)
        self._remember(ledger=settled.ledger, breakers=settled.breakers)
        if answer.too_large:
            return
        self.truth.sent.append(job.key)
        self.truth.asked[job.slot] = self.truth.asked.get(job.slot, 0) + 1
        failure = answer.failure
        if (failure and failure.fate is Fate.UNCERTAIN) or (failure is None and answer.usage is None):
            self.truth.lost[job.key] = sent.amount_micro
        elif answer.usage is not None:
            self.truth.bills[job.key] = min(cost_micro(answer.usage, sent.model.prices), sent.amount_micro)
        assert settled.cost_micro == self.truth.bills.get(job.key, 0)
        assert settled.uncertain_micro == self.truth.lost.get(job.key, 0)

    def _take(self, job: Job, answer: Answer, author: str) -> None:
        """A usable answer moves the task on."""
        state, rules = self.task(job.task), RULES[self.by_id[job.task].type]
        if job.step.stage is Stage.REPAIR:
            assert answer.draft is not None
            self.truth.mended.add(answer.draft.manifest.sha256)
            self._set(job.task, steps.repaired(state, answer.draft, author))
            self._remember(integration=integration.repaired_one(self.memory.integration, job.task))
        elif answer.draft is not None:
            self._set(job.task, steps.drafted(state, answer.draft, author))
        elif answer.review is not None:
            self._set(job.task, steps.reviewed(state, answer.review, rules))
        else:
            self._judge(job, answer.score)

    def _judge(self, job: Job, score: float | None) -> None:
        state = self.task(job.task)
        assert state.current is not None
        scores = self.truth.judged.setdefault(state.current.draft.manifest.sha256, {})
        assert job.step.role not in scores, "judged twice"
        scores[job.step.role] = score
        self._set(job.task, steps.judged(state, job.step.role, score, RULES[self.by_id[job.task].type]))

    def _refuse(self, job: Job, refusal: GiveUp) -> None:
        """Nobody can answer this call."""
        self.truth.refused = self.truth.refused or refusal.exhausted
        self._remember(exhausted=self.memory.exhausted or refusal.exhausted)
        self._close_call(job)
        if job.step.stage is Stage.REPAIR:
            self._remember(integration=integration.repaired_one(self.memory.integration, job.task))
        elif job.step.stage is Stage.EVALUATE:
            self._judge(job, None)
        else:
            rules = RULES[self.by_id[job.task].type]
            self._set(job.task, steps.unanswered(self.task(job.task), job.step, refusal.reason, rules))

    def check_refusal(self, job: Job, refusal: GiveUp) -> None:
        """Nothing is refused that could fit: money is the reason only where not even the smallest request fits."""
        assert job.step.stage is not None
        progress, limits, memory = self._progress(job), self._limits(job), self.memory
        left_micro = memory.ledger.max_micro - memory.ledger.committed_micro
        fitting = [
            model
            for model in self.models
            if model.prices
            and model.id not in progress.unsuitable
            and model.context_tokens > progress.context_above
            and memory.breakers.allows(model, self.now_s)
            and model.max_output_tokens >= limits.min_tokens
            and smallest_micro(model, progress.prompt_bytes or limits.prompt_bytes, limits.min_tokens) <= left_micro
        ]
        assert not fitting or progress.ask > 24, (
            f"{job.slot} is refused while {fitting[0].id} could serve it: {refusal}"
        )

    def _ranking(self, job: Job) -> tuple[ModelSpec, ...]:
        task, state = self.by_id[job.task], self.task(job.task)
        repairs = job.step.stage is Stage.REPAIR
        work = repair_of(task, state, job.iteration) if repairs else work_of(task, state, job.step)
        return ranking(work, self.given)

    def _limits(self, job: Job) -> CallLimits:
        assert job.step.stage is not None
        return CallLimits.of(job.step.stage, self.by_id[job.task].type, PROMPT_BYTES)

    def _progress(self, job: Job) -> CallProgress:
        return self.memory.calls.get(job.slot, CallProgress())

    def _close_call(self, job: Job) -> None:
        assert job.slot not in self.truth.concluded, f"{job.slot} is done twice"
        self.truth.concluded.add(job.slot)
        del self.jobs[job.slot]
        self._remember(calls={slot: left for slot, left in self.memory.calls.items() if slot != job.slot})

    def _leave_queue(self, job: Job) -> None:
        if job.slot in self.waiters:
            self.waiters.remove(job.slot)

    def _ending(self) -> Ending:
        memory = self.memory
        return ending(
            list(memory.tasks.values()), memory.integration, memory.stopped, "stopped", memory.exhausted, "no plan"
        )

    def _set(self, task_id: str, state: TaskState) -> None:
        self._remember(tasks={**self.memory.tasks, task_id: state})

    def _remember(self, **update: object) -> None:
        self.memory = self.memory.model_copy(update=update)


def smallest_micro(model: ModelSpec, prompt_bytes: int, tokens: int) -> int:
    """The upper bound of the smallest request that makes sense, reckoned apart from the core."""
    read = max(max(tier.input_micro, tier.cached_input_micro, tier.cache_write_micro or 0) for tier in model.prices)
    written = max(tier.output_micro for tier in model.prices)
    return -(-(prompt_bytes * read + tokens * written) // 1_000_000)

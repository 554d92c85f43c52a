"""The step machine of one task: from its state to the steps to perform, and from their outcomes to its state."""

from enum import StrEnum

from orchestrator.domain.base import Frozen
from orchestrator.domain.quality import JUDGES, PLATEAU, TypeRules, combine
from orchestrator.domain.refs import BlobRef, DraftRef
from orchestrator.domain.tasks import Stage


class TaskStatus(StrEnum):
    """Status of a task; the last four are final."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"  # validators pass and the score reaches the threshold
    DEGRADED = "DEGRADED"  # an answer that validators do not reject, below the threshold
    FAILED = "FAILED"  # no answer, or rejected by validators
    SKIPPED = "SKIPPED"  # a dependency failed, or the user said so


FINAL = frozenset((TaskStatus.COMPLETED, TaskStatus.DEGRADED, TaskStatus.FAILED, TaskStatus.SKIPPED))
USABLE = frozenset((TaskStatus.COMPLETED, TaskStatus.DEGRADED))


class Phase(StrEnum):
    """Where in its current iteration a task stands."""

    GENERATE = "generate"
    REVIEW = "review"  # validators and critic side by side
    REVISE = "revise"
    RECHECK = "recheck"
    EVALUATE = "evaluate"


class Check(Frozen):
    """The validators' word on one draft. `unchecked` says which could not run and why, empty if all ran."""

    passed: bool
    unchecked: str = ""
    summary: str = ""
    findings: BlobRef | None = None


class Review(Frozen):
    """The critic's word. `missing`: no critic could be asked, or none gave a usable answer."""

    revise: bool
    score: float | None = None
    reviewer: str = ""
    critique: BlobRef | None = None
    missing: str = ""


class Version(Frozen):
    """One version of the task's files, and what is known of it."""

    draft: DraftRef
    author: str
    check: Check | None = None
    score: float | None = None


class Step(Frozen):
    """Something to perform now. `stage` is None for the validators."""

    stage: Stage | None
    role: str = ""


class TaskState(Frozen):
    """All progress of one task."""

    status: TaskStatus = TaskStatus.PENDING
    generation: int = 0
    iteration: int = 1
    phase: Phase = Phase.GENERATE
    escalations: int = 0
    first_author: str = ""
    current: Version | None = None
    unrevised: Version | None = None  # what the revision started from, in case that it made things worse
    best: Version | None = None
    replaced: Version | None = None  # before a retry: seen until there is a new one, kept where that is no better
    review: Review | None = None
    judged: dict[str, float | None] = {}
    scores: tuple[float, ...] = ()
    attempts: tuple[str, ...] = ()
    reviewer: str = ""
    reason: str = ""
    by_user: bool = False  # skipped because the user said so

    @property
    def shown(self) -> Version | None:
        """What others see of it: tasks that build on it, the checks of the project, who gets the result."""
        return self.best or self.replaced


CHECK = Step(stage=None)


def start(state: TaskState) -> TaskState:
    """The task's first step may be taken."""
    return state.model_copy(update={"status": TaskStatus.RUNNING})


def next_steps(state: TaskState) -> tuple[Step, ...]:
    """Steps to perform now, all side by side; empty once the task has a final status."""
    if state.status is not TaskStatus.RUNNING:
        return ()
    checked = state.current is not None and state.current.check is not None
    match state.phase:
        case Phase.GENERATE:
            return (Step(stage=Stage.GENERATE),)
        case Phase.REVIEW:
            check = () if checked else (CHECK,)
            return check if state.review else (*check, Step(stage=Stage.CRITIQUE))
        case Phase.REVISE:
            return (Step(stage=Stage.REVISE),)
        case Phase.RECHECK:
            return (CHECK,)
        case Phase.EVALUATE:
            return tuple(Step(stage=Stage.EVALUATE, role=judge) for judge in JUDGES if judge not in state.judged)


def drafted(state: TaskState, draft: DraftRef, author: str) -> TaskState:
    """`generate` or `revise` answered."""
    update: dict[str, object] = {
        "current": Version(draft=draft, author=author),
        "first_author": state.first_author or author,
        "judged": {},
    }
    if state.phase is Phase.REVISE:
        update |= {"phase": Phase.RECHECK, "unrevised": state.current}
    else:
        update |= {"phase": Phase.REVIEW, "unrevised": None, "review": None}
    return state.model_copy(update=update)


def checked(state: TaskState, check: Check, rules: TypeRules) -> TaskState:
    """The validators have spoken on the current draft."""
    assert state.current is not None
    current = state.current.model_copy(update={"check": check})
    if state.phase is Phase.RECHECK:
        before = state.unrevised
        if not check.passed and before and before.check and before.check.passed:
            current = before
        return _to_evaluation(state.model_copy(update={"current": current}), rules)
    return _after_review(state.model_copy(update={"current": current}), rules)


def reviewed(state: TaskState, review: Review, rules: TypeRules) -> TaskState:
    """The critic has spoken, or nobody could."""
    changed = state.model_copy(update={"review": review, "reviewer": review.reviewer or state.reviewer})
    return _after_review(changed, rules)


def judged(state: TaskState, judge: str, score: float | None, rules: TypeRules) -> TaskState:
    """One judge has scored the current draft; None if it could not be had."""
    changed = state.model_copy(update={"judged": {**state.judged, judge: score}})
    if len(changed.judged) < len(JUDGES):
        return changed
    return _close_iteration(changed, combine(tuple(changed.judged[name] for name in JUDGES)), rules)


def unanswered(state: TaskState, step: Step, reason: str, rules: TypeRules) -> TaskState:
    """Nobody gave a usable answer to this step."""
    match step.stage:
        case Stage.CRITIQUE:
            return reviewed(state, Review(revise=False, missing=reason), rules)
        case Stage.EVALUATE:
            return judged(state, step.role, None, rules)
        case Stage.REVISE:
            return _to_evaluation(state, rules)
        case _:
            return finish(state, reason, rules)


def finish(state: TaskState, reason: str, rules: TypeRules) -> TaskState:
    """End the task with the best that it has: no more steps may be taken, or none would help.

    A retry that gave nothing as sound as what was there before leaves that, as less than was asked for.
    """
    candidates = [v for v in (state.best, state.current, state.unrevised) if v is not None]
    best = max(candidates, key=_merit) if candidates else None
    before = state.replaced
    if before is not None and (best is None or _merit(before)[0] > _merit(best)[0]):
        why = best.check.summary if best and best.check else reason
        best, reason = before, f"as before its retry, which gave nothing better: {why}"
    if best is None:
        return state.model_copy(update={"status": TaskStatus.FAILED, "reason": reason})
    if best.check is None:
        status, why = TaskStatus.DEGRADED, reason or "not checked"
    elif not best.check.passed:
        status, why = TaskStatus.FAILED, f"rejected by validators: {best.check.summary}"
    elif best is before:
        status, why = TaskStatus.DEGRADED, reason
    elif best.score is not None and best.score >= rules.threshold and not best.check.unchecked:
        status, why = TaskStatus.COMPLETED, ""
    else:
        status, why = TaskStatus.DEGRADED, best.check.unchecked or reason or _shortfall(best, rules)
    update = {"status": status, "reason": why[:200], "best": best, "current": None, "replaced": None}
    return state.model_copy(update=update)


def rejudge(state: TaskState, check: Check, rules: TypeRules) -> TaskState:
    """A task that its validators rejected, whose files pass now that the whole project does: score it, once."""
    assert state.best is not None
    return state.model_copy(
        update={
            "status": TaskStatus.RUNNING,
            "phase": Phase.EVALUATE,
            "iteration": max(state.iteration, rules.max_iterations),
            "current": Version(draft=state.best.draft, author=state.best.author, check=check),
            "best": None,
            "unrevised": None,
            "judged": {},
            "reason": "",
        }
    )


def repaired(state: TaskState, draft: DraftRef, author: str) -> TaskState:
    """Integration mended the task's files: the score stays, the files change."""
    best = state.best or Version(draft=draft, author=author)
    return state.model_copy(update={"best": best.model_copy(update={"draft": draft, "author": author})})


def skip(state: TaskState, reason: str, *, by_user: bool = False) -> TaskState:
    """Nothing more is done for the task; a version that it has stays."""
    return state.model_copy(update={"status": TaskStatus.SKIPPED, "reason": reason[:200], "by_user": by_user})


def _after_review(state: TaskState, rules: TypeRules) -> TaskState:
    assert state.current is not None
    check, review = state.current.check, state.review
    if check is None or review is None:
        return state
    if review.revise or not check.passed:
        return state.model_copy(update={"phase": Phase.REVISE})
    return _to_evaluation(state, rules)


def _to_evaluation(state: TaskState, rules: TypeRules) -> TaskState:
    assert state.current is not None
    check = state.current.check
    if check is not None and not check.passed:
        return _close_iteration(state, 0.0, rules)
    return state.model_copy(update={"phase": Phase.EVALUATE, "judged": {}})


def _close_iteration(state: TaskState, score: float | None, rules: TypeRules) -> TaskState:
    assert state.current is not None
    current = state.current.model_copy(update={"score": score})
    best = current if state.best is None or _merit(current) > _merit(state.best) else state.best
    scores = state.scores if score is None else (*state.scores, score)
    closed = state.model_copy(
        update={"current": current, "unrevised": None, "best": best, "scores": scores, "judged": {}}
    )
    check = current.check
    if score is not None and score >= rules.threshold and check is not None and check.passed:
        return finish(closed, "", rules)
    closed = closed.model_copy(update={"attempts": (*closed.attempts, _attempt(state.iteration, current))})
    if state.iteration >= rules.max_iterations:
        return finish(closed, "", rules)
    plateau = len(scores) >= 2 and abs(scores[-1] - scores[-2]) < PLATEAU
    if plateau and state.escalations > 0:
        return finish(closed, "", rules)
    last_chance = state.iteration + 1 == rules.max_iterations
    return closed.model_copy(
        update={
            "iteration": state.iteration + 1,
            "phase": Phase.GENERATE,
            "escalations": state.escalations + (1 if plateau or last_chance else 0),
        }
    )


def _merit(version: Version) -> tuple[int, float]:
    """Accepted by validators first, then the higher score; something scored beats something unscored."""
    check = version.check
    rank = 1 if check is None else (2 if check.passed else 0)
    return rank, -1.0 if version.score is None else version.score


def _attempt(iteration: int, version: Version) -> str:
    score = "no score" if version.score is None else f"{version.score:.2f}"
    failed = f", {version.check.summary}" if version.check and not version.check.passed else ""
    return f"#{iteration} {version.author}: {score}{failed}"[:200]


def _shortfall(version: Version, rules: TypeRules) -> str:
    if version.score is None:
        return "no judge gave a score"
    return f"score {version.score:.2f} below {rules.threshold:.2f}"

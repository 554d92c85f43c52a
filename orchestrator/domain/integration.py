"""Whole-project checks and repair rounds: what to do next, and whether a round helped."""

from collections.abc import Mapping, Sequence

from orchestrator.domain.base import Frozen
from orchestrator.domain.refs import BlobRef, DraftRef
from orchestrator.domain.schedule import upstream
from orchestrator.domain.steps import TaskState
from orchestrator.domain.tasks import TaskSpec

MAX_ROUNDS = 3


class ProjectCheck(Frozen):
    """The validators' word on all files together."""

    passed: bool
    tools_passed: bool = False  # what does not hold then is for a judge to say
    findings: int = 0
    unchecked: str = ""
    summary: str = ""
    detail: BlobRef | None = None  # JSON list of Finding
    paths: tuple[str, ...] = ()


class Integration(Frozen):
    """Progress of integration. `before` holds the drafts that this round's repairs replace, `authors` theirs."""

    round: int = 0
    pending: tuple[str, ...] = ()  # tasks still to be repaired in this round
    before: dict[str, DraftRef] = {}
    authors: dict[str, str] = {}
    best: ProjectCheck | None = None
    done: bool = False


def drafts(plan: Sequence[TaskSpec], states: Mapping[str, TaskState]) -> dict[str, DraftRef]:
    """The best version of every task that has one, in plan order."""
    found = {}
    for task in plan:
        best = states[task.id].best
        if best is not None:
            found[task.id] = best.draft
    return found


def validators(plan: Sequence[TaskSpec], paths: Sequence[str]) -> tuple[str, ...]:
    """What the whole project answers to: what its files call for, and all that some task asked for.

    A planner that forgot to ask for the tests must not make them go away.
    """
    asked = [name for task in plan for name in task.validators]
    called_for = []
    if any(path.endswith(".py") for path in paths):
        called_for += ["dependencies", "python_syntax", "ruff", "import_smoke", "app_start"]
    if any(_is_test(path) for path in paths):
        called_for.append("pytest")
    if any(path.endswith(".json") for path in paths):
        called_for.append("json_schema")
    return tuple(dict.fromkeys((*called_for, *asked)))


def _is_test(path: str) -> bool:
    name = path.rsplit("/", 1)[-1]
    return name.endswith(".py") and (name.startswith("test_") or name.endswith("_test.py"))


def after_check(
    integration: Integration,
    check: ProjectCheck,
    plan: Sequence[TaskSpec],
    states: Mapping[str, TaskState],
) -> tuple[Integration, dict[str, DraftRef]]:
    """The next state, and drafts to go back to because the round's repairs made things worse."""
    worse = integration.best is not None and _rank(check) < _rank(integration.best)
    restored = dict(integration.before) if worse else {}
    best = integration.best if worse and integration.best else check
    base = integration.model_copy(update={"best": best, "before": {}, "authors": {}})
    if check.passed or integration.round >= MAX_ROUNDS:
        return base.model_copy(update={"done": True}), restored
    owners = responsible(plan, states, best.paths, integration.round)
    if not owners:
        return base.model_copy(update={"done": True}), restored
    current = drafts(plan, states) | restored
    authors = {name: state.best.author for name, state in states.items() if state.best}
    authors |= {name: integration.authors[name] for name in restored if name in integration.authors}
    return (
        base.model_copy(
            update={
                "round": integration.round + 1,
                "pending": tuple(owners),
                "before": {task_id: current[task_id] for task_id in owners},
                "authors": {task_id: authors[task_id] for task_id in owners},
            }
        ),
        restored,
    )


def _rank(check: ProjectCheck) -> tuple[bool, bool, int]:
    """The better, the greater: what tools accept is never given up for what a judge would like."""
    return check.passed, check.tools_passed, -check.findings


def responsible(
    plan: Sequence[TaskSpec], states: Mapping[str, TaskState], paths: Sequence[str], round_: int
) -> list[str]:
    """Tasks to repair: owners of the named files; each further round also looks one dependency further.

    A failing test names itself, while the defect may lie in what it tests.
    """
    named = set(paths)
    owners = [task.id for task in plan if (best := states[task.id].best) and named & set(best.draft.paths)]
    return [task_id for task_id in upstream(plan, owners, round_) if states[task_id].best]


def repaired_one(integration: Integration, task_id: str) -> Integration:
    """One repair of the round is over, with or without a result."""
    rest = tuple(pending for pending in integration.pending if pending != task_id)
    return integration.model_copy(update={"pending": rest})

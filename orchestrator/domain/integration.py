"""Whole-project checks and repair rounds: what to do next, and whether a round helped."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from orchestrator.domain.base import Frozen
from orchestrator.domain.criteria import CriterionResult, open_numbers, unmet
from orchestrator.domain.refs import BlobRef, DraftRef
from orchestrator.domain.schedule import upstream
from orchestrator.domain.steps import TaskState
from orchestrator.domain.tasks import TaskSpec

MAX_ROUNDS = 3
_PROGRAM = re.compile(r"\.py$")
_TEST = re.compile(r"(^|/)(test_[^/]*|[^/]*_test)\.py$")
_DOCKERFILE = re.compile(r"(^|/)(Dockerfile|Containerfile)(\.[^/]*)?$|\.dockerfile$", re.IGNORECASE)
# Files, and the checks that they call for; in the order in which verdicts are told.
_CALLED_FOR: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = (
    (re.compile(r"(\.py|(^|/)package\.json|(^|/)requirements[^/]*\.txt|(^|/)pyproject\.toml)$"), ("dependencies",)),
    (_PROGRAM, ("python_syntax", "ruff", "import_smoke")),
    (_TEST, ("pytest",)),
    (re.compile(r"\.(js|mjs|cjs)$"), ("node_check",)),
    (re.compile(r"(^|/)tsconfig\.json$"), ("tsc",)),
    (re.compile(r"(^|/)package\.json$"), ("npm_build", "npm_test")),
    (re.compile(r"(\.py|(^|/)package\.json|(^|/)index\.html)$"), ("app_start",)),
    (re.compile(r"\.json$"), ("json_schema",)),
    (re.compile(r"\.ya?ml$"), ("yaml",)),
    (re.compile(r"\.toml$"), ("toml",)),
    (re.compile(r"\.html?$"), ("html",)),
    (re.compile(r"\.sql$"), ("sql",)),
    (re.compile(r"\.(sh|bash)$"), ("shell",)),
    (re.compile(r"(^|/)(openapi|swagger)[^/]*\.(ya?ml|json)$"), ("openapi",)),
    (re.compile(r"\.(py|[cm]?[jt]sx?|html?|json|ya?ml|toml|ini|cfg|sh|sql|env|env\.[^/]*)$|Dockerfile"), ("secrets",)),
)


class ProjectCheck(Frozen):
    """The validators' word on all files together."""

    passed: bool
    tools_passed: bool = False  # what does not hold then is for a judge to say
    findings: int = 0
    unchecked: str = ""
    summary: str = ""
    detail: BlobRef | None = None  # JSON list of Finding
    paths: tuple[str, ...] = ()
    criteria: tuple[CriterionResult, ...] = ()


def with_criteria(check: ProjectCheck, criteria: tuple[CriterionResult, ...]) -> ProjectCheck:
    """The check together with the verdict on each criterion: it passes only if none of them is known not to hold.

    `detail` stays that of the tools: the findings of unmet criteria (`criteria_findings`) are for the store.
    """
    missed, undecided = unmet(criteria), open_numbers(criteria)
    found: dict[str, object] = {"criteria": criteria}
    if missed:
        found |= {
            "passed": False,
            "findings": len(missed),
            "summary": f"{len(missed)} criteria do not hold, first: {missed[0].text}"[:200],
            "paths": tuple(dict.fromkeys(one.file for one in missed if one.file)),
        }
    if undecided:
        doubt = f"nobody could tell whether this holds: {criteria[undecided[0] - 1].text}"
        found["unchecked"] = "; ".join(filter(None, (check.unchecked, doubt)))[:200]
    return check.model_copy(update=found)


def main_author(states: Mapping[str, TaskState]) -> str:
    """The model that wrote the most results; empty where there are none."""
    authors = Counter(state.best.author for state in states.values() if state.best)
    return max(authors, key=lambda name: (authors[name], name), default="")


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
        shown = states[task.id].shown
        if shown is not None:
            found[task.id] = shown.draft
    return found


def validators(plan: Sequence[TaskSpec], paths: Sequence[str]) -> tuple[str, ...]:
    """What the whole project answers to: what its files call for, and all that some task asked for.

    A planner that forgot to ask for the tests must not make them go away. Linters that take long or are large look
    at what tasks wrote: the type checker where several wrote Python that must fit together, and hadolint.
    """
    asked = [name for task in plan for name in task.validators]
    called_for = [
        name for pattern, names in _CALLED_FOR if any(pattern.search(path) for path in paths) for name in names
    ]
    if sum(any(_PROGRAM.search(path) and not _TEST.search(path) for path in task.files) for task in plan) > 1:
        called_for.append("mypy")
    if any(_DOCKERFILE.search(path) for task in plan for path in task.files):
        called_for.append("dockerfile")
    return tuple(dict.fromkeys((*called_for, *asked)))


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

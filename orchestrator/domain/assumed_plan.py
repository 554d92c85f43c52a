"""The plan that a project of this size is assumed to get, for a forecast that may ask no model."""

from orchestrator.domain.base import Frozen
from orchestrator.domain.tasks import TaskType
from orchestrator.domain.workload import ONE, Range, TaskSize

LEAST_CODE_TASKS = 6
MOST_CODE_TASKS = 60
WORDS_PER_CODE_TASK = 20  # of project text and criteria together, beyond the least
_BRIEF_BYTES = 1_200
_READS = Range(low=0, expected=1, high=2)


class AssumedPlan(Frozen):
    """Groups of tasks, and one line on how they were arrived at."""

    tasks: tuple[TaskSize, ...]
    basis: str


def assumed_plan(project: str, criteria: str) -> AssumedPlan:
    """Code tasks by the number of words, half as many to twice as many; one text for readers after them."""
    words = len(project.split()) + len(criteria.split())
    code = min(MOST_CODE_TASKS, LEAST_CODE_TASKS + words // WORDS_PER_CODE_TASK)
    count = Range(low=-(-code // 2), expected=code, high=2 * code)
    groups = (
        TaskSize(
            id="code",
            title="modules and their tests",
            type=TaskType.CODE_GENERATION,
            brief_bytes=_BRIEF_BYTES,
            reads=_READS,
            count=count,
            depth=Range(low=-(-count.low // 2), expected=-(-count.expected // 2), high=count.high),
        ),
        TaskSize(
            id="readme",
            title="text for its readers",
            type=TaskType.CREATIVE_WRITING,
            dependencies=("code",),
            brief_bytes=_BRIEF_BYTES,
            reads=_READS,
            count=ONE,
        ),
    )
    basis = (
        f"{code + 1} tasks assumed from {words} words of text: {code} code_generation and 1 creative_writing, "
        f"between {count.low + 1} and {count.high + 1} in all; "
        f"each builds on {_READS.low} to {_READS.high} others, half of them one after the other"
    )
    return AssumedPlan(tasks=groups, basis=basis)

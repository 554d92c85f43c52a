"""What a task asks of models: calls and tokens of every stage, as a range from little to the most."""

from collections.abc import Iterable, Sequence

from orchestrator.domain.answers import MAX_PATCH_CHARS, PlannedTask
from orchestrator.domain.base import Frozen
from orchestrator.domain.enhancing import MAX_SUGGESTIONS
from orchestrator.domain.integration import MAX_ROUNDS
from orchestrator.domain.plan import named_files
from orchestrator.domain.quality import RULES, output_tokens
from orchestrator.domain.sizes import FENCE_BYTES_PER_FILE, LINE_BYTES, TEMPLATE_BYTES
from orchestrator.domain.tasks import Stage, TaskType

# Expected: what runs of real projects come to. They are assumptions, and every forecast names them.
EXPECTED_ITERATIONS_PERCENT = 130
EXPECTED_REVISIONS_PERCENT = 65
EXPECTED_REPAIRS_PERCENT = 10
SMALL_SHARE = 3  # a small answer is a third of the expected one
BYTES_PER_TOKEN = (6, 4, 1)  # of text that is read: low, expected, high
_EXPECTED_OUTPUT = {
    TaskType.CODE_GENERATION: 1800,
    TaskType.CODE_REVIEW: 900,
    TaskType.COMPLEX_REASONING: 1200,
    TaskType.CREATIVE_WRITING: 1000,
    TaskType.DATA_EXTRACTION: 500,
    TaskType.SUMMARIZATION: 400,
    TaskType.EVALUATION: 400,
}
_EXPECTED_STAGE_OUTPUT = {Stage.ENHANCE: 500, Stage.ADVISE: 250, Stage.CRITIQUE: 400, Stage.EVALUATE: 120}
_EXPECTED_PATCHES_BYTES = 600  # what suggestions add to the texts
_EXPECTED_FINDINGS_TOKENS = 300
_PLAN_OVERHEAD_TOKENS, _PLAN_TOKENS_PER_TASK = 100, 220

RETOKENIZED_PERCENT = 125  # most tokens that another vendor counts for 100 of an answer
MOST_FINDINGS_BYTES = 24_000
_ATTEMPT_BYTES = 200 + LINE_BYTES

_READS_DRAFT = (Stage.CRITIQUE, Stage.REVISE, Stage.EVALUATE, Stage.REPAIR)


class Range(Frozen):
    """A figure's low, expected and high value, in this order of size."""

    low: int
    expected: int
    high: int

    def __add__(self, other: "Range") -> "Range":
        return Range(low=self.low + other.low, expected=self.expected + other.expected, high=self.high + other.high)


NOTHING = Range(low=0, expected=0, high=0)
ONE = Range(low=1, expected=1, high=1)


class TaskSize(Frozen):
    """A task as a forecast sees it, or, before there is a plan, a group of `count` tasks of one type.

    `brief_bytes` is what a prompt says about one task; `reads` numbers the results of other tasks that one of them
    builds on; `depth` is how many of the group have to be done one after the other.
    """

    id: str
    title: str = ""
    type: TaskType
    dependencies: tuple[str, ...] = ()
    brief_bytes: int
    files: int = 1
    reads: Range = NOTHING
    count: Range = ONE
    depth: Range = ONE


class StageLoad(Frozen):
    """Calls of one stage of one task by one role, and tokens of each call, hidden reasoning left out.

    `calls_percent` is in hundredths of a call. `output_tokens.high` is the stage's limit.
    """

    stage: Stage
    calls_percent: Range
    input_tokens: Range
    output_tokens: Range


def task_size(task: PlannedTask) -> TaskSize:
    """The size of a task of a plan."""
    files = named_files(task)
    lines = (task.id, task.title, task.type.value, *files)
    brief = len(task.prompt.encode(errors="replace"))
    reads = len(set(task.dependencies))
    return TaskSize(
        id=task.id,
        title=task.title,
        type=task.type,
        dependencies=tuple(dict.fromkeys(task.dependencies)),
        brief_bytes=brief + sum(len(text.encode(errors="replace")) + LINE_BYTES for text in lines),
        files=len(files),
        reads=Range(low=reads, expected=reads, high=reads),
    )


def text_size(text_bytes: int, *, enhanced: bool) -> Range:
    """Bytes of the project's texts as later prompts show them; `enhanced`: with suggestions for them."""
    if not enhanced:
        return Range(low=text_bytes, expected=text_bytes, high=text_bytes)
    most = MAX_SUGGESTIONS * 2 * (MAX_PATCH_CHARS + 1)
    return Range(low=text_bytes, expected=text_bytes + _EXPECTED_PATCHES_BYTES, high=text_bytes + most)


def brief_load(stage: Stage, task_type: TaskType, text: Range) -> StageLoad:
    """A call for suggestions or for an architecture, of a project with texts of this size."""
    return StageLoad(
        stage=stage,
        calls_percent=Range(low=100, expected=100, high=100),
        input_tokens=_read(TEMPLATE_BYTES[stage] + 2 * LINE_BYTES, text),
        output_tokens=_output(stage, task_type),
    )


def plan_load(tasks: Sequence[TaskSize], text: Range) -> StageLoad:
    """The planning call of a project with texts of this size."""
    most = output_tokens(Stage.PLAN, TaskType.COMPLEX_REASONING)
    count = total(task.count for task in tasks)
    expected = min(most, _PLAN_OVERHEAD_TOKENS + _PLAN_TOKENS_PER_TASK * count.expected)
    return StageLoad(
        stage=Stage.PLAN,
        calls_percent=Range(low=100, expected=100, high=100),
        input_tokens=_read(TEMPLATE_BYTES[Stage.PLAN] + 2 * LINE_BYTES, text),
        output_tokens=Range(low=expected // SMALL_SHARE, expected=expected, high=most),
    )


def task_loads(task: TaskSize, text: Range) -> tuple[StageLoad, ...]:
    """All stages of one task (of the group); EVALUATE is one judge's."""
    most = RULES[task.type].max_iterations
    calls = {
        Stage.GENERATE: Range(low=100, expected=EXPECTED_ITERATIONS_PERCENT, high=100 * most),
        Stage.CRITIQUE: Range(low=100, expected=EXPECTED_ITERATIONS_PERCENT, high=100 * most),
        Stage.REVISE: Range(low=0, expected=EXPECTED_REVISIONS_PERCENT, high=100 * most),
        # Once more where integration saves what the task's own checks rejected.
        Stage.EVALUATE: Range(low=100, expected=EXPECTED_ITERATIONS_PERCENT, high=100 * (most + 1)),
        Stage.REPAIR: Range(low=0, expected=EXPECTED_REPAIRS_PERCENT, high=100 * MAX_ROUNDS),
    }
    return tuple(
        StageLoad(
            stage=stage,
            calls_percent=percent,
            input_tokens=_input(task, text, stage),
            output_tokens=_output(stage, task.type),
        )
        for stage, percent in calls.items()
    )


def _output(stage: Stage, task_type: TaskType) -> Range:
    most = output_tokens(stage, task_type)
    expected = min(most, _EXPECTED_STAGE_OUTPUT.get(stage, _EXPECTED_OUTPUT[task_type]))
    return Range(low=expected // SMALL_SHARE, expected=expected, high=most)


def _input(task: TaskSize, text: Range, stage: Stage) -> Range:
    own = _draft(_output(Stage.GENERATE, task.type), task.files)
    other = _draft(_output(Stage.GENERATE, TaskType.CODE_GENERATION), task.files)
    read = _read(TEMPLATE_BYTES[stage] + task.brief_bytes + 2 * LINE_BYTES, text)
    read += Range(
        low=task.reads.low * other.low,
        expected=task.reads.expected * other.expected,
        high=task.reads.high * other.high,
    )
    if stage in _READS_DRAFT:
        read += own
    remarks = _remarks(task.type)
    if stage in (Stage.REVISE, Stage.REPAIR):
        read += remarks
    if stage is Stage.GENERATE:  # every iteration but the first sees the best version, and what was wrong with it
        most = RULES[task.type].max_iterations
        read += Range(low=0, expected=0, high=-(-(own.high + remarks.high) * (most - 1) // most))
    return read


def _draft(written: Range, files: int) -> Range:
    """Files of a task as another model reads them."""
    fences = files * (FENCE_BYTES_PER_FILE + LINE_BYTES)
    return Range(low=written.low, expected=written.expected, high=_retokenized(written.high) + fences)


def _remarks(task_type: TaskType) -> Range:
    """Findings of checks, the critique, and lines about earlier attempts."""
    critique = _output(Stage.CRITIQUE, task_type)
    attempts = RULES[task_type].max_iterations * _ATTEMPT_BYTES
    return Range(
        low=critique.low,
        expected=critique.expected + _EXPECTED_FINDINGS_TOKENS,
        high=_retokenized(critique.high) + MOST_FINDINGS_BYTES + attempts,
    )


def _retokenized(tokens: int) -> int:
    return -(-tokens * RETOKENIZED_PERCENT // 100)


def _read(fixed_bytes: int, text: Range) -> Range:
    """Tokens of a prompt: the project's texts, and what is always there."""
    sizes = (fixed_bytes + size for size in (text.low, text.expected, text.high))
    low, expected, high = (-(-size // per_token) for size, per_token in zip(sizes, BYTES_PER_TOKEN, strict=True))
    return Range(low=low, expected=expected, high=high)


def total(ranges: Iterable[Range]) -> Range:
    """The sum, value by value."""
    return sum(ranges, NOTHING)

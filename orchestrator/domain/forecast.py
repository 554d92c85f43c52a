"""What a project will cost and how long it will take: low, expected and high, each with its basis in words.

Low: every task passes at once with small answers. Expected: the assumptions of `workload`. High: every iteration,
revision and repair round is used, every answer is as long as it may be, and the dearest of the models is asked that
the rules could turn to while all vendors are well. Requests that fail and are asked again are in no figure: the cap
holds for them as well.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from orchestrator.domain.advising import type_of_brief
from orchestrator.domain.base import Frozen
from orchestrator.domain.candidates import Role, candidates_of
from orchestrator.domain.forecast_time import Pace, wall_time
from orchestrator.domain.graph import critical_path
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.money import Usage, cost_micro, upper_bound_micro, usd
from orchestrator.domain.quality import with_reasoning
from orchestrator.domain.routing import ProjectModels
from orchestrator.domain.tasks import Stage, TaskType
from orchestrator.domain.workload import (
    EXPECTED_ITERATIONS_PERCENT,
    EXPECTED_REPAIRS_PERCENT,
    EXPECTED_REVISIONS_PERCENT,
    NOTHING,
    Range,
    StageLoad,
    TaskSize,
    brief_load,
    plan_load,
    task_loads,
    text_size,
    total,
)

PLAN = "plan"  # owner of the planning call, and of those before it


class Risk(StrEnum):
    """How a range stands to a limit."""

    FITS = "fits"
    MAY_EXCEED = "may exceed"
    CANNOT_FIT = "cannot fit"


class Seconds(Frozen):
    """A time in seconds."""

    low: float
    expected: float
    high: float


class Item(Frozen):
    """One stage of one owner (a task, a group of tasks, or PLAN). Calls are in hundredths; tokens are of all calls."""

    owner: str
    stage: Stage
    models: tuple[str, ...]  # ids, the one that is expected first, then those that the high figure allows for
    calls_percent: Range
    input_tokens: Range
    output_tokens: Range
    cost_micro: Range
    basis: str


class Forecast(Frozen):
    """All items, and what follows from them. Every sum is the sum of its items."""

    items: tuple[Item, ...]
    wall_s: Seconds
    critical_path: tuple[str, ...]

    @property
    def cost_micro(self) -> Range:
        """The whole project."""
        return total(item.cost_micro for item in self.items)

    @property
    def calls_percent(self) -> Range:
        """All calls, in hundredths of a call."""
        return total(item.calls_percent for item in self.items)

    def of_owner(self, owner: str) -> Range:
        """What one task, or PLAN, costs in micro-USD."""
        return total(item.cost_micro for item in self.items if item.owner == owner)

    def of_stage(self, stage: Stage) -> Range:
        """What one stage of all tasks costs in micro-USD."""
        return total(item.cost_micro for item in self.items if item.stage is stage)


class NoModelError(ValueError):
    """No usable model with a known price: nothing can be forecast, and no run can start."""


def forecast(
    tasks: Sequence[TaskSize],
    text_bytes: int,
    models: ProjectModels,
    concurrency: int,
    planned_micro: int | None = None,
    before: Sequence[Stage] = (),
) -> Forecast:
    """The forecast of a project whose texts have `text_bytes` bytes, `concurrency` tasks at a time.

    `before`: ENHANCE and ADVISE, as far as the run asks for them before its plan. `planned_micro`: the plan is there,
    and cost this much with all before it. Raises NoModelError.
    """
    priced = models.model_copy(update={"models": tuple(m for m in models.models if m.prices)})
    if not priced.models:
        raise NoModelError("no usable model has a known price")
    pace = Pace.of(priced.models[0])
    text = text_size(text_bytes, enhanced=Stage.ENHANCE in before)
    first = [] if planned_micro is not None else _brief_items(before, text_bytes, text, priced)
    plan = _plan_item(tasks, text, priced, planned_micro)
    items = [*first, plan]
    stages: dict[str, dict[Stage, tuple[Range, Range]]] = {}
    for task in tasks:
        stages[task.id] = {}
        for load in task_loads(task, text):
            item, output = _item(task, load, priced)
            items.append(item)
            stages[task.id][load.stage] = (load.calls_percent, output)
    planning = () if planned_micro is not None else tuple(item.output_tokens for item in items[: len(first) + 1])
    wall = wall_time(tasks, stages, planning, concurrency, pace)
    path = critical_path(tasks, lambda task: pace.task_s(stages[task.id])[1] * task.depth.expected)
    return Forecast(items=tuple(items), wall_s=Seconds(low=wall[0], expected=wall[1], high=wall[2]), critical_path=path)


def risk(low: float, high: float, limit: float) -> Risk:
    """How a figure between `low` and `high` stands to `limit`, which it may reach."""
    if high <= limit:
        return Risk.FITS
    return Risk.CANNOT_FIT if low > limit else Risk.MAY_EXCEED


def _brief_items(stages: Sequence[Stage], text_bytes: int, text: Range, models: ProjectModels) -> list[Item]:
    """The calls before the plan; that for suggestions reads the texts as they are."""
    items = []
    task_type = type_of_brief(text_bytes)
    for stage in stages:
        size = text_size(text_bytes, enhanced=False) if stage is Stage.ENHANCE else text
        items.append(_single(brief_load(stage, task_type, size), task_type, models))
    return items


def _single(load: StageLoad, task_type: TaskType, models: ProjectModels) -> Item:
    """One call of the project's own."""
    candidates = candidates_of(Role.PLANNER, "project", task_type, load.stage, models)
    cost, output = _cost(load, candidates.first, candidates.possible)
    return Item(
        owner=PLAN,
        stage=load.stage,
        models=_ids(candidates.first, candidates.possible),
        calls_percent=load.calls_percent,
        input_tokens=load.input_tokens,
        output_tokens=output,
        cost_micro=cost,
        basis=f"1 call, {output.expected:,} output tokens, {_price(candidates.first)}",
    )


def _plan_item(tasks: Sequence[TaskSize], text: Range, models: ProjectModels, planned_micro: int | None) -> Item:
    if planned_micro is not None:
        return Item(
            owner=PLAN,
            stage=Stage.PLAN,
            models=(),
            calls_percent=NOTHING,
            input_tokens=NOTHING,
            output_tokens=NOTHING,
            cost_micro=Range(low=planned_micro, expected=planned_micro, high=planned_micro),
            basis="spent already",
        )
    return _single(plan_load(tasks, text), TaskType.COMPLEX_REASONING, models)


_ROLES: Mapping[Stage, tuple[Role, ...]] = {
    Stage.GENERATE: (Role.AUTHOR,),
    Stage.CRITIQUE: (Role.CRITIC,),
    Stage.REVISE: (Role.AUTHOR,),
    Stage.EVALUATE: (Role.JUDGE, Role.SECOND_JUDGE),
    Stage.REPAIR: (Role.REPAIRER,),
}
_HOW_OFTEN = {
    Stage.GENERATE: f"{EXPECTED_ITERATIONS_PERCENT / 100:g} iterations",
    Stage.CRITIQUE: f"{EXPECTED_ITERATIONS_PERCENT / 100:g} iterations",
    Stage.REVISE: f"{EXPECTED_REVISIONS_PERCENT / 100:g} revisions",
    Stage.EVALUATE: f"{EXPECTED_ITERATIONS_PERCENT / 100:g} iterations of 2 judges",
    Stage.REPAIR: f"{EXPECTED_REPAIRS_PERCENT / 100:g} repairs",
}


def _item(task: TaskSize, load: StageLoad, models: ProjectModels) -> tuple[Item, Range]:
    """The item of a stage, and the output tokens of one of its calls."""
    calls, reads, writes, costs = NOTHING, NOTHING, NOTHING, NOTHING
    ids: tuple[str, ...] = ()
    outputs: list[Range] = []
    prices: list[str] = []
    for role in _ROLES[load.stage]:
        candidates = candidates_of(role, task.id, task.type, load.stage, models)
        cost, output = _cost(load, candidates.first, candidates.possible)
        calls += _all_calls(load.calls_percent, task.count)
        reads += _times(load.input_tokens, load.calls_percent, task.count)
        writes += _times(output, load.calls_percent, task.count)
        costs += _times(cost, load.calls_percent, task.count)
        ids += _ids(candidates.first, candidates.possible)
        outputs.append(output)
        prices.append(_price(candidates.first))
    slowest = max(outputs, key=lambda each: each.expected)
    item = Item(
        owner=task.id,
        stage=load.stage,
        models=tuple(dict.fromkeys(ids)),
        calls_percent=calls,
        input_tokens=reads,
        output_tokens=writes,
        cost_micro=costs,
        basis=(
            f"{_HOW_OFTEN[load.stage]}, {slowest.expected:,} output tokens each, {' and '.join(dict.fromkeys(prices))}"
        ),
    )
    return item, slowest


def _cost(load: StageLoad, first: ModelSpec, possible: tuple[ModelSpec, ...]) -> tuple[Range, Range]:
    """Cost of one call in micro-USD, and its output tokens with hidden reasoning."""
    reads, writes = load.input_tokens, load.output_tokens
    low_out = min(writes.low, first.max_output_tokens)
    expected_out = min(_expected_output(writes.expected, first), first.max_output_tokens)
    high_out = max(_sent_limit(writes.high, model) for model in possible)
    low = cost_micro(Usage(input_tokens=reads.low, output_tokens=low_out), first.prices)
    expected = cost_micro(Usage(input_tokens=reads.expected, output_tokens=expected_out), first.prices)
    high = max(upper_bound_micro(reads.high, _sent_limit(writes.high, model), model.prices) for model in possible)
    expected = max(low, expected)  # a larger call may fall into a cheaper tier
    return (
        Range(low=low, expected=expected, high=max(expected, high)),
        Range(low=low_out, expected=expected_out, high=max(expected_out, high_out)),
    )


def _expected_output(tokens: int, model: ModelSpec) -> int:
    """Output tokens that a model is expected to bill for an answer of `tokens`: thinking takes as many again."""
    return 2 * tokens if model.reasoning else tokens


def _sent_limit(max_tokens: int, model: ModelSpec) -> int:
    """The output limit of a request, as the run would send it."""
    return min(with_reasoning(max_tokens) if model.reasoning else max_tokens, model.max_output_tokens)


def _all_calls(percent: Range, count: Range) -> Range:
    return Range(
        low=percent.low * count.low, expected=percent.expected * count.expected, high=percent.high * count.high
    )


def _times(each: Range, percent: Range, count: Range) -> Range:
    """`each` for so many calls, rounded up once."""
    calls = _all_calls(percent, count)
    return Range(
        low=-(-each.low * calls.low // 100),
        expected=-(-each.expected * calls.expected // 100),
        high=-(-each.high * calls.high // 100),
    )


def _ids(first: ModelSpec, possible: tuple[ModelSpec, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((first.id, *(model.id for model in possible))))


def _price(model: ModelSpec) -> str:
    tier = model.prices[0]
    return f"{model.id} at ${usd(tier.input_micro):g}/${usd(tier.output_micro):g} per million tokens in/out"

"""Forecasts: ordered, exact sums, growing with the work, and never below what a run without failures spends."""

import itertools
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.tools import MAX_FINDINGS_BYTES
from orchestrator.domain import steps
from orchestrator.domain.answers import PlannedTask
from orchestrator.domain.assumed_plan import assumed_plan
from orchestrator.domain.forecast import PLAN, Forecast, NoModelError, Risk, forecast, risk
from orchestrator.domain.integration import MAX_ROUNDS
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.money import PriceTier, Usage, cost_micro
from orchestrator.domain.quality import JUDGES, RULES, output_tokens, with_reasoning
from orchestrator.domain.routing import (
    ModelOverride,
    ProjectModels,
    away_from,
    escalated,
    overriding,
    preferring,
    ranked,
)
from orchestrator.domain.sizes import TEMPLATE_BYTES
from orchestrator.domain.steps import Check, Review, TaskState
from orchestrator.domain.tasks import Stage, TaskType
from orchestrator.domain.workload import MOST_FINDINGS_BYTES, RETOKENIZED_PERCENT, TaskSize, task_size
from tests.unit.core_values import draft, model

TEXT_BYTES = 600
TYPES = tuple(TaskType)


def planned(number: int, task_type: TaskType, dependencies: list[str]) -> PlannedTask:
    return PlannedTask(
        id=f"t{number}",
        title=f"Task {number}",
        type=task_type,
        prompt=f"Write part {number}.",
        dependencies=dependencies,
        files=[f"part{number}.py"],
    )


@st.composite
def plans(draw: st.DrawFn) -> list[PlannedTask]:
    tasks: list[PlannedTask] = []
    for number in range(draw(st.integers(1, 8))):
        before = [task.id for task in tasks]
        dependencies = draw(st.lists(st.sampled_from(before), unique=True, max_size=3)) if before else []
        tasks.append(planned(number, draw(st.sampled_from(TYPES)), dependencies))
    return tasks


@st.composite
def specs(draw: st.DrawFn) -> ProjectModels:
    models: list[ModelSpec] = []
    for number in range(draw(st.integers(1, 5))):
        starts = sorted(draw(st.sets(st.integers(1, 9_000), max_size=2)))
        tiers = tuple(
            PriceTier(
                from_input_tokens=start,
                input_micro=draw(st.integers(0, 9_000_000)),
                cached_input_micro=draw(st.integers(0, 9_000_000)),
                output_micro=draw(st.integers(0, 90_000_000)),
            )
            for start in (0, *starts)
        )
        vendor = draw(st.sampled_from(("v", "w", "x")))
        changes = {
            "prices": tiers,
            "quality": draw(st.floats(0, 1)),
            "reasoning": draw(st.booleans()),
            "max_output_tokens": draw(st.sampled_from((1_000, 8_192, 64_000))),
        }
        models.append(model(f"{vendor}:m{number}", 1, **changes))
    wanted = draw(st.lists(st.sampled_from([each.id for each in models]), min_size=1, max_size=2))
    stage = draw(st.sampled_from((None, Stage.GENERATE, Stage.CRITIQUE, Stage.EVALUATE, Stage.REPAIR)))
    overrides = draw(st.sampled_from(((), (ModelOverride(models=tuple(wanted), stage=stage),))))
    return ProjectModels(models=tuple(models), routing={}, overrides=overrides)


def sizes(tasks: list[PlannedTask]) -> list[TaskSize]:
    return [task_size(task) for task in tasks]


def assert_ordered(made: Forecast) -> None:
    for item in made.items:
        for value in (item.cost_micro, item.calls_percent, item.input_tokens, item.output_tokens):
            assert 0 <= value.low <= value.expected <= value.high, item
    assert made.wall_s.low <= made.wall_s.expected <= made.wall_s.high


@given(plans(), specs(), st.integers(1, 16))
def test_low_expected_and_high_are_in_order_and_sums_are_exact(
    tasks: list[PlannedTask], models: ProjectModels, concurrency: int
) -> None:
    made = forecast(sizes(tasks), TEXT_BYTES, models, concurrency)
    assert_ordered(made)
    owners = [made.of_owner(owner) for owner in (PLAN, *(task.id for task in tasks))]
    stages = [made.of_stage(stage) for stage in Stage]
    for name in ("low", "expected", "high"):
        whole = getattr(made.cost_micro, name)
        assert whole == sum(getattr(cost, name) for cost in owners) == sum(getattr(cost, name) for cost in stages)


@given(plans(), specs(), st.integers(1, 16))
def test_a_further_task_makes_nothing_cheaper_or_faster(
    tasks: list[PlannedTask], models: ProjectModels, concurrency: int
) -> None:
    fewer, more = (forecast(sizes(part), TEXT_BYTES, models, concurrency) for part in (tasks[:-1], tasks))
    for name in ("low", "expected", "high"):
        assert getattr(fewer.cost_micro, name) <= getattr(more.cost_micro, name)
        assert getattr(fewer.wall_s, name) <= getattr(more.wall_s, name)


@given(st.text(max_size=400), specs())
def test_an_estimate_without_a_plan_is_in_order(text: str, models: ProjectModels) -> None:
    small, large = assumed_plan(text, ""), assumed_plan(text + " word" * 100, "")
    made = forecast(small.tasks, TEXT_BYTES, models, 8)
    assert_ordered(made)
    assert made.cost_micro.expected <= forecast(large.tasks, TEXT_BYTES, models, 8).cost_micro.expected


Pick = Callable[[str, Sequence[int]], int]  # what happens next: one of the options, the worst of them last


class Run:
    """One run of the step machine whose models answer as they like, within what they may; `spent_micro` of it all."""

    def __init__(self, tasks: list[PlannedTask], models: ProjectModels, pick: Pick) -> None:
        self.models, self.pick, self.spent_micro = models, pick, 0
        self.written: dict[str, int] = {}  # tokens of the files of each task
        self.tasks = {task.id: task for task in tasks}

    def play(self) -> int:
        self.call("project", TaskType.COMPLEX_REASONING, Stage.PLAN, TEXT_BYTES, ())
        for task in self.tasks.values():
            self.run_task(task, TaskState(status=steps.TaskStatus.RUNNING))
        return self.spent_micro

    def call(
        self, owner: str, task_type: TaskType, stage: Stage, tokens: int, others: tuple[ModelSpec, ...], turn: int = 0
    ) -> tuple[ModelSpec, int]:
        """Pay one call; who was asked, and the tokens that the answer has for whoever reads it."""
        ranking = ranked(stage, task_type, self.models.models, self.models.routing)
        if stage in (Stage.CRITIQUE, Stage.EVALUATE):
            ranking = away_from(ranking, others)
        else:
            ranking = escalated(ranking, others[0] if others else None, turn)
        override = overriding(self.models.overrides, owner, task_type, stage)
        if override:
            ranking = preferring(ranking, override.models, turn)
        chosen = ranking[0]
        limit = output_tokens(stage, task_type)
        limit = min(with_reasoning(limit) if chosen.reasoning else limit, chosen.max_output_tokens)
        answer = self.pick("tokens", (1, limit // 3, limit))
        usage = Usage(input_tokens=TEMPLATE_BYTES[stage] + tokens, output_tokens=answer)
        self.spent_micro += cost_micro(usage, chosen.prices)
        visible = min(answer, output_tokens(stage, task_type))  # the rest is reasoning
        return chosen, visible * RETOKENIZED_PERCENT // 100

    def run_task(self, task: PlannedTask, state: TaskState) -> None:
        rules, first, author, critique = RULES[task.type], None, None, 0
        base = TEXT_BYTES + sum(self.written[name] for name in task.dependencies)
        own = 0
        while wanted := steps.next_steps(state):
            for step in wanted:
                if step.stage is None:
                    passed = bool(self.pick("passed", (0, 1)))
                    state = steps.checked(state, Check(passed=passed), rules)
                elif step.stage is Stage.GENERATE:
                    seen = base + (own + critique + MOST_FINDINGS_BYTES if state.iteration > 1 else 0)
                    known = (first,) if first else ()
                    author, own = self.call(task.id, task.type, step.stage, seen, known, state.escalations)
                    first = first or author
                    state = steps.drafted(state, draft(), author.id)
                elif step.stage is Stage.REVISE:
                    assert author
                    seen = base + own + critique + MOST_FINDINGS_BYTES
                    author, own = self.call(task.id, task.type, step.stage, seen, (author,))
                    state = steps.drafted(state, draft(), author.id)
                elif step.stage is Stage.CRITIQUE:
                    assert author
                    _, critique = self.call(task.id, task.type, step.stage, base + own, (author,))
                    state = steps.reviewed(state, Review(revise=bool(self.pick("revise", (0, 1)))), rules)
                else:
                    assert author
                    state = self.judge(task, state, step.role, base + own, author)
        assert author
        for round_ in range(self.pick("rounds", range(MAX_ROUNDS + 1))):
            seen = base + own + MOST_FINDINGS_BYTES
            author, own = self.call(task.id, task.type, Stage.REPAIR, seen, (author,), round_)
        if state.status is steps.TaskStatus.FAILED:
            state = steps.rejudge(state, Check(passed=True), rules)
            while wanted := steps.next_steps(state):
                for step in wanted:
                    state = self.judge(task, state, step.role, base + own, author)
        self.written[task.id] = own

    def judge(self, task: PlannedTask, state: TaskState, role: str, tokens: int, author: ModelSpec) -> TaskState:
        others: tuple[ModelSpec, ...] = (author,)
        if role == JUDGES[1]:
            ranking = ranked(Stage.EVALUATE, task.type, self.models.models, self.models.routing)
            others = (author, away_from(ranking, others)[0])
        self.call(task.id, task.type, Stage.EVALUATE, tokens, others)
        return steps.judged(state, role, self.pick("score", range(0, 101, 5)) / 100, RULES[task.type])


@given(plans(), specs(), st.data())
def test_no_run_without_failures_spends_more_than_the_high_figure(
    tasks: list[PlannedTask], models: ProjectModels, data: st.DataObject
) -> None:
    made = forecast(sizes(tasks), TEXT_BYTES, models, 8)
    run = Run(tasks, models, lambda name, options: data.draw(st.sampled_from(options), label=name))
    assert run.play() <= made.cost_micro.high


def test_the_worst_run_comes_close_to_the_high_figure() -> None:
    scores = itertools.cycle((0, 0, 50, 50))  # no plateau ends a task before its last iteration
    tasks = [planned(1, TaskType.CODE_GENERATION, []), planned(2, TaskType.CODE_GENERATION, ["t1"])]
    models = ProjectModels(models=(model("v:m"),), routing={})
    run = Run(tasks, models, lambda name, options: next(scores) if name == "score" else options[-1])
    high = forecast(sizes(tasks), TEXT_BYTES, models, 8).cost_micro.high
    assert 0.9 * high < run.play() <= high


def test_the_bound_of_findings_is_that_of_the_checks() -> None:
    assert MOST_FINDINGS_BYTES == MAX_FINDINGS_BYTES


def test_suggestions_and_advice_are_paid_and_make_later_prompts_longer() -> None:
    models = ProjectModels(models=(model("v:m"),), routing={})
    tasks = sizes([planned(1, TaskType.CODE_GENERATION, [])])
    without = forecast(tasks, TEXT_BYTES, models, 8)
    made = forecast(tasks, TEXT_BYTES, models, 8, before=(Stage.ENHANCE, Stage.ADVISE))
    assert_ordered(made)
    assert [item.stage for item in made.items[:3]] == [Stage.ENHANCE, Stage.ADVISE, Stage.PLAN]
    assert {item.owner for item in made.items[:3]} == {PLAN}
    assert made.of_stage(Stage.PLAN).low == without.of_stage(Stage.PLAN).low
    assert made.of_stage(Stage.PLAN).high > without.of_stage(Stage.PLAN).high
    assert made.of_stage(Stage.GENERATE).expected > without.of_stage(Stage.GENERATE).expected
    assert made.wall_s.expected > without.wall_s.expected
    planned_already = forecast(tasks, TEXT_BYTES, models, 8, planned_micro=77, before=(Stage.ENHANCE,))
    assert planned_already.of_owner(PLAN).high == 77
    assert planned_already.of_stage(Stage.GENERATE) == made.of_stage(Stage.GENERATE)


def test_what_was_spent_on_the_plan_is_known() -> None:
    models = ProjectModels(models=(model("v:m"),), routing={})
    made = forecast(sizes([planned(1, TaskType.CODE_GENERATION, [])]), TEXT_BYTES, models, 8, planned_micro=77)
    cost = made.of_owner(PLAN)
    assert (cost.low, cost.expected, cost.high) == (77, 77, 77)


def test_a_model_without_a_price_is_not_reckoned_with() -> None:
    dear, unknown = model("v:dear"), model("w:unknown", prices=(), quality=1.0)
    tasks = assumed_plan("p", "c").tasks
    made = forecast(tasks, TEXT_BYTES, ProjectModels(models=(unknown, dear), routing={}), 8)
    assert {name for item in made.items for name in item.models} == {"v:dear"}
    with pytest.raises(NoModelError):
        forecast(tasks, TEXT_BYTES, ProjectModels(models=(unknown,), routing={}), 8)


def test_the_basis_can_be_recomputed_by_hand() -> None:
    models = ProjectModels(models=(model("v:m", 2_000_000),), routing={})
    made = forecast(sizes([planned(1, TaskType.CODE_GENERATION, [])]), TEXT_BYTES, models, 8)
    item = next(item for item in made.items if item.stage is Stage.GENERATE)
    assert item.basis == "1.3 iterations, 1,800 output tokens each, v:m at $2/$2 per million tokens in/out"
    assert item.calls_percent.expected == 130
    assert item.output_tokens.expected == 2340
    assert abs(item.cost_micro.expected - 2 * (item.input_tokens.expected + 2340)) <= 3


def test_the_critical_path_is_the_longest_in_time() -> None:
    chained = [
        planned(1, TaskType.SUMMARIZATION, []),
        planned(2, TaskType.CODE_GENERATION, []),
        planned(3, TaskType.SUMMARIZATION, ["t1", "t2"]),
    ]
    models = ProjectModels(models=(model("v:m"),), routing={})
    assert forecast(sizes(chained), TEXT_BYTES, models, 8).critical_path == ("t2", "t3")


@pytest.mark.parametrize(
    ("low", "high", "says"),
    [
        (1, 9, Risk.FITS),
        (1, 10, Risk.FITS),
        (9, 11, Risk.MAY_EXCEED),
        (10, 11, Risk.MAY_EXCEED),
        (11, 12, Risk.CANNOT_FIT),
    ],
)
def test_risk_against_a_limit_of_ten(low: int, high: int, says: Risk) -> None:
    assert risk(low, high, 10) is says

"""The Python API's own logic: events and hooks from what is heard, orders of models, forecasts, values."""

import asyncio
import math
from typing import Any

import pytest
from pydantic import ValidationError

from orchestrator.api.events import ProjectEvent, ProjectEventBus, TaskFailed, TaskStarted
from orchestrator.api.forecasting import CostForecaster, CostPredictor, RiskLevel, levels_of
from orchestrator.api.happenings import Translator
from orchestrator.api.hooks import EventType, HookRegistry
from orchestrator.api.optimization import GreedyBackend, ParetoBackend, WeightedSumBackend, routing_of
from orchestrator.api.track_record import TrackRecord
from orchestrator.api.values import Budget, Task, joined
from orchestrator.contracts.project import Event, ProjectStatus, ProjectView, TaskView
from orchestrator.contracts.tools import CallRecord
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.money import PriceTier
from orchestrator.domain.phases import BudgetPhase
from orchestrator.domain.tasks import TaskType

GENERATION = TaskType.CODE_GENERATION


def model(name: str, quality: float, usd_per_mtok: float | None) -> ModelSpec:
    micro = round((usd_per_mtok or 0) * 1_000_000)
    tier = PriceTier(input_micro=micro, cached_input_micro=micro, output_micro=micro)
    return ModelSpec(
        id=f"v:{name}",
        vendor="v",
        model=name,
        context_tokens=200_000,
        max_output_tokens=20_000,
        quality=quality,
        prices=() if usd_per_mtok is None else (tier,),
    )


def view(status: ProjectStatus, *tasks: TaskView, **changes: Any) -> ProjectView:
    given = {
        "project_id": "p",
        "workflow_id": "project-p",
        "status": status,
        "spent_micro": 0,
        "uncertain_micro": 0,
        "reserved_micro": 0,
        "max_micro": 1_000_000,
        "quality_score": None,
        "calls": 0,
        "elapsed_s": 2.0,
        "simulated": True,
        "tasks": tasks,
        "tasks_total": len(tasks),
        **changes,
    }
    return ProjectView.model_validate(given)


def task(name: str, status: str, **changes: Any) -> TaskView:
    return TaskView.model_validate({"id": name, "title": name, "type": GENERATION, "status": status, **changes})


class Heard:
    """Keeps what hooks were called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.hooks = HookRegistry()
        for event in EventType:
            self.hooks.add(event, lambda kind=event.value, **given: self.calls.append((kind, given)))

    def named(self, kind: EventType) -> list[dict[str, Any]]:
        return [given for name, given in self.calls if name == kind.value]


def kinds(events: list[ProjectEvent]) -> list[str]:
    return [event.type for event in events]


def test_views_become_typed_events_each_once() -> None:
    heard = Heard()
    translator = Translator(heard.hooks, "catalog")
    assert translator.of_view(view(ProjectStatus.PLANNING)) == []
    waiting = task("b", "PENDING")
    first = translator.of_view(view(ProjectStatus.RUNNING, task("a", "RUNNING", iterations=1, model="v:m"), waiting))
    assert kinds(first) == ["ProjectStarted", "TaskStarted", "TaskProgressUpdate"]
    assert first[0].data == {"project_id": "p", "total_tasks": 2, "budget_usd": 1.0}
    again = task("a", "RUNNING", iterations=2, score=0.5, model="v:m", attempts=("#1 score 0.50",))
    assert kinds(translator.of_view(view(ProjectStatus.RUNNING, again, waiting))) == ["TaskProgressUpdate"]
    assert translator.of_view(view(ProjectStatus.RUNNING, again, waiting)) == []
    done = task("a", "COMPLETED", iterations=2, score=0.9, model="v:m", spent_micro=20, uncertain_micro=1)
    last = view(ProjectStatus.PARTIAL_SUCCESS, done, task("b", "SKIPPED", reason="no"), spent_micro=20)
    end = translator.of_view(last)
    assert kinds(end) == ["TaskProgressUpdate", "TaskCompleted", "TaskFailed", "ProjectCompleted"]
    assert end[1].data["cost_usd"] == pytest.approx(0.000021)
    assert end[2] == TaskFailed(task_id="b", reason="no", model="")
    assert (end[3].data["status"], end[3].data["tasks_completed"], end[3].data["tasks_failed"]) == (
        "PARTIAL_SUCCESS",
        1,
        1,
    )
    assert translator.of_view(last) == []
    assert [given["task_id"] for given in heard.named(EventType.TASK_COMPLETED)] == ["a", "b"]
    assert [given["iteration"] for given in heard.named(EventType.TASK_RETRY_WITH_HISTORY)] == [2]


def test_lines_of_the_log_become_hooks() -> None:
    heard = Heard()
    translator = Translator(heard.hooks, "pareto")
    lines = [
        ("call_started", "generate #1 v:m; not v:n: no key", "a"),
        ("call_started", "evaluate #1 judge-1 v:j", "a"),
        ("validated", "ruff: 2 finding(s), first a.py:1 E1 bad; pytest (memory limit): 1 finding(s), first x", "a"),
        ("validated", "passed: ruff, pytest", "a"),
        ("validated", "nothing to check", "a"),
        ("call_started", "plan #1 v:p", ""),
    ]
    for kind, text, owner in lines:
        translator.of_event(Event(seq=1, time_s=0.0, kind=kind, text=text, task=owner))
    assert heard.calls == [
        ("model_selected", {"task_id": "a", "model": "v:m", "backend": "pareto"}),
        ("model_selected", {"task_id": "a", "model": "v:j", "backend": "pareto"}),
        ("validation_failed", {"task_id": "a", "model": "v:m", "validators": ("ruff", "pytest")}),
    ]


def test_each_share_of_the_budget_is_warned_of_once() -> None:
    heard = Heard()
    translator = Translator(heard.hooks, "catalog")
    half = view(ProjectStatus.RUNNING, spent_by_stage={"plan": 50_000}, spent_micro=50_000)
    (warning,) = translator.of_view(half)
    assert warning.data == {"phase": "planning", "spent_usd": 0.05, "cap_usd": 0.05, "ratio": 1.0}
    assert translator.of_view(half) == []
    nearly = view(ProjectStatus.RUNNING, spent_by_stage={"plan": 100_000, "generate": 850_000}, spent_micro=950_000)
    lines = translator.of_view(nearly)
    assert [event.data["phase"] for event in lines] == ["planning", "generation", "total", "total"]
    assert lines[-1].data["ratio"] == 0.95
    assert heard.named(EventType.BUDGET_WARNING)[0] == {"phase": "planning", "spent": 0.05, "cap": 0.05, "ratio": 1.0}


def test_a_hook_that_fails_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    hooks = HookRegistry()
    called: list[str] = []
    hooks.add("task_started", lambda **_: 1 / 0)
    hooks.add(EventType.TASK_STARTED, lambda task_id, **_: called.append(task_id))
    hooks.fire(EventType.TASK_STARTED, task_id="a", task=None)
    assert called == ["a"]
    assert "a hook of task_started failed" in caplog.text
    with pytest.raises(ValueError, match="nonsense"):
        hooks.add("nonsense", print)


async def _collected(bus: ProjectEventBus) -> list[ProjectEvent]:
    return [event async for event in bus.subscribe()]


def test_every_subscriber_gets_all_events_of_the_run_and_then_ends() -> None:
    events = [TaskStarted(task_id=str(number), task_type="t", model="m") for number in range(3)]

    async def run() -> None:
        bus = ProjectEventBus()
        early = asyncio.create_task(_collected(bus))
        await asyncio.sleep(0)
        bus.begin()
        await bus.publish(events[0])
        middle = asyncio.create_task(_collected(bus))
        await bus.publish(events[1])
        await bus.publish(events[2])
        await bus.end()
        assert [await early, await middle, await _collected(bus)] == [events] * 3
        bus.begin()
        await bus.publish(events[0])
        stale = asyncio.create_task(_collected(bus))
        await asyncio.sleep(0)
        bus.begin()  # another run: who listened to the one before is let go
        await bus.publish(events[1])
        assert await stale == events[:1]

    asyncio.run(asyncio.wait_for(run(), 10))


CHEAP, GOOD, BAD, UNPRICED = (
    model("cheap", 0.5, 0.1),
    model("good", 0.9, 3.0),
    model("bad", 0.4, 5.0),
    model("unpriced", 1.0, None),
)


def test_backends_order_the_models_that_have_a_price() -> None:
    models = [BAD, CHEAP, GOOD]
    assert GreedyBackend().order(models, {})[0] == CHEAP
    assert WeightedSumBackend(w_quality=1.0, w_cost=0.0, w_trust=0.0).order(models, {}) == (GOOD, CHEAP, BAD)
    assert WeightedSumBackend(w_quality=0.2, w_cost=0.7, w_trust=0.1).order(models, {})[0] == CHEAP
    assert ParetoBackend().order(models, {}) == (GOOD, CHEAP, BAD)
    assert ParetoBackend().order(models, {"v:good": 0.1})[0] == CHEAP, "nobody trusts the good one"
    table = routing_of(ParetoBackend(), [*models, UNPRICED], {})
    assert table[TaskType.CODE_REVIEW] == ("v:good", "v:cheap", "v:bad")


def test_trust_is_the_share_of_usable_answers() -> None:
    record = CallRecord(
        key="k", task="a", stage="generate", iteration=1, role="", model="v:m", outcome="answer", cost_micro=1,
        uncertain_micro=0, input_tokens=1, output_tokens=1, latency_ms=1,
    )  # fmt: skip
    track = TrackRecord()
    track.learn([record, record, record, record.model_copy(update={"outcome": "refused"})])
    assert track.trust() == {"v:m": 0.75}


TASKS = (
    Task(id="a", type=GENERATION, prompt="Write a.", target_paths=("a.py",)),
    Task(id="b", type=GENERATION, prompt="Write b.", target_paths=("b.py",), dependencies=("a",)),
    Task(id="c", type=TaskType.CODE_REVIEW, prompt="Review.", dependencies=("a",)),
)


def test_a_forecast_heeds_what_was_learned() -> None:
    profiles = {GOOD.id: GOOD}
    predictor = CostPredictor(alpha=0.5)
    before = CostForecaster.forecast(TASKS, profiles, predictor, Budget(max_usd=100.0))
    assert before.estimated_total_usd == pytest.approx(sum(before.by_task.values()))
    assert 0 < before.low_usd < before.estimated_total_usd < before.high_usd
    assert before.risk_level is RiskLevel.LOW
    assert before.by_phase[BudgetPhase.GENERATION] > 0
    predictor.record("v:good", GENERATION, 2.0)
    predictor.record("v:good", GENERATION, 4.0)
    assert predictor.predict("v:good", GENERATION) == 3.0
    after = CostForecaster.forecast(TASKS, profiles, predictor, Budget(max_usd=10.0))
    assert (after.by_task["a"], after.by_task["c"]) == (3.0, before.by_task["c"])
    assert after.risk_level is RiskLevel.MEDIUM
    assert CostForecaster.forecast(TASKS, profiles, predictor, Budget(max_usd=1.0)).risk_level is RiskLevel.HIGH
    with pytest.raises(ValueError, match="alpha"):
        CostPredictor(alpha=0)


def test_levels_are_what_can_be_done_side_by_side() -> None:
    assert levels_of(TASKS) == (("a",), ("b", "c"))
    assert levels_of(()) == ()


def test_a_budget_says_what_is_left() -> None:
    budget = Budget(max_usd=2.0, max_time_seconds=60, spent_usd=1.5, elapsed_seconds=70)
    assert (budget.remaining_usd, budget.remaining_seconds) == (0.5, 0.0)
    assert (budget.can_afford(0.5), budget.can_afford(0.6), budget.time_remaining()) == (True, False, False)
    assert budget.to_dict()["remaining_usd"] == 0.5
    assert (Budget().max_usd, Budget().max_time_seconds) == (8.0, 5400.0)
    with pytest.raises(ValidationError):
        Budget(max_usd=0)


def test_output_is_the_text_of_the_files() -> None:
    assert joined({"a.py": b"x\n"}) == "x\n"
    assert joined({"a.py": b"x\n", "b.bin": b"\xff"}) == "# a.py\nx\n\n# b.bin\n\ufffd"
    assert joined({}) == ""


def test_a_task_that_nobody_scored_has_no_number() -> None:
    ended = Translator(HookRegistry(), "").of_view(view(ProjectStatus.RUNNING, task("a", "DEGRADED")))[-1]
    assert math.isnan(ended.data["score"])

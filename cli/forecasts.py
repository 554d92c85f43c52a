"""A forecast as its user sees it: the block of text, and the object of `start --dry-run --json` (docs/dry-run.md)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import typer

from cli.console import columns
from cli.results import money
from orchestrator.domain.answers import PlannedTask
from orchestrator.domain.forecast import Forecast, Item, Risk, Seconds, risk
from orchestrator.domain.graph import mermaid
from orchestrator.domain.money import MICRO_PER_USD, usd
from orchestrator.domain.tasks import Stage
from orchestrator.domain.text import duration, one_line
from orchestrator.domain.workload import Range, TaskSize, total

_COLOURS = {Risk.FITS: "green", Risk.MAY_EXCEED: "yellow", Risk.CANNOT_FIT: "red"}
_SHOWN_TASKS = 100
_SHOWN_STEPS = 40


@dataclass(frozen=True)
class Outlook:
    """A forecast and what it is about. `tasks` is empty and `project_id` None where nothing was planned."""

    forecast: Forecast
    sizes: tuple[TaskSize, ...]
    tasks: tuple[PlannedTask, ...]
    project_id: str | None
    spent_micro: int
    max_micro: int
    time_limit_s: float
    simulated: bool
    vendors: str  # which vendors are reckoned with, and why
    assumptions: tuple[str, ...]

    @property
    def cost_risk(self) -> Risk:
        """The cost against the budget."""
        cost = self.forecast.cost_micro
        return risk(cost.low, cost.high, self.max_micro)

    @property
    def time_risk(self) -> Risk:
        """The time against its limit."""
        wall = self.forecast.wall_s
        return risk(wall.low, wall.high, self.time_limit_s)


def outlook_object(outlook: Outlook) -> dict[str, Any]:
    """The object of `start --dry-run --json`; its keys are stable."""
    made = outlook.forecast
    return {
        "dry_run": "plan" if outlook.project_id else "estimate",
        "project_id": outlook.project_id,
        "spent_usd": usd(outlook.spent_micro),
        "max_usd": usd(outlook.max_micro),
        "time_limit_s": outlook.time_limit_s,
        "simulated": outlook.simulated,
        "vendors": outlook.vendors,
        "cost_usd": _usd(made.cost_micro),
        "cost_risk": outlook.cost_risk.value,
        "wall_s": made.wall_s.model_dump(),
        "time_risk": outlook.time_risk.value,
        "calls": _calls(made.calls_percent),
        "input_tokens": total(item.input_tokens for item in made.items).model_dump(),
        "output_tokens": total(item.output_tokens for item in made.items).model_dump(),
        "assumptions": list(outlook.assumptions),
        "stages": [_stage_object(outlook, stage) for stage in _stages(outlook)],
        "tasks": [_task_object(task, made) for task in outlook.tasks],
        "critical_path": list(made.critical_path) if outlook.tasks else [],
        "mermaid": mermaid(outlook.tasks, made.critical_path) if outlook.tasks else None,
        "next": _next(outlook.project_id),
    }


def outlook_block(outlook: Outlook) -> str:
    """The forecast as text for a reader."""
    lines = ["", *columns(_facts(outlook)), "", *columns(_stage_rows(outlook))]
    if outlook.tasks:
        lines += ["", *columns(_task_rows(outlook))]
        if len(outlook.tasks) > _SHOWN_TASKS:
            lines.append(f"  … and {len(outlook.tasks) - _SHOWN_TASKS} more tasks")
        lines += ["", "```mermaid", mermaid(outlook.tasks, outlook.forecast.critical_path), "```"]
    lines += ["", "What the figures rest on:"]
    lines += [f"  {line}" for line in (*outlook.assumptions, *_bases(outlook))]
    command = _next(outlook.project_id)
    lines += ["", f"Carry it out with '{command}'."] if outlook.project_id else ["", f"For a real plan: {command}"]
    return "\n".join(lines)


def _facts(outlook: Outlook) -> list[tuple[str, ...]]:
    made = outlook.forecast
    calls = _calls(made.calls_percent)
    cost_fits = made.cost_micro.expected <= outlook.max_micro
    time_fits = made.wall_s.expected <= outlook.time_limit_s
    reads, writes = (total(getattr(item, name) for item in made.items) for name in ("input_tokens", "output_tokens"))
    facts: list[tuple[str, ...]] = [
        ("cost", f"{_money(made.cost_micro)}; {_verdict(outlook.cost_risk, cost_fits)} {money(outlook.max_micro)}"),
        ("time", f"{_time(made.wall_s)}; {_verdict(outlook.time_risk, time_fits)} {duration(outlook.time_limit_s)}"),
        ("calls", f"{calls['expected']} expected, {calls['low']} to {calls['high']}"),
        ("tokens", f"{reads.expected:,} in and {writes.expected:,} out expected"),
        ("spent", f"{money(outlook.spent_micro)} so far"),
        ("vendors", outlook.vendors),
    ]
    if outlook.tasks:
        path = made.critical_path
        more = f" -> … {len(path) - _SHOWN_STEPS} more" if len(path) > _SHOWN_STEPS else ""
        facts.append(("critical path", " -> ".join(one_line(name, 64) for name in path[:_SHOWN_STEPS]) + more))
    return facts


def _verdict(value: Risk, expected_fits: bool) -> str:
    text = value.value
    if value is Risk.MAY_EXCEED:
        text = "expected to fit, may exceed" if expected_fits else "expected to exceed"
    return typer.style(text, fg=_COLOURS[value], bold=True)


def _money(cost: Range) -> str:
    low, expected, high = _cells(cost)
    return f"{expected} expected, {low} to {high}"


def _time(wall: Seconds) -> str:
    return f"{duration(wall.expected)} expected, {duration(wall.low)} to {duration(wall.high)}"


def _stage_rows(outlook: Outlook) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("stage", "calls", "low", "expected", "high", "models")]
    for stage in _stages(outlook):
        items = _items(outlook, stage)
        calls = _calls(total(item.calls_percent for item in items))
        models = ", ".join(dict.fromkeys(item.models[0] for item in items if item.models))
        rows.append((stage.value, str(calls["expected"]), *_cells(outlook.forecast.of_stage(stage)), models))
    return rows


def _task_rows(outlook: Outlook) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("task", "type", "after", "low", "expected", "high", "title")]
    for task in outlook.tasks[:_SHOWN_TASKS]:
        after = one_line(", ".join(task.dependencies), 40) or "-"
        cost = _cells(outlook.forecast.of_owner(task.id))
        rows.append((one_line(task.id, 24), task.type.value, after, *cost, one_line(task.title, 60)))
    return rows


def _cells(cost: Range) -> tuple[str, str, str]:
    return _about(cost.low), _about(cost.expected), _about(cost.high)


def _about(micro: int) -> str:
    """A forecast needs no micro-dollars: cents from a dollar on, four places below."""
    return f"${usd(micro):,.2f}" if micro >= MICRO_PER_USD else money(-(-micro // 100) * 100)


def _bases(outlook: Outlook) -> list[str]:
    """One line per stage and way of working: how many tasks, how often, how much, whose price."""
    return [f"{stage.value}: {basis}" for stage in _stages(outlook) for basis in _stage_basis(outlook, stage)]


def _stage_basis(outlook: Outlook, stage: Stage) -> list[str]:
    counts = {size.id: size.count.expected for size in outlook.sizes}
    found: dict[str, int] = {}
    for item in _items(outlook, stage):
        found[item.basis] = found.get(item.basis, 0) + counts.get(item.owner, 0)
    return [f"{count} task(s) of {basis}" if count else basis for basis, count in found.items()]


def _stages(outlook: Outlook) -> list[Stage]:
    """Those that the project goes through."""
    return [stage for stage in Stage if _items(outlook, stage)]


def _items(outlook: Outlook, stage: Stage) -> Sequence[Item]:
    return [item for item in outlook.forecast.items if item.stage is stage]


def _stage_object(outlook: Outlook, stage: Stage) -> dict[str, Any]:
    items = _items(outlook, stage)
    return {
        "stage": stage.value,
        "models": list(dict.fromkeys(item.models[0] for item in items if item.models)),
        "possible_models": list(dict.fromkeys(name for item in items for name in item.models)),
        "calls": _calls(total(item.calls_percent for item in items)),
        "input_tokens": total(item.input_tokens for item in items).model_dump(),
        "output_tokens": total(item.output_tokens for item in items).model_dump(),
        "cost_usd": _usd(outlook.forecast.of_stage(stage)),
        "basis": _stage_basis(outlook, stage),
    }


def _task_object(task: PlannedTask, made: Forecast) -> dict[str, Any]:
    return {
        "id": task.id,
        "title": task.title,
        "type": task.type.value,
        "dependencies": list(task.dependencies),
        "files": list(task.files),
        "validators": list(task.validators),
        "cost_usd": _usd(made.of_owner(task.id)),
    }


def _usd(cost: Range) -> dict[str, float]:
    return {"low": usd(cost.low), "expected": usd(cost.expected), "high": usd(cost.high)}


def _calls(percent: Range) -> dict[str, int]:
    """Whole calls; the expected ones are rounded up, as no call is made by half."""
    return {name: -(-value // 100) for name, value in percent.model_dump().items()}


def _next(project_id: str | None) -> str:
    return f"orch-cli resume {project_id}" if project_id else "orch-cli start --dry-run=plan"

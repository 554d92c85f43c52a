"""Soft caps of the budget: which stage pays from which, and when a warning is due."""

from orchestrator.domain.phases import SHARES, BudgetPhase, crossed, phase_of, phase_spends
from orchestrator.domain.tasks import Stage


def warnings(max_micro: int = 1_000, **spent: int) -> list[str]:
    by_phase = {BudgetPhase(name): micro for name, micro in spent.items()}
    return [warning.name for warning in crossed(phase_spends(by_phase, max_micro), max_micro)]


def test_every_stage_belongs_to_a_phase() -> None:
    writing = {stage for stage in Stage if phase_of(stage) is BudgetPhase.GENERATION}
    assert writing == {Stage.GENERATE, Stage.REVISE, Stage.REPAIR}
    assert {phase_of(stage) for stage in Stage} == set(BudgetPhase)


def test_a_tenth_is_a_reserve() -> None:
    assert sum(SHARES.values()) == 90
    caps = {spend.phase: spend.cap_micro for spend in phase_spends({}, 1_000)}
    assert caps[BudgetPhase.GENERATION] == 450


def test_a_line_is_crossed_when_it_is_reached() -> None:
    assert warnings() == []
    assert warnings(planning=49) == []
    assert warnings(planning=50) == ["planning@100"]
    assert warnings(planning=100) == ["planning@100", "planning@200"]
    assert warnings(review=249, evaluation=149) == []


def test_the_whole_budget_warns_as_well() -> None:
    assert warnings(generation=449, review=249, evaluation=101) == []
    assert warnings(generation=449, review=249, evaluation=102) == ["total@80"]
    assert set(warnings(generation=950)) == {"generation@100", "generation@200", "total@80", "total@95"}


def test_a_free_phase_never_warns() -> None:
    assert warnings(max_micro=1) == []

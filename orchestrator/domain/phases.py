"""Phases of the budget: soft caps, which warn and never stop."""

from collections.abc import Mapping
from enum import StrEnum

from orchestrator.domain.base import Frozen
from orchestrator.domain.tasks import Stage


class BudgetPhase(StrEnum):
    """What money is spent on."""

    PLANNING = "planning"
    GENERATION = "generation"
    REVIEW = "review"
    EVALUATION = "evaluation"


# Shares of the cap in percent; the remaining 10 are a reserve.
SHARES = {
    BudgetPhase.PLANNING: 5,
    BudgetPhase.GENERATION: 45,
    BudgetPhase.REVIEW: 25,
    BudgetPhase.EVALUATION: 15,
}
WARN_AT_PERCENT = (100, 200)  # of a phase's soft cap
WARN_TOTAL_AT_PERCENT = (80, 95)  # of the whole budget

_PHASES = {
    Stage.ENHANCE: BudgetPhase.PLANNING,
    Stage.ADVISE: BudgetPhase.PLANNING,
    Stage.PLAN: BudgetPhase.PLANNING,
    Stage.CRITIQUE: BudgetPhase.REVIEW,
    Stage.EVALUATE: BudgetPhase.EVALUATION,
    Stage.JUDGE: BudgetPhase.EVALUATION,
}


class PhaseSpend(Frozen):
    """One phase: its soft cap and what it has cost, uncertain charges included, in micro-USD."""

    phase: BudgetPhase
    cap_micro: int
    spent_micro: int


class BudgetWarning(Frozen):
    """A line that was crossed. `name` is unique, so that each is said once."""

    name: str
    text: str


def phase_of(stage: Stage) -> BudgetPhase:
    """The phase that pays for a stage."""
    return _PHASES.get(stage, BudgetPhase.GENERATION)


def phase_spends(spent: Mapping[BudgetPhase, int], max_micro: int) -> tuple[PhaseSpend, ...]:
    """All phases with their soft caps."""
    return tuple(
        PhaseSpend(phase=phase, cap_micro=max_micro * share // 100, spent_micro=spent.get(phase, 0))
        for phase, share in SHARES.items()
    )


def crossed(spends: tuple[PhaseSpend, ...], max_micro: int) -> list[BudgetWarning]:
    """All lines that spending has reached by now."""
    found = []
    for spend in spends:
        for percent in WARN_AT_PERCENT:
            if spend.spent_micro * 100 >= spend.cap_micro * percent and spend.spent_micro:
                share = SHARES[spend.phase]
                text = f"{spend.phase.value} has used {percent} % of its share ({share} % of the budget)"
                found.append(BudgetWarning(name=f"{spend.phase.value}@{percent}", text=text))
    total_micro = sum(spend.spent_micro for spend in spends)
    for percent in WARN_TOTAL_AT_PERCENT:
        if total_micro * 100 >= max_micro * percent:
            found.append(BudgetWarning(name=f"total@{percent}", text=f"{percent} % of the budget is used"))
    return found

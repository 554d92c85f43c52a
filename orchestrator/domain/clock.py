"""A run's clock: time that counts against its limit, and what holds it. Times are workflow time in seconds."""

from enum import StrEnum

from orchestrator.domain.base import Frozen


class Hold(StrEnum):
    """Why nothing new may begin."""

    OPERATOR = "operator"  # somebody paused the run
    BUDGET = "budget"  # needed work was refused, and the run waits for more money instead of ending
    APPROVAL = "approval"  # the plan waits for a person
    SUGGESTIONS = "suggestions"  # suggestions for a better text wait for a person


class Clock(Frozen):
    """Time that passes while anything holds the run does not count."""

    started_s: float
    held_s: float = 0.0  # total of finished holds
    held_since_s: float | None = None
    holds: dict[Hold, str] = {}  # with their reasons

    @property
    def held(self) -> bool:
        return bool(self.holds)

    @property
    def reason(self) -> str:
        """Why the run is held; empty where it is not, or where nobody said."""
        return "; ".join(reason for reason in self.holds.values() if reason)

    def active_s(self, now_s: float) -> float:
        """Seconds that count against the time limit."""
        end_s = now_s if self.held_since_s is None else self.held_since_s
        return max(0.0, end_s - self.started_s - self.held_s)

    def hold(self, hold: Hold, reason: str, now_s: float) -> "Clock":
        """Stop the clock, if nothing else has done so."""
        since_s = now_s if self.held_since_s is None else self.held_since_s
        return self.model_copy(update={"holds": {**self.holds, hold: reason}, "held_since_s": since_s})

    def release(self, hold: Hold, now_s: float) -> "Clock":
        """Drop one hold; the clock goes on once none is left."""
        rest = {name: reason for name, reason in self.holds.items() if name is not hold}
        if rest or self.held_since_s is None:
            return self.model_copy(update={"holds": rest})
        held_s = self.held_s + now_s - self.held_since_s
        return self.model_copy(update={"holds": {}, "held_since_s": None, "held_s": held_s})

"""A list of steps that can be ticked off."""

from dataclasses import dataclass, field


@dataclass
class Checklist:
    """Steps in order; each is open or done."""

    _steps: dict[str, bool] = field(default_factory=dict)

    def add(self, step: str) -> None:
        """Append an open step; raises ValueError if it is empty or known."""
        name = " ".join(step.split())
        if not name:
            raise ValueError("a step needs a name")
        if name in self._steps:
            raise ValueError(f"there is already a step {name!r}")
        self._steps[name] = False

    def complete(self, step: str) -> None:
        """Tick a step off; raises KeyError if it is unknown."""
        if step not in self._steps:
            raise KeyError(step)
        self._steps[step] = True

    def open_steps(self) -> list[str]:
        """Steps that are not done yet, in order."""
        return [name for name, done in self._steps.items() if not done]

    def items(self) -> list[tuple[str, bool]]:
        """All steps in order, each with whether it is done."""
        return list(self._steps.items())

    def progress(self) -> float:
        """The share of steps that are done, between 0 and 1; 0 without steps."""
        return sum(self._steps.values()) / len(self._steps) if self._steps else 0.0

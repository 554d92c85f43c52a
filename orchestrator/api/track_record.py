"""How far models can be relied on, as the runs of an orchestrator have shown."""

from collections.abc import Iterable

from orchestrator.contracts.tools import CallRecord

_ANSWER = "answer"


class TrackRecord:
    """Counts usable answers by model."""

    def __init__(self) -> None:
        self._calls: dict[str, int] = {}
        self._answers: dict[str, int] = {}

    def learn(self, calls: Iterable[CallRecord]) -> None:
        """Settled calls of one run."""
        for call in calls:
            self._calls[call.model] = self._calls.get(call.model, 0) + 1
            self._answers[call.model] = self._answers.get(call.model, 0) + (call.outcome == _ANSWER)

    def trust(self) -> dict[str, float]:
        """The share of usable answers by model, of those that were asked."""
        return {model: self._answers[model] / count for model, count in self._calls.items()}

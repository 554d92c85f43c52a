"""What the parts of a worker tell about themselves, whoever listens."""

from collections.abc import Mapping

from orchestrator.telemetry.instruments import Instrument
from orchestrator.telemetry.spans import Span


class Telemetry:
    """Takes measurements and spans, and by itself drops them. No method raises or blocks but `close`."""

    traces = False
    """Whether spans go anywhere: where not, nobody has to build them."""

    content = False
    """Whether spans of calls carry prompts and answers."""

    def add(self, instrument: Instrument, amount: float, labels: Mapping[str, str]) -> None:
        """Add to a counter or a gauge, or record a value of a histogram. `labels` are all those of the instrument."""

    def emit(self, span: Span) -> None:
        """A span that has ended."""

    def exposition(self) -> str | None:
        """All metrics as Prometheus reads them; None where they are not kept."""
        return None

    def close(self) -> None:
        """Send what is left. Blocks, for a few seconds at most."""


SILENT = Telemetry()
"""Nobody listens."""

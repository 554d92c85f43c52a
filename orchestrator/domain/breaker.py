"""Circuit breakers: which vendors and models are asked at all. Times are workflow time in seconds."""

from enum import StrEnum

from orchestrator.domain.base import Frozen
from orchestrator.domain.errors import FailureKind
from orchestrator.domain.model import ModelSpec

STRIKES_TO_OPEN = 3
FIRST_COOLDOWN_S = 30.0
MAX_COOLDOWN_S = 600.0
FIRST_BACKOFF_S = 0.5
MAX_BACKOFF_S = 30.0
_MAX_DOUBLINGS = 6  # brings the backoff to its maximum; thousands of strikes must not overflow

TRANSIENT = frozenset((FailureKind.TIMEOUT, FailureKind.CONNECTION, FailureKind.RATE_LIMIT, FailureKind.SERVER))
PERMANENT = frozenset((FailureKind.AUTH, FailureKind.BILLING, FailureKind.NOT_FOUND))
_MODEL_SCOPED = frozenset((FailureKind.NOT_FOUND, FailureKind.RATE_LIMIT))


class CircuitState(StrEnum):
    """Whether requests pass."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"  # one probe is under way


class Circuit(Frozen):
    """Health of one vendor or one model. `retry_at_s`: no request before that time; `probe`: the one under way."""

    state: CircuitState = CircuitState.CLOSED
    strikes: int = 0
    cooldown_s: float = FIRST_COOLDOWN_S
    open_until_s: float = 0.0
    retry_at_s: float = 0.0
    reason: str = ""
    probe: str = ""


class Breakers(Frozen):
    """All circuits of a run, by scope: `vendor` or `vendor:model`.

    `request` names a request from `on_send` to its end, so that a late end of another one is not taken for the probe's.
    """

    circuits: dict[str, Circuit] = {}

    def circuit(self, scope: str) -> Circuit:
        return self.circuits.get(scope, Circuit())

    def allows(self, model: ModelSpec, now_s: float) -> bool:
        """True if the model may be asked: closed, or open with its cooldown over and no probe under way."""
        for scope in (model.vendor, model.id):
            circuit = self.circuit(scope)
            if circuit.state is CircuitState.HALF_OPEN:
                return False
            if circuit.state is CircuitState.OPEN and now_s < circuit.open_until_s:
                return False
        return True

    def retry_at_s(self, model: ModelSpec) -> float:
        """Earliest time of the next request to this model after a failure that asked for a wait."""
        return max(self.circuit(model.vendor).retry_at_s, self.circuit(model.id).retry_at_s)

    def on_send(self, model: ModelSpec, request: str = "") -> "Breakers":
        """A request leaves: an open circuit whose cooldown is over becomes half-open, this request is its probe."""
        result = self
        for scope in (model.vendor, model.id):
            circuit = self.circuit(scope)
            if circuit.state is CircuitState.OPEN:
                update = {"state": CircuitState.HALF_OPEN, "probe": request}
                result = result._with(scope, circuit.model_copy(update=update))
        return result

    def on_success(self, model: ModelSpec) -> "Breakers":
        """An answer arrived: vendor and model are healthy again."""
        result = self
        for scope in (model.vendor, model.id):
            if scope in self.circuits and self.circuits[scope] != Circuit():
                result = result._with(scope, Circuit())
        return result

    def on_inconclusive(self, model: ModelSpec, request: str = "") -> "Breakers":
        """A probe ended without telling anything about health: the next request probes again."""
        result = self
        for scope in (model.vendor, model.id):
            circuit = self.circuit(scope)
            if circuit.state is CircuitState.HALF_OPEN and circuit.probe in ("", request):
                result = result._with(scope, circuit.model_copy(update={"state": CircuitState.OPEN, "probe": ""}))
        return result

    def on_failure(
        self,
        model: ModelSpec,
        kind: FailureKind,
        now_s: float,
        retry_after_s: float | None,
        reason: str,
        request: str = "",
    ) -> "Breakers":
        """Count a strike, open the circuit where it is the last one, and set the earliest next request."""
        if kind not in TRANSIENT and kind not in PERMANENT:
            return self.on_inconclusive(model, request)
        scope = model.id if kind in _MODEL_SCOPED else model.vendor
        circuit = self.circuit(scope)
        strikes = circuit.strikes + 1
        backoff_s = min(FIRST_BACKOFF_S * 2 ** min(strikes - 1, _MAX_DOUBLINGS), MAX_BACKOFF_S)
        update: dict[str, object] = {
            "strikes": strikes,
            "retry_at_s": now_s + (backoff_s if retry_after_s is None else retry_after_s),
            "reason": reason,
        }
        probe_failed = circuit.state is CircuitState.HALF_OPEN
        if kind in PERMANENT or strikes >= STRIKES_TO_OPEN or probe_failed:
            cooldown_s = min(circuit.cooldown_s * 2, MAX_COOLDOWN_S) if probe_failed else circuit.cooldown_s
            update |= {
                "state": CircuitState.OPEN,
                "probe": "",
                "cooldown_s": cooldown_s,
                "open_until_s": now_s + max(cooldown_s, retry_after_s or 0.0),
            }
        return self._with(scope, circuit.model_copy(update=update)).on_inconclusive(model, request)

    def _with(self, scope: str, circuit: Circuit) -> "Breakers":
        return self.model_copy(update={"circuits": {**self.circuits, scope: circuit}})


def opened(before: Breakers, after: Breakers) -> tuple[str, ...]:
    """Scopes that the last change opened."""
    return tuple(
        scope
        for scope, circuit in after.circuits.items()
        if circuit.state is CircuitState.OPEN and before.circuit(scope).state is not CircuitState.OPEN
    )


def closed(before: Breakers, after: Breakers) -> tuple[str, ...]:
    """Scopes that the last change closed."""
    return tuple(
        scope
        for scope, circuit in before.circuits.items()
        if circuit.state is not CircuitState.CLOSED and after.circuit(scope).state is CircuitState.CLOSED
    )

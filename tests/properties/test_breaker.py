"""Breakers: nobody is asked in vain, nobody is shut out for good, whatever answers arrive in whatever order."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from orchestrator.domain.breaker import (
    FIRST_COOLDOWN_S,
    MAX_BACKOFF_S,
    MAX_COOLDOWN_S,
    PERMANENT,
    STRIKES_TO_OPEN,
    TRANSIENT,
    Breakers,
    Circuit,
    CircuitState,
    closed,
    opened,
)
from orchestrator.domain.errors import FailureKind
from orchestrator.domain.model import ModelSpec
from tests.properties.profile import examples
from tests.properties.values import RETRY_AFTER_S, survives
from tests.unit.core_values import model

MODELS = (model("a:one"), model("a:two"), model("b:one"))
OF_ONE_MODEL = frozenset((FailureKind.NOT_FOUND, FailureKind.RATE_LIMIT))
HEALTH = TRANSIENT | PERMANENT
# Those that count are drawn most, so that circuits open and probes fail often enough.
KINDS = st.sampled_from((*FailureKind, *4 * [FailureKind.SERVER], *4 * [FailureKind.TIMEOUT]))
PICKS = st.integers(0, 1_000)


def scope_of(asked: ModelSpec, kind: FailureKind) -> str:
    return asked.id if kind in OF_ONE_MODEL else asked.vendor


class BreakerMachine(RuleBasedStateMachine):
    """Requests in flight, and what we count ourselves: strikes in a row by scope, and when it was shut last."""

    def __init__(self) -> None:
        super().__init__()
        self.breakers = Breakers()
        self.now_s = 1_000.0
        self.flying: list[ModelSpec] = []
        self.strikes: dict[str, int] = {}
        self.shut_at_s: dict[str, float] = {}  # of scopes that nothing good was heard of since

    @rule(asked=st.sampled_from(MODELS))
    def ask(self, asked: ModelSpec) -> None:
        allowed = self.breakers.allows(asked, self.now_s)
        for scope in (asked.vendor, asked.id):
            if scope in self.shut_at_s and self.now_s < self.shut_at_s[scope] + FIRST_COOLDOWN_S:
                assert not allowed, f"{scope} is asked before its cooldown is over"
        if asked.vendor not in self.shut_at_s and asked.id not in self.shut_at_s:
            assert allowed, "shut out without a cause"
        if allowed:
            self.breakers = self.breakers.on_send(asked)
            self.flying.append(asked)
            for scope in (asked.vendor, asked.id):
                if scope in self.shut_at_s:
                    assert self.breakers.circuit(scope).state is CircuitState.HALF_OPEN
                    assert not self.breakers.allows(asked, self.now_s + 10 * MAX_COOLDOWN_S), "one probe at a time"

    @precondition(lambda self: self.flying)
    @rule(pick=PICKS)
    def succeed(self, pick: int) -> None:
        before, asked = self.breakers, self.landed(pick)
        self.breakers = before.on_success(asked)
        for scope in (asked.vendor, asked.id):
            assert self.breakers.circuit(scope) == Circuit()
            assert (scope in closed(before, self.breakers)) is (scope in self.shut_at_s)
            self.strikes.pop(scope, None)
            self.shut_at_s.pop(scope, None)

    @precondition(lambda self: self.flying)
    @rule(pick=PICKS, kind=KINDS, retry_after_s=st.sampled_from(RETRY_AFTER_S))
    def fail(self, pick: int, kind: FailureKind, retry_after_s: float | None) -> None:
        before, asked = self.breakers, self.landed(pick)
        self.breakers = before.on_failure(asked, kind, self.now_s, retry_after_s, kind.value)
        changed = {s for s in self.breakers.circuits if self.breakers.circuit(s).strikes != before.circuit(s).strikes}
        if kind not in HEALTH:
            assert not changed, "a refusal is no strike"
            return
        scope = scope_of(asked, kind)
        assert changed == {scope}, "a failure counts against one scope"
        self.strikes[scope] = self.strikes.get(scope, 0) + 1
        assert self.breakers.circuit(scope).reason == kind.value
        assert self.breakers.retry_at_s(asked) >= self.now_s + (retry_after_s or 0.0)
        probe_failed = before.circuit(scope).state is CircuitState.HALF_OPEN
        if kind in PERMANENT or self.strikes[scope] >= STRIKES_TO_OPEN or probe_failed:
            assert scope in opened(before, self.breakers) or before.circuit(scope).state is CircuitState.OPEN
            assert not self.breakers.allows(asked, self.now_s + max(FIRST_COOLDOWN_S, retry_after_s or 0.0) - 0.001)
            self.shut_at_s[scope] = self.now_s

    @precondition(lambda self: self.flying)
    @rule(pick=PICKS)
    def say_nothing(self, pick: int) -> None:
        """A request that was never sent tells nothing about health."""
        before, asked = self.breakers, self.landed(pick)
        self.breakers = before.on_inconclusive(asked)
        assert not closed(before, self.breakers)

    @rule(seconds=st.sampled_from((0.1, 5.0, 29.9, 30.0, 61.0, 601.0)))
    def wait(self, seconds: float) -> None:
        self.now_s += seconds

    @invariant()
    def who_is_shut_is_known(self) -> None:
        for scope, circuit in self.breakers.circuits.items():
            assert (circuit.state is not CircuitState.CLOSED) is (scope in self.shut_at_s)
            assert FIRST_COOLDOWN_S <= circuit.cooldown_s <= MAX_COOLDOWN_S
            assert circuit.retry_at_s <= self.now_s + MAX_COOLDOWN_S
            assert circuit.open_until_s <= self.now_s + MAX_COOLDOWN_S

    @invariant()
    def nobody_is_shut_out_for_good(self) -> None:
        """Every probe belongs to a request; and where none is under way, waiting helps."""
        probed = {s for s, circuit in self.breakers.circuits.items() if circuit.state is CircuitState.HALF_OPEN}
        assert probed <= {scope for asked in self.flying for scope in (asked.vendor, asked.id)}
        for each in MODELS:
            if not probed & {each.vendor, each.id}:
                assert self.breakers.allows(each, self.now_s + MAX_COOLDOWN_S)

    @invariant()
    def survives_the_store(self) -> None:
        self.breakers = survives(self.breakers)

    def landed(self, pick: int) -> ModelSpec:
        return self.flying.pop(pick % len(self.flying))


TestBreakers = BreakerMachine.TestCase
TestBreakers.settings = examples(150, moves=70)


@examples(100)
@given(
    st.integers(0, 100_000),
    st.sampled_from(sorted(TRANSIENT)),
    st.sampled_from(CircuitState),
    st.floats(FIRST_COOLDOWN_S, MAX_COOLDOWN_S),
)
def test_waits_stay_bounded_after_any_number_of_failures(
    strikes: int, kind: FailureKind, state: CircuitState, cooldown_s: float
) -> None:
    asked, now_s = MODELS[0], 1_000.0
    circuit = Circuit(strikes=strikes, state=state, cooldown_s=cooldown_s)
    before = Breakers(circuits={scope_of(asked, kind): circuit})
    after = before.on_failure(asked, kind, now_s, None, "down")
    assert now_s < after.retry_at_s(asked) <= now_s + MAX_BACKOFF_S
    assert after.allows(asked, now_s + MAX_COOLDOWN_S)

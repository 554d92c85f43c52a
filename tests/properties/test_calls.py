"""One call: nobody is asked who must not be, nobody is refused who could be served, and every call ends."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.breaker import Breakers
from orchestrator.domain.calls import (
    MAX_ASKS,
    MAX_TOKEN_FACTOR,
    PATIENCE_S,
    CallLimits,
    CallProgress,
    Choice,
    GiveUp,
    Send,
    WaitForBudget,
    WaitUntil,
    after_failure,
    choose,
    is_hopeless,
)
from orchestrator.domain.ledger import Ledger
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.money import upper_bound_micro
from orchestrator.domain.tasks import Stage
from tests.properties.profile import examples
from tests.properties.simulation import smallest_micro
from tests.properties.values import random_failure, random_models, survives
from tests.unit.core_values import model

SEEDS = st.integers(0, 2**32)


class World:
    """Everything that a choice depends on."""

    def __init__(self, rng: Random) -> None:
        self.now_s = 1_000.0
        self.models = random_models(rng)
        self.limits = CallLimits(
            prompt_bytes=rng.choice((0, 2_000, 90_000)), max_tokens=rng.choice((512, 8_192)), min_tokens=200
        )
        self.breakers = Breakers()
        for _ in range(rng.randint(0, 6)):
            struck, failure = rng.choice(self.models), random_failure(rng)
            self.breakers = self.breakers.on_failure(
                struck, failure.kind, self.now_s - rng.choice((0.0, 1.0, 31.0, 700.0)), failure.retry_after_s, "down"
            )
            if self.breakers.allows(struck, self.now_s) and rng.random() < 0.2:
                self.breakers = self.breakers.on_send(struck)
        self.ledger = Ledger(max_micro=rng.choice((0, 300, 3_000, 60_000, 10**9)))
        for number in range(rng.randint(0, 3)):
            amount = rng.randint(0, self.ledger.max_micro) // 2
            if self.ledger.fits(amount):
                self.ledger = self.ledger.reserve(str(number), amount)
                settled = (self.ledger.settle(str(number), amount // 2), self.ledger.settle_uncertain(str(number), "m"))
                self.ledger = rng.choice((self.ledger, self.ledger, *settled))
        self.progress = CallProgress(
            ask=rng.choice((1, 2, MAX_ASKS, MAX_ASKS + 1)),
            unsuitable=tuple(m.id for m in self.models if rng.random() < 0.2),
            context_above=rng.choice((0, 0, 8_000)),
            token_factor=rng.choice((1, 2, MAX_TOKEN_FACTOR)),
            prompt_bytes=rng.choice((0, 0, 4_000)),
        )

    @property
    def prompt_bytes(self) -> int:
        return self.progress.prompt_bytes or self.limits.prompt_bytes

    def choose(self) -> Choice:
        return choose(self.progress, self.models, self.limits, self.ledger, self.breakers, self.now_s)

    def candidates(self) -> list[ModelSpec]:
        """Whom this call may ask at all, money and waits aside."""
        progress = self.progress
        if progress.ask > MAX_ASKS:
            return []
        return [
            m
            for m in self.models
            if m.prices
            and m.id not in progress.unsuitable
            and m.context_tokens > progress.context_above
            and self.breakers.allows(m, self.now_s)
        ]

    def can_serve(self, asked: ModelSpec) -> bool:
        """The smallest request that makes sense could be paid, once all reservations have come back."""
        left_micro = self.ledger.max_micro - self.ledger.committed_micro
        least = min(asked.max_output_tokens, self.limits.min_tokens)
        return smallest_micro(asked, self.prompt_bytes, least) <= left_micro


@examples(400)
@given(SEEDS)
def test_a_choice_is_allowed_affordable_and_in_order(seed: int) -> None:
    world = World(Random(seed))
    choice, candidates, ledger = world.choose(), world.candidates(), world.ledger
    ready_at = {m.id: world.breakers.retry_at_s(m) for m in world.models}
    match choice:
        case Send(model=asked, max_tokens=tokens, amount_micro=amount):
            assert asked in candidates and ready_at[asked.id] <= world.now_s
            assert 0 < tokens <= asked.max_output_tokens
            assert amount == upper_bound_micro(world.prompt_bytes, tokens, asked.prices)
            assert ledger.reserve("this", amount).reserved["this"] == amount
            assert tokens >= min(world.limits.min_tokens, asked.max_output_tokens)
            for earlier in candidates[: candidates.index(asked)]:
                assert ready_at[earlier.id] > world.now_s + PATIENCE_S or not fits_in_full(world, earlier)
        case WaitForBudget(amount_micro=amount):
            assert (
                ledger.committed_micro + amount
                <= ledger.max_micro
                < ledger.committed_micro + amount + sum(ledger.reserved.values())
            )
        case WaitUntil(time_s=time_s):
            assert time_s > world.now_s
            assert any(ready_at[m.id] == time_s for m in candidates)
            if time_s > world.now_s + PATIENCE_S:
                assert not any(ready_at[m.id] <= world.now_s and fits_in_full(world, m) for m in candidates)
        case GiveUp(exhausted=True):
            assert candidates and not any(world.can_serve(m) for m in candidates)
        case GiveUp():
            assert not candidates and choice.reason


@examples(200)
@given(SEEDS)
def test_a_choice_survives_the_store(seed: int) -> None:
    world = World(Random(seed))
    before = world.choose()
    world.models = tuple(survives(m) for m in world.models)
    world.progress, world.limits = survives(world.progress), survives(world.limits)
    world.ledger, world.breakers = survives(world.ledger), survives(world.breakers)
    assert world.choose() == before


@examples(300)
@given(SEEDS, st.sampled_from(Stage))
def test_every_call_ends_whatever_its_models_say(seed: int, stage: Stage) -> None:
    """Only failures, for ever: waits are followed by requests, and their number is bounded."""
    rng = Random(seed)
    world = World(rng)
    world.progress = CallProgress()
    asked: list[int] = []
    waits = 0
    while not isinstance(choice := world.choose(), GiveUp) and not is_hopeless(world.progress, stage):
        if isinstance(choice, Send):
            waits = 0
            asked.append(world.progress.ask)
            failure, before = random_failure(rng), world.progress
            world.progress = survives(after_failure(before, choice, failure))
            assert set(before.unsuitable) <= set(world.progress.unsuitable)
            assert 1 <= before.token_factor <= world.progress.token_factor <= MAX_TOKEN_FACTOR
            world.breakers = world.breakers.on_send(choice.model).on_failure(
                choice.model, failure.kind, world.now_s, failure.retry_after_s, "down"
            )
        elif isinstance(choice, WaitUntil):
            waits += 1
            world.now_s = choice.time_s
        else:
            waits += 1
            world.ledger = world.ledger.release(next(iter(world.ledger.reserved)))
        assert waits <= len(world.models) + 3, "waits for ever"
    assert asked == list(range(1, len(asked) + 1)) and len(asked) <= MAX_ASKS


@examples(100)
@given(SEEDS)
def test_waiters_are_served_once_the_others_have_settled(seed: int) -> None:
    """One healthy model: as reservations come back, a waiting call is served or told that it cannot be."""
    rng = Random(seed)
    world = World(rng)
    world.models, world.breakers, world.progress = (model("a:one"),), Breakers(), CallProgress()
    while isinstance(choice := world.choose(), WaitForBudget):
        key, amount = next(iter(world.ledger.reserved.items()))
        world.ledger = rng.choice(
            (world.ledger.release(key), world.ledger.settle(key, amount // 2), world.ledger.settle_uncertain(key, "m"))
        )
    assert isinstance(choice, Send) is world.can_serve(world.models[0])


def fits_in_full(world: World, asked: ModelSpec) -> bool:
    """The request at its full size could be paid, once all reservations have come back."""
    wanted = world.limits.max_tokens * world.progress.token_factor
    if asked.reasoning:
        wanted += max(wanted, 4_096)
    tokens = min(wanted, asked.max_output_tokens)
    return world.ledger.can_ever_fit(upper_bound_micro(world.prompt_bytes, tokens, asked.prices))

"""What holds whatever providers do: who is asked how often, whose answer it is, and that everything is counted."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.breaker import STRIKES_TO_OPEN
from orchestrator.domain.errors import CallFailure, FailureKind, Fate
from orchestrator.providers import AllProvidersFailedError, ProviderError
from orchestrator.router import Router
from tests.router.stand_ins import Clock, Step, Told, router_over

KINDS = [kind for kind in FailureKind if kind is not FailureKind.BAD_REQUEST]
failures = st.builds(
    lambda kind, wait_s: ProviderError(CallFailure(kind=kind, fate=Fate.UNBILLED, message=kind, retry_after_s=wait_s)),
    st.sampled_from(KINDS),
    st.none() | st.floats(0, 100),
)
steps: st.SearchStrategy[list[Step]] = st.lists(st.just("") | failures, min_size=1, max_size=6)
strategies = st.sampled_from(["round-robin", "random", "first-available", "best-available", "cheapest", "fastest"])


def told_of(scripts: list[list[Step]], retries: int) -> list[Told]:
    return [
        Told(str(number), *(step or f"{number} first second" for step in script), retries=retries)
        for number, script in enumerate(scripts)
    ]


async def one(router: Router, *, streaming: bool) -> str:
    """Who answered; empty where nobody did."""
    try:
        words = [word async for word in router.route_stream("x")] if streaming else (await router.route("x")).split()
    except ProviderError as error:
        causes = error.causes if isinstance(error, AllProvidersFailedError) else {"0": error}
        assert sorted(causes) == sorted(each.config.name for each in router.providers)
        return ""
    assert words[1:] == ["first", "second"]
    return words[0]


@given(
    scripts=st.lists(steps, min_size=1, max_size=4),
    retries=st.integers(0, 4),
    waits_s=st.lists(st.floats(0, 50), min_size=1, max_size=8),
    strategy=strategies,
    streaming=st.booleans(),
)
def test_one_request_after_the_other(
    scripts: list[list[Step]], retries: int, waits_s: list[float], strategy: str, streaming: bool
) -> None:
    async def scene() -> None:
        clock, told = Clock(), told_of(scripts, retries)
        router = router_over(clock, told, strategy)
        answered: Counter[str] = Counter()
        for wait_s in waits_s:
            before = [len(each.asked) for each in told]
            answered[await one(router, streaming=streaming)] += 1
            asked = [len(each.asked) - number for each, number in zip(told, before, strict=True)]
            assert max(asked) <= min(retries + 1, STRIKES_TO_OPEN)
            clock.now_s += wait_s
        for each in told:
            metrics = router.get_metrics()[each.config.name]
            assert metrics.total_requests == len(each.asked)
            assert metrics.successful_requests == answered[each.config.name]
        assert max(clock.slept, default=0.0) <= 30

    asyncio.run(scene())


@given(
    scripts=st.lists(steps, min_size=1, max_size=4),
    retries=st.integers(0, 2),
    requests=st.integers(1, 30),
    strategy=strategies,
)
def test_many_requests_at_once(scripts: list[list[Step]], retries: int, requests: int, strategy: str) -> None:
    async def scene() -> None:
        clock, told = Clock(), told_of(scripts, retries)
        router = router_over(clock, told, strategy)
        outcomes = await asyncio.gather(*(one(router, streaming=number % 2 == 0) for number in range(requests)))
        counted = router.get_metrics().values()
        assert sum(metrics.total_requests for metrics in counted) == sum(len(each.asked) for each in told)
        assert sum(metrics.successful_requests for metrics in counted) == sum(1 for outcome in outcomes if outcome)

    asyncio.run(scene())


@given(
    breaks_after=st.lists(st.integers(0, 3), min_size=1, max_size=3),
    readers=st.integers(1, 6),
)
def test_pieces_of_one_stream_are_of_one_provider(breaks_after: list[int], readers: int) -> None:
    async def read(router: Router) -> list[str]:
        got: list[str] = []
        try:
            async for piece in router.route_stream("x"):
                got.append(piece)
        except ProviderError:
            pass
        return got

    async def scene() -> None:
        told = [Breaking(str(number), after) for number, after in enumerate(breaks_after)]
        router = router_over(Clock(), told)
        for got in await asyncio.gather(*(read(router) for _ in range(readers))):
            if got:
                name = got[0][0]
                assert got == [f"{name}{number}" for number in range(min(3, breaks_after[int(name)]))]

    asyncio.run(scene())


class Breaking(Told):
    """Three pieces, or fewer and an error."""

    def __init__(self, name: str, after: int) -> None:
        super().__init__(name, retries=0)
        self.after = after

    async def generate_stream(self, prompt: str, params: object = None) -> AsyncIterator[str]:
        for number in range(3):
            if number == self.after:
                raise ProviderError("cut")
            await asyncio.sleep(0)
            yield f"{self.config.name}{number}"

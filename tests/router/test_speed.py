"""What the router itself costs. The best of several measurements counts: others use this machine, too."""

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from bench.router import CALL_AIM_US, ROUTES_AIM_MS, call_us, routes_ms
from orchestrator.router.strategies import STRATEGIES

MEASUREMENTS = 20

Measurement = Callable[[str], Coroutine[object, object, float]]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(("measure", "aim"), [(call_us, CALL_AIM_US), (routes_ms, ROUTES_AIM_MS)])
def test_the_router_adds_little(strategy: str, measure: Measurement, aim: float) -> None:
    for _ in range(MEASUREMENTS):
        if asyncio.run(measure(strategy)) < aim:
            return
    pytest.fail(f"never under {aim}")

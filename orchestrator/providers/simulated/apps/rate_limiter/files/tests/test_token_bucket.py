"""The token bucket, with a clock that tests move by hand."""

import threading

import pytest

from rate_limiter.token_bucket import TokenBucket


class ManualClock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_burst_up_to_capacity_then_refusal() -> None:
    bucket = TokenBucket(rate=2.0, capacity=3, clock=ManualClock())
    assert [bucket.try_acquire() for _ in range(3)] == [0.0, 0.0, 0.0]
    assert bucket.try_acquire() == pytest.approx(0.5)


def test_tokens_come_back_at_the_rate() -> None:
    clock = ManualClock()
    bucket = TokenBucket(rate=4.0, capacity=1, clock=clock)
    assert bucket.try_acquire() == 0.0
    clock.now += 0.125
    assert bucket.try_acquire() == pytest.approx(0.125)
    clock.now += 0.125
    assert bucket.try_acquire() == 0.0


def test_a_refused_call_takes_nothing() -> None:
    clock = ManualClock()
    bucket = TokenBucket(rate=1.0, capacity=1, clock=clock)
    assert bucket.try_acquire() == 0.0
    for _ in range(5):
        assert bucket.try_acquire() == pytest.approx(1.0)


def test_idle_time_never_fills_beyond_capacity() -> None:
    clock = ManualClock()
    bucket = TokenBucket(rate=10.0, capacity=2, clock=clock)
    clock.now += 3600.0
    assert [bucket.try_acquire() > 0 for _ in range(3)] == [False, False, True]


def test_a_clock_that_steps_back_gives_nothing_away() -> None:
    clock = ManualClock()
    bucket = TokenBucket(rate=1.0, capacity=1, clock=clock)
    bucket.try_acquire()
    clock.now -= 50.0
    assert bucket.try_acquire() == pytest.approx(1.0)


def test_threads_share_one_bucket() -> None:
    bucket = TokenBucket(rate=1.0, capacity=50, clock=ManualClock())
    granted: list[bool] = []

    def worker() -> None:
        for _ in range(20):
            granted.append(bucket.try_acquire() == 0.0)

    threads = [threading.Thread(target=worker) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(granted) == 50


@pytest.mark.parametrize(("rate", "capacity"), [(0, 1), (-1, 1), (1, 0), (1, -5)])
def test_arguments_must_be_positive(rate: float, capacity: int) -> None:
    with pytest.raises(ValueError, match="greater than zero"):
        TokenBucket(rate, capacity)

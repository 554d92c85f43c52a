"""The sliding window, with a clock that tests move by hand."""

import threading

import pytest

from rate_limiter.sliding_window import SlidingWindow


class ManualClock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_no_more_than_limit_in_a_window() -> None:
    window = SlidingWindow(limit=2, window_s=10.0, clock=ManualClock())
    assert window.try_acquire() == 0.0
    assert window.try_acquire() == 0.0
    assert window.try_acquire() == pytest.approx(10.0)


def test_each_call_ages_out_by_itself() -> None:
    clock = ManualClock()
    window = SlidingWindow(limit=2, window_s=10.0, clock=clock)
    window.try_acquire()
    clock.now = 6.0
    window.try_acquire()
    clock.now = 9.0
    assert window.try_acquire() == pytest.approx(1.0)
    clock.now = 10.0
    assert window.try_acquire() == 0.0
    assert window.try_acquire() == pytest.approx(6.0)


def test_a_refused_call_is_not_recorded() -> None:
    clock = ManualClock()
    window = SlidingWindow(limit=1, window_s=5.0, clock=clock)
    window.try_acquire()
    clock.now = 4.0
    assert window.try_acquire() > 0
    clock.now = 5.0
    assert window.try_acquire() == 0.0


def test_threads_share_one_window() -> None:
    window = SlidingWindow(limit=30, window_s=60.0, clock=ManualClock())
    granted: list[bool] = []

    def worker() -> None:
        for _ in range(10):
            granted.append(window.try_acquire() == 0.0)

    threads = [threading.Thread(target=worker) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(granted) == 30


@pytest.mark.parametrize(("limit", "window_s"), [(0, 1.0), (-1, 1.0), (1, 0.0)])
def test_arguments_must_be_positive(limit: int, window_s: float) -> None:
    with pytest.raises(ValueError, match="greater than zero"):
        SlidingWindow(limit, window_s)

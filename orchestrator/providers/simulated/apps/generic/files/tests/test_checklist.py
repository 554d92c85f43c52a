"""Steps of a checklist."""

import pytest

from generic_demo.checklist import Checklist


def test_steps_keep_their_order() -> None:
    checklist = Checklist()
    checklist.add("first")
    checklist.add(" second   step ")
    assert checklist.open_steps() == ["first", "second step"]
    checklist.complete("first")
    assert checklist.open_steps() == ["second step"]
    assert checklist.items() == [("first", True), ("second step", False)]


def test_progress() -> None:
    checklist = Checklist()
    assert checklist.progress() == 0.0
    for step in ("a", "b", "c", "d"):
        checklist.add(step)
    checklist.complete("b")
    assert checklist.progress() == 0.25


def test_wrong_steps_are_refused() -> None:
    checklist = Checklist()
    checklist.add("a")
    with pytest.raises(ValueError, match="already"):
        checklist.add("a")
    with pytest.raises(ValueError, match="needs a name"):
        checklist.add("  ")
    with pytest.raises(KeyError):
        checklist.complete("b")

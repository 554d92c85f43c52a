"""Criteria one by one: how a text is taken apart, and what decides each part."""

import pytest

from orchestrator.domain.answers import CriterionAnswer
from orchestrator.domain.criteria import (
    JUDGED,
    MAX_CRITERIA,
    CriterionResult,
    by_tools,
    checked_by,
    open_numbers,
    split_criteria,
    unmet,
    with_judgements,
)
from orchestrator.domain.findings import CheckStatus


@pytest.mark.parametrize(
    ("text", "criteria"),
    [
        ("pytest suite passes, ruff clean", ("pytest suite passes", "ruff clean")),
        ("The app must work correctly", ("The app must work correctly",)),
        (
            "- all tests pass\n- handles 100 requests per second\n",
            ("all tests pass", "handles 100 requests per second"),
        ),
        ("1. login works; wrong password gives 401", ("login works", "wrong password gives 401")),
        ("returns 429, with a Retry-After header", ("returns 429, with a Retry-After header",)),
        ("accepts JSON (objects, lists), rejects others", ("accepts JSON (objects, lists), rejects others",)),
        ("It works.", ("It works",)),
        ("fast, small", ("fast, small",)),
        ("", ()),
    ],
)
def test_a_text_is_taken_apart(text: str, criteria: tuple[str, ...]) -> None:
    assert split_criteria(text) == criteria


def test_there_is_a_bound() -> None:
    many = split_criteria("\n".join(f"criterion number {n} {'x' * 500}" for n in range(100)))
    assert len(many) == MAX_CRITERIA
    assert max(len(one) for one in many) <= 300


@pytest.mark.parametrize(
    ("criterion", "checks"),
    [
        ("pytest suite passes", ("pytest", "npm_test")),
        ("all tests pass", ("pytest", "npm_test")),
        ("ruff clean", ("ruff",)),
        ("type-checked with mypy", ("mypy", "tsc")),
        ("the build succeeds", ("npm_build",)),
        ("the server starts", ("app_start",)),
        ("valid HTML", ("html",)),
        ("a restart keeps all data", ()),
        ("users can log in", ()),
        ("tests cover the login", ()),
    ],
)
def test_what_decides(criterion: str, checks: tuple[str, ...]) -> None:
    assert checked_by(criterion) == checks


@pytest.mark.parametrize(
    ("criterion", "met"),
    [
        ("pytest suite passes", True),
        ("all unit tests pass", True),
        ("ruff clean", True),
        ("no ruff warnings", True),
        ("the code is fully typed and passes mypy", True),
        ("pytest suite passes with at least 95 % coverage", None),
        ("the parser lints SQL", None),
        ("the form does type checking of user input", None),
    ],
)
def test_a_check_that_passes_decides_only_what_it_looks_at(criterion: str, met: bool | None) -> None:
    passed = dict.fromkeys(("pytest", "ruff", "mypy"), (CheckStatus.PASSED, ""))
    failed = dict.fromkeys(("pytest", "ruff", "mypy"), (CheckStatus.FAILED, ""))
    assert by_tools((criterion,), passed)[0].met is met
    assert by_tools((criterion,), failed)[0].met is False


def test_tools_decide_what_they_can_and_judges_the_rest() -> None:
    criteria = ("all tests pass", "ruff clean", "mypy passes", "users can log in")
    verdicts = {
        "pytest": (CheckStatus.PASSED, "12 passed"),
        "ruff": (CheckStatus.FAILED, ""),
        "mypy": (CheckStatus.UNCHECKED, "no tool"),
    }
    results = by_tools(criteria, verdicts)
    assert [(r.check, r.met, r.evidence) for r in results] == [
        ("pytest", True, "12 passed"),
        ("ruff", False, "ruff failed"),
        (JUDGED, None, ""),
        (JUDGED, None, ""),
    ]
    assert open_numbers(results) == (3, 4)
    said = [
        CriterionAnswer(number=1, met=False),
        CriterionAnswer(number=4, met=False, evidence="no login"),
        CriterionAnswer(number=9, met=True),
    ]
    results = with_judgements(results, said, "v:m")
    assert results[0].met, "a judge has no say where a tool decided"
    assert results[3] == CriterionResult(text="users can log in", check=JUDGED, met=False, evidence="v:m: no login")
    assert open_numbers(results) == (3,)
    assert [r.text for r in unmet(results)] == ["ruff clean", "users can log in"]

"""Replies with bugs end mended, or as COMPLETED_DEGRADED with the finding named; never as a success."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from orchestrator.domain.tasks import Stage
from orchestrator.testing.project_script import ProjectScript, ScriptedTask, task_of
from orchestrator.testing.vendor_script import Reply, VendorRequest
from tests.e2e.theatre import Theatre

_MENDING = (Stage.REVISE, Stage.REPAIR)
_PY = ("python_syntax", "ruff")

STORE = '''"""Keeps prices."""


class Prices:
    """Prices in cents by name."""

    def __init__(self) -> None:
        self._cents: dict[str, int] = {}

    def put(self, name: str, cents: int) -> None:
        """Keep a price."""
        self._cents[name] = cents

    def of(self, name: str) -> int:
        """The price. Raises KeyError."""
        return self._cents[name]
'''
BASKET = '''"""Adds prices up."""

from shop.prices import Prices


def total(prices: Prices, names: list[str]) -> int:
    """What these things cost together, in cents."""
    return sum(prices.of(name) for name in names)
'''
TESTS = '''"""The sum of a basket."""

import pytest

from shop.basket import total
from shop.prices import Prices


def test_a_basket_costs_the_sum() -> None:
    prices = Prices()
    prices.put("loaf", 450)
    prices.put("roll", 90)
    assert total(prices, ["loaf", "roll", "roll"]) == 630


def test_an_unknown_thing_has_no_price() -> None:
    with pytest.raises(KeyError):
        total(Prices(), ["cake"])
'''
VACUOUS = '"""Tests."""\n\n\ndef test_it() -> None:\n    pass\n'
GOOD = {
    "prices": {"shop/__init__.py": '"""A shop."""\n', "shop/prices.py": STORE},
    "basket": {"shop/basket.py": BASKET},
    "tests": {"tests/test_basket.py": TESTS},
}


class Bug(NamedTuple):
    """What a task writes instead, and what the finding says of it."""

    task: str
    path: str
    text: str
    finding: str


BUGS = {
    "wrong import": Bug("basket", "shop/basket.py", BASKET.replace("shop.prices", "shop.price_list"), "price_list"),
    "failing test": Bug("basket", "shop/basket.py", BASKET.replace("return sum", "return 1 + sum"), "pytest"),
    "conflicting signatures": Bug("prices", "shop/prices.py", STORE.replace("def of(", "def price_of("), "pytest"),
    "no such dependency": Bug(
        "basket",
        "shop/basket.py",
        BASKET.replace('"""\n\n', '"""\n\nimport orch_no_such_distribution\n\n', 1)
        + "\n\nUSED = orch_no_such_distribution\n",
        "orch_no_such_distribution",
    ),
    "vacuous test": Bug(
        "tests", "tests/test_basket.py", '"""Tests."""\n\n\ndef test_it() -> None:\n    pass\n', "pytest"
    ),
}


def script(bug: Bug, *, mended: bool) -> ProjectScript:
    """The project whose one task is written with the bug, and mended on request or never."""
    tasks = [
        ScriptedTask(
            id=name,
            dependencies=tuple(list(GOOD)[: list(GOOD).index(name)]),
            files=files,
            validators=(*_PY, "pytest") if name == "tests" else _PY,
        )
        for name, files in GOOD.items()
    ]
    return _WithBug(tasks=tuple(tasks), bug=bug._asdict(), mended=mended)


class _WithBug(ProjectScript):
    bug: dict[str, str]
    mended: bool

    def reply(self, request: VendorRequest) -> Reply:
        """Usual replies, but for the files of one task."""
        usual = super().reply(request)
        spoilt = request.stage == Stage.GENERATE or (request.stage in _MENDING and not self.mended)
        if spoilt and task_of(request) == self.bug["task"]:
            good = GOOD[self.bug["task"]][self.bug["path"]]
            return usual.model_copy(update={"text": usual.text.replace(good, self.bug["text"])})
        return usual


def result_of(theatre: Theatre, name: str, *, mended: bool) -> dict[str, Any]:
    theatre.play(script(BUGS[name], mended=mended).reply)
    return _run(theatre)


def _run(theatre: Theatre) -> dict[str, Any]:
    outcome = theatre.begin("--budget", "20", "--app-type", "library", "--no-enhance").wait(600)
    assert outcome.out, outcome.err
    return outcome.object


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == "wrong import" else [pytest.mark.long]) for name in BUGS]
)
def test_a_bug_that_somebody_mends_is_gone(theatre: Theatre, name: str) -> None:
    result = result_of(theatre, name, mended=True)
    assert result["status"] == "SUCCESS", result["reason"]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == "vacuous test" else [pytest.mark.long]) for name in BUGS]
)
def test_a_bug_that_nobody_mends_is_named_and_no_success(theatre: Theatre, name: str) -> None:
    result = result_of(theatre, name, mended=False)
    assert result["status"] == "COMPLETED_DEGRADED", result["reason"]
    report = (Path(result["output_dir"]) / "REPORT.md").read_text(encoding="utf-8")
    assert BUGS[name].finding in report.replace("\\", "")


@pytest.mark.long
def test_a_file_that_is_never_written_is_a_failure_of_its_task(theatre: Theatre) -> None:
    usual = script(BUGS["wrong import"], mended=True)

    def without_files(request: VendorRequest) -> Reply:
        reply = usual.reply(request)
        if task_of(request) == "tests" and request.stage in ("generate", *_MENDING):
            return reply.model_copy(update={"text": "I would rather not."})
        return reply

    theatre.play(without_files)
    result = _run(theatre)
    assert result["status"] == "PARTIAL_SUCCESS"
    assert "tests/test_basket.py" in result["reason"]

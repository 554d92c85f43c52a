"""`validate`: what it says of a file, on both streams, and that it starts nothing."""

import json
import os
from pathlib import Path

import pytest

from tests.cli.command import orch

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _home_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCH_HOME", str(tmp_path / "orch-home"))


def test_a_valid_file_is_summed_up() -> None:
    Path("p.yaml").write_text('project: "a\\e[31m limiter"\nbudget: 2.5\n', encoding="utf-8")
    outcome = orch("validate", "p.yaml")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == (
        "p.yaml is valid.\n  project: a limiter\n  budget: $2.5\n  criteria is not said: 'start' needs --criteria\n"
    )
    assert orch("validate", "p.yaml", "--json").object == {
        "file": "p.yaml",
        "valid": True,
        "errors": [],
        "notes": ["criteria is not said: 'start' needs --criteria"],
    }
    assert not Path(os.environ["ORCH_HOME"]).exists()


def test_all_errors_of_a_file_are_told() -> None:
    Path("p.yaml").write_text("project: x\nbugdet: 1\nmodels: {stages: {plan: gpt-4oo}}\n", encoding="utf-8")
    outcome = orch("validate", "p.yaml")
    assert (outcome.code, outcome.out) == (2, "")
    first, second = outcome.err.splitlines()
    assert first == "error: p.yaml:2:1: bugdet: unknown name; did you mean 'budget'?"
    assert second.startswith("error: p.yaml:3:25: models.stages.plan: unknown model 'gpt-4oo'")
    outcome = orch("validate", "p.yaml", "--json")
    assert (outcome.code, outcome.err) == (2, "")
    assert outcome.object["valid"] is False
    assert outcome.object["errors"][0] == {
        "file": "p.yaml",
        "line": 2,
        "column": 1,
        "message": "bugdet: unknown name; did you mean 'budget'?",
    }


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "FILE is missing"),
        (("none.yaml",), "none.yaml: cannot be read: No such file"),
        (("x.yaml", "--schema"), "--schema: prints the schema"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], says: str) -> None:
    outcome = orch("validate", *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"error: {says}")


def test_the_schema_is_printed() -> None:
    outcome = orch("validate", "--schema")
    assert json.loads(outcome.out) == json.loads((ROOT / "docs/project.schema.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["rate-limiter.yaml", "todo-cli.yaml", "csv-report.json", "url-shortener.yaml"])
def test_the_examples_are_valid(name: str) -> None:
    assert orch("validate", str(ROOT / "examples" / name)).code == 0

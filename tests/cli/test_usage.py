"""What a command line can get wrong: one line on stderr, nothing on stdout, exit code 2, nothing started."""

import os
import re
from pathlib import Path

import pytest

from tests.cli.command import orch

COMMANDS = [
    "start",
    "validate",
    "status",
    "watch",
    "list",
    "pause",
    "resume",
    "cancel",
    "export",
    "events",
    "report",
    "advise",
    "suggestions",
    "plan",
    "approve",
    "budget",
    "time-limit",
    "concurrency",
    "retry",
    "skip",
    "override-model",
    "guide",
    "batch",
    "delete",
    "gc",
    "codec-server",
    "models",
    "doctor",
    "pipeline",
    "schedule",
    "server",
    "worker",
]
HEAVY = (
    *("temporalio", "pydantic", "rich", "genai_prices", "openai", "anthropic", "google", "yaml"),
    *("cryptography", "starlette", "uvicorn", "opentelemetry"),
)
NOTHING_STARTED = ("temporal", "worker.json", "runs")


def test_help_imports_nothing_heavy() -> None:
    outcome = orch("--help", python=("-X", "importtime"))
    assert outcome.code == 0
    imported = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in outcome.err.splitlines()}
    assert "typer" in imported
    assert not imported & set(HEAVY)


def test_help_names_every_command_and_what_it_does() -> None:
    listed = dict(re.findall(r"^  ([a-z][a-z-]*)  +(\S.*)$", orch("--help").out, flags=re.MULTILINE))
    assert set(listed) == set(COMMANDS)
    assert all(listed.values())


@pytest.fixture(autouse=True)
def _home_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever other tests have started is not seen here."""
    monkeypatch.setenv("ORCH_HOME", str(tmp_path / "orch-home"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(("start", "--criteria", "c"), "--project is missing", id="no project"),
        pytest.param(("start", "--project", "p"), "--criteria is missing", id="no criteria"),
        pytest.param(("start", "-p", " ", "-c", "c"), "--project: is empty", id="blank project"),
        pytest.param(("start", "-p", "p" * 100_001, "-c", "c"), "--project: is 100001 bytes", id="long project"),
        pytest.param(("start", "-p", "p", "-c", "c", "-b", "0"), "--budget: must be a number", id="no budget"),
        pytest.param(("start", "-p", "p", "-c", "c", "-b", "-1"), "--budget: must be a number", id="negative"),
        pytest.param(("start", "-p", "p", "-c", "c", "-b", "nan"), "--budget: must be a number", id="nan"),
        pytest.param(("start", "-p", "p", "-c", "c", "--time-limit", "x"), "--time-limit: must be", id="time"),
        pytest.param(("start", "-p", "p", "-c", "c", "--concurrency", "65"), "--concurrency: must be", id="wide"),
        pytest.param(("start", "--file", "none.yaml"), "none.yaml: cannot be read", id="no file"),
        pytest.param(("status", "No Such ID"), "is no project id", id="no id"),
        pytest.param(("export", "../../etc"), "is no project id", id="hostile id"),
        pytest.param(("start", "--bugdet", "2"), "--bugdet", id="unknown flag"),
        pytest.param(("strat",), "strat", id="unknown command"),
        pytest.param(("status",), "ID", id="missing argument"),
        pytest.param(("list", "--limit", "0"), "--limit", id="limit"),
        pytest.param(("start", "-p", "p", "-c", "c", "--approve", "all"), "--approve: must be 'plan'", id="approve"),
        pytest.param(
            ("start", "-p", "p", "-c", "c", "--on-exhausted", "x"), "--on-exhausted: must be 'end' or", id="exhausted"
        ),
        pytest.param(("start", "--resume", "p-1", "-p", "p"), "--project: cannot be given with --resume", id="both"),
        pytest.param(("start", "--resume", "P 1"), "is no project id", id="start resume"),
        pytest.param(("resume", "p-1", "--budget", "0"), "--budget: must be a number", id="resume budget"),
        pytest.param(("resume", "p-1", "--time-limit", "x"), "--time-limit: must be", id="resume time"),
        pytest.param(("resume", "p-1", "--concurrency", "0"), "--concurrency: must be", id="resume wide"),
        pytest.param(("budget", "p-1", "--max-usd", "-1"), "--max-usd: must be a number", id="cap"),
        pytest.param(("time-limit", "p-1", "soon"), "TIME: must be a duration", id="time limit"),
        pytest.param(("concurrency", "p-1", "99"), "N: must be a whole number", id="concurrency"),
        pytest.param(("guide", "p-1", " "), "TEXT: is empty", id="guidance"),
        pytest.param(("guide", "p-1", "x" * 4001), "TEXT: is 4001 characters long", id="long guidance"),
        pytest.param(("override-model", "p-1", "t01", "gpt-nothing"), "MODEL: unknown model", id="model"),
        pytest.param(
            ("override-model", "p-1", "t01", "east-chat", "--stage", "critic"), "did you mean 'critique'?", id="stage"
        ),
        pytest.param(("retry", "p-1"), "TASK", id="no task"),
        pytest.param(("approve", "p-1", "--plan", "none.yaml"), "none.yaml: cannot be read", id="no plan file"),
        pytest.param(("plan", "p-1", "--yaml", "--json"), "give one of them", id="two formats"),
    ],
)
def test_usage_errors(arguments: tuple[str, ...], says: str) -> None:
    outcome = orch(*arguments)
    assert outcome.code == 2
    assert outcome.out == ""
    assert says in outcome.err
    assert "Traceback" not in outcome.err
    assert not any((Path(os.environ["ORCH_HOME"]) / name).exists() for name in NOTHING_STARTED)


def test_no_command_is_a_usage_error_that_shows_the_help() -> None:
    outcome = orch()
    assert outcome.code == 2
    assert "Commands:" in outcome.out + outcome.err


def test_an_error_of_a_project_file_names_file_line_and_column() -> None:
    Path("p.yaml").write_text("project: x\ncriteria: y\nbudget: lots\n", encoding="utf-8")
    outcome = orch("start", "--file", "p.yaml")
    assert outcome.code == 2
    assert outcome.err.startswith("error: p.yaml:3:9: budget: must be a number of USD")
    assert outcome.err.count("\n") == 1


def test_an_error_of_an_edited_plan_names_file_line_and_column() -> None:
    Path("plan.yaml").write_text("tasks:\n  - id: t01\n    title: T\n    typ: code\n", encoding="utf-8")
    outcome = orch("approve", "p-1", "--plan", "plan.yaml")
    assert outcome.code == 2
    assert outcome.err == (
        "error: plan.yaml:2:5: tasks[0].prompt: is missing; add it\n"
        "error: plan.yaml:4:5: tasks[0].typ: unknown name; did you mean 'type'?\n"
    )


def test_a_model_of_the_project_file_is_looked_up() -> None:
    text = "project: x\ncriteria: y\nmodels:\n  tasks:\n    t01/critique: sim-east:east-chatt\n"
    Path("p.yaml").write_text(text, encoding="utf-8")
    outcome = orch("start", "--file", "p.yaml")
    assert outcome.code == 2
    assert outcome.err.startswith("error: p.yaml:5:19: models.tasks.t01/critique: unknown model 'sim-east:east-chatt'")
    assert "did you mean 'sim-east:east-chat'?" in outcome.err


def test_an_error_cannot_act_on_the_terminal() -> None:
    twice = 'project: x\nmodels:\n  tasks: {"\\e[2J\\a": y, "\\e[2J\\a": y}\n'
    Path("p.yaml").write_text(twice, encoding="utf-8")
    outcome = orch("start", "--file", "p.yaml")
    assert outcome.code == 2
    assert "given twice" in outcome.err
    assert not {"\x1b", "\x07"} & set(outcome.err)


def test_flags_override_the_project_file() -> None:
    Path("p.yaml").write_text("project: x\ncriteria: y\nconcurrency: 4\n", encoding="utf-8")
    outcome = orch("start", "--file", "p.yaml", "--concurrency", "99")
    assert outcome.err.startswith("error: --concurrency: must be")


def test_a_folder_with_the_users_files_is_refused_before_anything_is_started() -> None:
    Path("out").mkdir()
    Path("out/mine.txt").write_text("mine", encoding="utf-8")
    outcome = orch("start", "-p", "p", "-c", "c", "-o", "out")
    assert outcome.code == 2
    assert "out: it is not empty; choose another folder" in outcome.err
    assert not any((Path(os.environ["ORCH_HOME"]) / name).exists() for name in NOTHING_STARTED)


@pytest.mark.parametrize(
    ("name", "value"), [("ORCH_SIM_SEED", "x"), ("ORCH_SIM_DEFECT_RATE", "2"), ("ORCH_SANDBOX", "off")]
)
def test_a_setting_that_cannot_be_used_is_named(name: str, value: str) -> None:
    outcome = orch("models", environment={name: value})
    assert outcome.code == 2
    assert outcome.err.startswith(f"error: {name}=")
    assert outcome.err.count("\n") == 1

"""What is said about a run: JSON object, text, exit code, live table."""

import io
import json

import pytest
from rich.console import Console

from cli.progress import LiveProgress, PlainProgress, screen
from cli.results import architecture_block, exit_code, is_closed, money, result_block, result_object
from orchestrator.contracts.project import ProjectStatus
from orchestrator.domain.apps import AppType, Architecture
from tests.cli.views import ESCAPES, event, task, view

EXIT_CODES = {
    "SUCCESS": 0,
    "COMPLETED_DEGRADED": 3,
    "PARTIAL_SUCCESS": 4,
    "BUDGET_EXHAUSTED": 5,
    "TIMEOUT": 6,
    "SYSTEM_FAILURE": 7,
    "CANCELLED": 8,
}


ARCHITECTURE = Architecture(
    app_type=AppType.CLI, structural_pattern="layered", stack=("python",), run_command="python -m x", rationale="Small."
)


def test_an_architecture_is_in_the_object_the_block_and_on_its_own() -> None:
    shown = view(architecture=ARCHITECTURE)
    assert result_object(shown, None)["architecture"]["app_type"] == "cli"
    block = result_block(shown, None)
    assert "app        cli: layered, python\n" in block
    assert "run        python -m x\n" in block
    alone = architecture_block(ARCHITECTURE)
    assert alone.splitlines()[0] == "Architecture"
    assert "pattern   layered" in alone
    assert "why       Small." in alone


@pytest.mark.parametrize("status", ProjectStatus)
def test_exit_codes(status: ProjectStatus) -> None:
    assert is_closed(status) == (status.value in EXIT_CODES)
    assert exit_code(status) == EXIT_CODES.get(status.value, 0)


def test_the_json_object_has_the_keys_of_the_contract() -> None:
    assert json.loads(json.dumps(result_object(view(reserved_micro=1, uncertain_micro=2), "/out"))) == {
        "project_id": "limiter-ab12cd",
        "workflow_id": "project-limiter-ab12cd",
        "status": "SUCCESS",
        "spent_usd": 0.001235,
        "uncertain_usd": 0.000002,
        "reserved_usd": 0.000001,
        "max_usd": 2.0,
        "quality_score": 0.91,
        "calls": 7,
        "elapsed_s": 12.346,
        "output_dir": "/out",
        "simulated": True,
        "reason": "",
        "architecture": None,
        "criteria": [],
        "tasks": [
            {
                "id": "t01",
                "title": "Limiter",
                "type": "code_generation",
                "status": "COMPLETED",
                "score": 0.91,
                "model": "sim-a:one",
                "reviewer": "sim-b:two",
                "iterations": 2,
                "spent_usd": 0.001234,
                "files": ["limiter.py", "tests/test_limiter.py"],
            }
        ],
    }


def test_the_text_says_what_happened_and_how_to_run_the_tests() -> None:
    text = result_block(view(reason="because", notes=("a fallback",)), "/tmp/my out")
    for part in ("SUCCESS", "simulated", "because", "a fallback", "$0.001235 of $2.00", "0.91", "7 model calls"):
        assert part in text
    assert "cd '/tmp/my out' && python -m pytest" in text


def test_real_models_are_not_called_simulated_and_no_folder_is_no_output() -> None:
    text = result_block(view(simulated=False), None)
    assert "simulated" not in text
    assert "output" not in text
    assert "pytest" not in text


def test_many_tasks_are_cut() -> None:
    text = result_block(view(tasks=tuple(task(id=f"t{n:03d}") for n in range(100))), None)
    assert "t059" in text
    assert "t060" not in text
    assert "and 40 more tasks" in text


def test_escapes_of_models_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = view(
        reason=ESCAPES,
        notes=(ESCAPES,),
        tasks=(task(id=ESCAPES, title=ESCAPES, model=ESCAPES, reviewer=ESCAPES, stage=ESCAPES, reason=ESCAPES),),
    )
    drawn = io.StringIO()
    Console(file=drawn, width=300).print(screen(hostile, 40))
    PlainProgress().event(event(1, ESCAPES, task=ESCAPES))
    LiveProgress(screen).event(event(2, ESCAPES, kind="breaker_opened"))
    block = result_block(hostile.model_copy(update={"status": ProjectStatus.CANCELLED}), None)
    written = capsys.readouterr()
    for text in (drawn.getvalue(), written.err, block.replace("\x1b[33m\x1b[1mCANCELLED\x1b[0m", "")):
        assert "evil" in text
        assert not {"\x1b", "\x07", "\x9b", "\r", "\u202e"} & set(text)


def test_the_live_table_fits_the_terminal_and_prefers_what_is_under_way() -> None:
    tasks = tuple(
        task(id=f"t{n:02d}", status="RUNNING" if n == 40 else "PENDING" if n == 41 else "COMPLETED") for n in range(50)
    )
    drawn = io.StringIO()
    Console(file=drawn, width=120).print(screen(view(ProjectStatus.RUNNING, tasks=tasks), 24))
    lines = drawn.getvalue().splitlines()
    assert len(lines) <= 24
    assert any(line.startswith("t40") for line in lines)
    assert any(line.startswith("t41") for line in lines)
    assert "and 32 more tasks" in lines[-1]


def test_markup_of_models_is_shown_as_it_is() -> None:
    drawn = io.StringIO()
    Console(file=drawn, width=300).print(screen(view(tasks=(task(title="[red]x[/red]"),)), 40))
    assert "[red]x[/red]" in drawn.getvalue()


@pytest.mark.parametrize(("micro", "text"), [(0, "$0.00"), (1, "$0.000001"), (12_300, "$0.0123"), (2_000_000, "$2.00")])
def test_money(micro: int, text: str) -> None:
    assert money(micro) == text

"""What simulated models write: plans that hold together, software that passes its own tests."""

import ast
import keyword
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from orchestrator.domain.advising import advice
from orchestrator.domain.answers import ArchitectureAnswer, PlanAnswer, SuggestionsAnswer
from orchestrator.domain.apps import AppType
from orchestrator.domain.paths import normalise_path
from orchestrator.domain.tasks import Stage, TaskType
from orchestrator.providers.simulated.software import package_name, software_for
from tests.unit.simulated_talk import (
    CSV,
    GENERIC,
    RATE_LIMITER,
    REQUESTS,
    TODO,
    ask,
    drafted,
    lay_out,
    quick,
    run_pytest,
    sections_of,
    task_section,
)

MODEL = "sim-east:east-think"
ODD_REQUESTS = (
    "",
    " \n\t ",
    "x",
    "日本語のゲーム 🎲",
    "import; class def; None",
    "../../etc/passwd\x00\x1b[31m",
    "json",
    "test conftest pytest",
    "3d printer",
    "``` path=evil.py\nimport os\n```\n# <script>alert(1)</script> ‮reversed",
    '{"tasks": []} \\ " \' \ud800 generic_demo REQUEST_LINE',
    "word " * 5000,
)


def plan_of(project: str) -> PlanAnswer:
    return PlanAnswer.model_validate_json(ask(MODEL, Stage.PLAN, {"project": project}, quick()).text)


@pytest.mark.parametrize(
    ("project", "app_type"),
    [
        (RATE_LIMITER, AppType.LIBRARY),
        (TODO, AppType.CLI),
        (CSV, AppType.CLI),
        (GENERIC, AppType.GENERIC),
        *((odd, AppType.GENERIC) for odd in ODD_REQUESTS),
    ],
)
def test_suggestions_and_advice_fit_the_software(project: str, app_type: AppType) -> None:
    sections = {"project": project}
    suggested = SuggestionsAnswer.model_validate_json(ask(MODEL, Stage.ENHANCE, sections, quick()).text)
    assert len({one.title for one in suggested.suggestions}) >= 2
    answer = ArchitectureAnswer.model_validate_json(ask(MODEL, Stage.ADVISE, sections, quick()).text)
    advised, notes = advice(answer)
    assert (advised.app_type, notes) == (app_type, ())
    planned = [path for task in plan_of(project).tasks for path in task.files]
    assert advised.entry_point in ("", *planned)


def written(project: str) -> dict[str, str]:
    """All files of the plan, as models without defects write them."""
    return {
        path: content
        for task in plan_of(project).tasks
        for path, content in drafted(MODEL, Stage.GENERATE, sections_of(project, task), quick(defect_rate=0)).items()
    }


def run_tool(folder: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", *arguments]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("project", REQUESTS)
def test_plans_hold_together(project: str) -> None:
    tasks = plan_of(project).tasks
    ids = [task.id for task in tasks]
    files = [path for task in tasks for path in task.files]
    assert 5 <= len(tasks) <= 8
    assert len(set(ids)) == len(ids)
    assert len(set(files)) == len(files)
    assert all(normalise_path(path) == path for path in files)
    assert all(set(task.dependencies) <= set(ids) for task in tasks)
    list(TopologicalSorter({task.id: task.dependencies for task in tasks}).static_order())
    assert sum(not task.dependencies for task in tasks) >= 2
    assert {"README.md", "pyproject.toml"} <= set(files)


@pytest.mark.parametrize("project", REQUESTS)
def test_each_task_is_checked_by_what_fits_it(project: str) -> None:
    for task in plan_of(project).tasks:
        tests = any(path.startswith("tests/") for path in task.files)
        python = any(path.endswith(".py") for path in task.files)
        expected = ["python_syntax", "ruff", "pytest"] if tests else ["python_syntax", "ruff"]
        assert task.validators == (expected if python else ["length"])
        assert (task.type is TaskType.CREATIVE_WRITING) == (task.files == ["README.md"])


def test_a_plan_without_structured_output_comes_in_a_fence() -> None:
    software = software_for(RATE_LIMITER)
    assert software.plan() == plan_of(RATE_LIMITER)


@pytest.mark.parametrize("project", REQUESTS)
def test_the_whole_software_passes_its_tests_and_ruff(project: str, tmp_path: Path) -> None:
    files = written(project)
    lay_out(tmp_path, files)
    run_tool(tmp_path, "ruff", "check", "--isolated", "--no-cache", ".")
    run_tool(tmp_path, "ruff", "check", "--isolated", "--no-cache", "--select", "E,F,I,B", ".")
    assert run_pytest(tmp_path) == [0]
    assert "written by simulated models" in files["README.md"].lower()


@pytest.mark.parametrize("project", REQUESTS)
def test_each_test_task_passes_with_nothing_but_its_dependencies(project: str, tmp_path: Path) -> None:
    files = written(project)
    tasks = {task.id: task for task in plan_of(project).tasks}
    folders = []
    for task in tasks.values():
        if "pytest" in task.validators:
            seen = [path for name in (*task.dependencies, task.id) for path in tasks[name].files]
            folders.append(lay_out(tmp_path / task.id, {path: files[path] for path in seen}))
    assert run_pytest(*folders) == [0, 0]


@pytest.mark.parametrize(
    ("request_text", "package"),
    [
        (RATE_LIMITER, "rate_limiter"),
        ("throttling decorator please", "rate_limiter"),
        ("RATE-LIMITING for functions", "rate_limiter"),
        (TODO, "todo_cli"),
        ("A to-do list", "todo_cli"),
        (CSV, "csv_report"),
        ("Aggregate a CSV by column", "csv_report"),
    ],
)
def test_requests_are_known_by_their_words(request_text: str, package: str) -> None:
    assert f"{package}/__init__.py" in software_for(request_text).files


@pytest.mark.parametrize(
    "request_text",
    [GENERIC, "A todo web app in React", "rate limiter in Rust", "C++ CSV report", "Write down what to dot", "a csv"],
)
def test_what_is_not_known_is_not_pretended(request_text: str) -> None:
    software = software_for(request_text)
    assert "does not implement the request" in software.files["README.md"]
    assert f"{package_name(request_text)}/__init__.py" in software.files


@pytest.mark.parametrize("request_text", ODD_REQUESTS, ids=lambda text: ascii(text[:30]))
def test_odd_requests_give_harmless_software(request_text: str) -> None:
    name = package_name(request_text)
    assert name.isidentifier()
    assert name.isascii()
    assert not keyword.iskeyword(name)
    assert name not in sys.stdlib_module_names
    assert len(name) <= 40
    software = software_for(request_text)
    for path, content in software.files.items():
        assert normalise_path(path) == path
        content.encode()
        if path.endswith(".py"):
            ast.parse(content)
    readme = software.files["README.md"]
    assert "```\n# <script>" not in readme
    assert "<script>" not in readme
    assert "\x1b" not in readme
    assert "‮" not in readme
    assert len(readme) < 2000


@pytest.mark.parametrize("request_text", ["test conftest pytest", "json", "3d printer", "import; class def; None"])
def test_software_with_an_odd_name_runs(request_text: str, tmp_path: Path) -> None:
    lay_out(tmp_path, written(request_text))
    assert run_pytest(tmp_path) == [0]
    run_tool(tmp_path, "ruff", "check", "--isolated", "--no-cache", ".")
    run_tool(tmp_path, package_name(request_text))


def test_a_plan_of_somebody_else_gets_placeholders(tmp_path: Path) -> None:
    paths = ["other/core.py", "tests/test_other.py", "data.json", "setup.cfg", "docs/guide.md"]
    sections = {"project": RATE_LIMITER, "task": task_section(paths)}
    files = drafted(MODEL, Stage.GENERATE, sections, quick(defect_rate=0))
    assert list(files) == paths
    assert all("simulated models" in content for content in files.values())
    lay_out(tmp_path, files)
    assert run_pytest(tmp_path) == [0]
    run_tool(tmp_path, "ruff", "check", "--isolated", "--no-cache", ".")


def test_a_task_without_files_is_answered_in_words() -> None:
    answer = ask(MODEL, Stage.GENERATE, {"project": GENERIC, "task": "not json"}, quick()).text
    assert "simulated models" in answer
    assert "path=" not in answer

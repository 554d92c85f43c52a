"""The whole program, from arguments to output and file."""

import subprocess
import sys
from pathlib import Path

import pytest

from todo_cli.cli import main


def run(file: Path, *arguments: str) -> int:
    return main(["--file", str(file), *arguments])


def test_a_day_with_the_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "list.json"
    assert run(file, "list") == 0
    assert run(file, "add", "buy", "milk") == 0
    assert run(file, "add", "call Ann") == 0
    assert run(file, "done", "1") == 0
    assert run(file, "rename", "2", "call", "Bob") == 0
    assert run(file, "list") == 0
    assert run(file, "list", "--all") == 0
    assert run(file, "remove", "2") == 0
    assert capsys.readouterr().out.splitlines() == [
        "nothing to do",
        "added 1. [ ] buy milk",
        "added 2. [ ] call Ann",
        "done 1. [x] buy milk",
        "renamed 2. [ ] call Bob",
        "2. [ ] call Bob",
        "1. [x] buy milk",
        "2. [ ] call Bob",
        "removed 2. [ ] call Bob",
    ]


def test_errors_go_to_stderr_with_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "list.json", "done", "5") == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "todo: there is no todo 5\n"


def test_a_broken_file_is_reported_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "list.json"
    file.write_text("oops", encoding="utf-8")
    assert run(file, "add", "a") == 1
    assert "not valid JSON" in capsys.readouterr().err
    assert file.read_text(encoding="utf-8") == "oops"


def test_the_environment_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TODO_FILE", str(tmp_path / "mine.json"))
    assert main(["add", "a"]) == 0
    assert (tmp_path / "mine.json").exists()


def test_the_module_runs_as_a_program(tmp_path: Path) -> None:
    root = Path(__file__).parent.parent
    result = subprocess.run(
        [sys.executable, "-m", "todo_cli", "--file", str(tmp_path / "l.json"), "list"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.returncode, result.stdout) == (0, "nothing to do\n")


def test_a_command_is_required() -> None:
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2

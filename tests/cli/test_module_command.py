"""`python -m orchestrator` does what `orch-cli` does, and says what replaces the rest."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from cli.module_command import UnknownArgumentsError, translate
from tests.cli.command import TIMEOUT_S, Outcome


def module(*arguments: str) -> Outcome:
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("arguments", "translated"),
    [
        (
            "--project P --criteria C --budget 2.0 --time 60 --concurrency 4 --output-dir out --no-enhance",
            "start --project=P --criteria=C --budget=2.0 --time-limit=60 --concurrency=4 --output-dir=out --no-enhance",
        ),
        (
            "-p P -c C -b 1 -o out -N -n",
            "start --project=P --criteria=C --budget=1 --output-dir=out --new-project --dry-run",
        ),
        ("--file f.yaml --project-id my-1 --raw-tasks", "start --project-id=my-1 --file=f.yaml --no-advise"),
        ("--resume my-1", "start --resume=my-1"),
        ("--list-projects", "list"),
        ("-f f.json --visualize mermaid", "start --file=f.json --dry-run=plan"),
        ("-f f.json --critical-path --dependency-report", "start --file=f.json --dry-run=plan"),
        ("--resume my-1 --visualize ascii", "plan my-1"),
        ("-f f.json --tracing", "start --file=f.json"),
        (
            "build -d P -t fastapi -o out",
            "start --project=P '--criteria=The app must work correctly' --output-dir=out --app-type=fastapi",
        ),
        ("build --description analyze -c C", "start --project=analyze --criteria=C"),
        ("", "--help"),
    ],
)
def test_documented_flags_are_flags_of_orch_cli(arguments: str, translated: str) -> None:
    assert sorted(translate(shlex.split(arguments))) == sorted(shlex.split(translated))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["analyze", "-p", "."], "analyze: is not taken here: give your code to a project"),
        (["agent", "-i"], "agent: is not taken here: write what you want"),
        (["dashboard"], "dashboard: is not taken here: 'orch-cli list'"),
        (["-p", "P", "-c", "C", "--verbose"], "--verbose: is not taken here: progress is always shown"),
        (["--otlp-endpoint=http://x", "-p", "P"], "--otlp-endpoint: is not taken here"),
        (["--aggregate-metrics"], "--aggregate-metrics: is not taken here: 'orch-cli report ID'"),
        (["build", "-d", "P", "--docker"], "--docker: is not taken here: the software comes with a Dockerfile"),
        (["--nonsense"], "--nonsense: means nothing here; 'python -m orchestrator --help'"),
        (["--proj", "P"], "--proj: means nothing here"),
        (["build"], "the following arguments are required: --description/-d"),
        (["--visualize", "svg"], "invalid choice: 'svg'"),
    ],
)
def test_other_arguments_say_what_replaces_them(arguments: list[str], says: str) -> None:
    with pytest.raises(UnknownArgumentsError) as caught:
        translate(arguments)
    assert says in str(caught.value)


def test_errors_are_one_line_with_exit_code_2(tmp_path: Path) -> None:
    outcome = module("dashboard")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("error: dashboard: is not taken here") and outcome.err.count("\n") == 1
    assert module("--project", "P").err == "error: --criteria is missing: give it, or a project file with --file\n"
    assert module("-p", "P", "-c", "C", "-b", "lots").code == 2


def test_help_and_estimate() -> None:
    assert "--list-projects" in module("--help").out
    outcome = module("-p", "A limiter", "-c", "tests pass", "--budget", "2.0", "-n", "--tracing")
    assert outcome.code == 0, outcome.err
    assert "$2.0" in outcome.out
    assert "Every run is traced" in outcome.err

"""`python -m orchestrator`: its documented flags, each done by a command of `orch-cli`."""

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from cli.main import finish, run

_REPLACED = {
    "--verbose": "progress is always shown; 'orch-cli events ID' shows every event",
    "-v": "progress is always shown; 'orch-cli events ID' shows every event",
    "--aggregate-metrics": "'orch-cli report ID' shows cost, time and scores by model",
    "--reuse-profiles": "the catalog orders the models, see 'orch-cli models'; 'models' of a project file changes it",
    "--otlp-endpoint": "the event log of a run is 'orch-cli events ID'",
    "--docker": "the software comes with a Dockerfile: docker build FOLDER",
    "analyze": "give your code to a project: 'files' of a project file (docs/project-file.md)",
    "agent": "write what you want into a project file (docs/project-file.md)",
    "dashboard": "'orch-cli list' and 'orch-cli report ID'; 'orch-cli server status' tells the address of the Web UI",
}
_START_FLAGS = {
    "project": "--project",
    "criteria": "--criteria",
    "budget": "--budget",
    "time": "--time-limit",
    "project_id": "--project-id",
    "resume": "--resume",
    "concurrency": "--concurrency",
    "file": "--file",
    "output_dir": "--output-dir",
    "app_type": "--app-type",
}
_START_SWITCHES = {"new_project": "--new-project", "no_enhance": "--no-enhance", "raw_tasks": "--no-advise"}
_TRACING = (
    "Every run is traced in Temporal: 'orch-cli events ID' shows its events, 'orch-cli server status' the Web UI."
)


class UnknownArgumentsError(Exception):
    """Arguments that mean nothing here; the message says what replaces them."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UnknownArgumentsError(message)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Entry point; never returns."""
    finish(command(list(sys.argv[1:] if arguments is None else arguments)))


def command(arguments: list[str]) -> int:
    """Run one command line; returns the exit code."""
    try:
        translated = translate(arguments)
    except UnknownArgumentsError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201  no module of the command line is loaded yet
        return 2
    if "--tracing" in arguments:
        print(_TRACING, file=sys.stderr)  # noqa: T201
    return run(translated)


def translate(arguments: list[str]) -> list[str]:
    """The arguments of `orch-cli` that do the same. Raises UnknownArgumentsError."""
    if arguments and arguments[0] in _REPLACED:
        raise _replaced(arguments[0])
    build = arguments[:1] == ["build"]
    parser = _build_parser() if build else _parser()
    given, unknown = parser.parse_known_args(arguments[1:] if build else arguments)
    if unknown:
        raise _replaced(unknown[0].split("=")[0])
    if not arguments:
        return ["--help"]
    if not build and given.list_projects:
        return ["list"]
    return _start(given)


def _replaced(name: str) -> UnknownArgumentsError:
    if name in _REPLACED:
        return UnknownArgumentsError(f"{name}: is not taken here: {_REPLACED[name]}")
    return UnknownArgumentsError(f"{name}: means nothing here; 'python -m orchestrator --help' lists the flags")


def _start(given: argparse.Namespace) -> list[str]:
    known = vars(given)
    graph = known.get("visualize") or known.get("critical_path") or known.get("dependency_report")
    if graph and known.get("resume"):
        return ["plan", known["resume"]]
    translated = ["start"]
    for name, flag in _START_FLAGS.items():
        if known.get(name) is not None:
            translated.append(f"{flag}={known[name]}")
    translated += [flag for name, flag in _START_SWITCHES.items() if known.get(name)]
    if graph:
        translated.append("--dry-run=plan")  # it shows the graph, the critical path, and what each task comes after
    elif known.get("dry_run"):
        translated.append("--dry-run")
    return translated


def _parser() -> _Parser:
    parser = _Parser(
        prog="python -m orchestrator",
        description="The documented flags of the orchestrator. 'orch-cli' does the same and more.",
        epilog="Subcommand: build -d TEXT [-c TEXT] [-t TYPE] [-o FOLDER]. Exit codes are those of 'orch-cli start'.",
        allow_abbrev=False,
    )
    parser.add_argument("--project", "-p", metavar="TEXT", help="what to build")
    parser.add_argument("--criteria", "-c", metavar="TEXT", help="how to tell that it is done")
    parser.add_argument("--budget", "-b", metavar="USD", help="most to spend (default: 8.0)")
    parser.add_argument("--time", metavar="SECONDS", help="longest run (default: 5400)")
    parser.add_argument("--project-id", metavar="ID", help="the project's id; one that exists is gone on with")
    parser.add_argument("--resume", metavar="ID", help="go on with this project")
    parser.add_argument("--list-projects", action="store_true", help="list all projects")
    parser.add_argument("--concurrency", metavar="N", help="tasks at a time")
    parser.add_argument("--file", "-f", metavar="FILE", help="project file, YAML or JSON (docs/project-file.md)")
    parser.add_argument("--output-dir", "-o", metavar="FOLDER", help="where the software goes (default: results/ID)")
    parser.add_argument("--raw-tasks", action="store_true", help="no advice on the architecture, no scaffold")
    parser.add_argument("--new-project", "-N", action="store_true", help="start afresh, whatever ran before")
    parser.add_argument("--no-enhance", action="store_true", help="take the project text as it is written")
    parser.add_argument("--dry-run", "-n", action="store_true", help="say what it may cost, and spend nothing")
    parser.add_argument("--visualize", choices=("mermaid", "ascii"), help="pay for the plan only, and show its graph")
    parser.add_argument("--critical-path", action="store_true", help="pay for the plan only, and show its longest path")
    parser.add_argument(
        "--dependency-report", action="store_true", help="pay for the plan only, and show what needs what"
    )
    parser.add_argument("--tracing", action="store_true", help="say where the trace of a run is; every run has one")
    return parser


def _build_parser() -> _Parser:
    parser = _Parser(prog="python -m orchestrator build", allow_abbrev=False)
    parser.add_argument("--description", "-d", dest="project", metavar="TEXT", required=True, help="what to build")
    parser.add_argument(
        "--criteria", "-c", metavar="TEXT", default="The app must work correctly", help="how to tell that it is done"
    )
    parser.add_argument("--app-type", "-t", metavar="TYPE", help="the kind of software (default: advised)")
    parser.add_argument("--output-dir", "-o", metavar="FOLDER", help="where the software goes (default: results/ID)")
    return parser

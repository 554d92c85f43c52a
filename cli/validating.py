"""The work of `validate`."""

import re
from functools import cache
from pathlib import Path
from typing import Any

from cli.console import say, show, show_json
from cli.session import settings_for
from orchestrator.catalog import open_catalog
from orchestrator.client.model_names import model_resolver
from orchestrator.client.project_file import ProjectFile, load_project_file
from orchestrator.client.project_schema import project_schema
from orchestrator.domain.errors import UserInputError, UserInputErrors
from orchestrator.domain.money import usd
from orchestrator.domain.text import one_line

_PLACED = re.compile(r"(?P<file>.*?)(?::(?P<line>\d+):(?P<column>\d+))?: (?P<message>.*)", re.DOTALL)
_SHOWN_CHARS = 70
_ERROR_CHARS = 2000


def show_schema(file: str | None) -> int:
    """Print the JSON Schema; 0. Raises UserInputError where a file is given too."""
    if file is not None:
        raise UserInputError("--schema: prints the schema of all project files; leave FILE out")
    show(project_schema().rstrip("\n"))
    return 0


def validate_file(file: str | None, *, json_output: bool) -> int:
    """Check a file and say what it asks for; 2 with everything that is wrong. Raises UserInputError without a file."""
    if file is None:
        raise UserInputError("FILE is missing: the project file to check, or --schema")
    settings = settings_for(None)
    catalog = cache(lambda: open_catalog(settings))
    try:
        found = load_project_file(Path(file), model_resolver(catalog))
    except UserInputErrors as error:
        return _invalid(file, error.problems, json_output=json_output)
    except UserInputError as error:
        return _invalid(file, (str(error),), json_output=json_output)
    notes = _notes(found)
    if json_output:
        show_json({"file": file, "valid": True, "errors": [], "notes": notes})
        return 0
    show(f"{file} is valid.")
    for line in (*_summary(found), *notes):
        show(f"  {line}")
    return 0


def _invalid(file: str, problems: tuple[str, ...], *, json_output: bool) -> int:
    if json_output:
        show_json({"file": file, "valid": False, "errors": [_error(one) for one in problems], "notes": []})
        return 2
    for problem in problems:
        say(f"error: {one_line(problem, _ERROR_CHARS)}")
    return 2


def _error(problem: str) -> dict[str, Any]:
    """A problem in parts; line and column are null where it has none."""
    found = _PLACED.fullmatch(problem)
    if found is None:
        return {"file": "", "line": None, "column": None, "message": problem}
    line, column = (int(found[name]) if found[name] else None for name in ("line", "column"))
    return {"file": found["file"], "line": line, "column": column, "message": found["message"]}


def _summary(found: ProjectFile) -> list[str]:
    """What the file asks for, as far as it says it."""
    said: dict[str, object] = {
        "project": found.project and one_line(found.project, _SHOWN_CHARS),
        "criteria": found.criteria and one_line(found.criteria, _SHOWN_CHARS),
        "budget": found.budget and f"${usd(found.budget):g}",
        "time limit": found.time_limit and f"{found.time_limit:g} s",
        "app type": found.wishes.app_type,
        "policies": ", ".join(one_line(policy.name) for policy in found.policies),
        "models": found.models and f"{len(found.models)} choices",
        "commands": ", ".join(one_line(command.name) for command in found.commands),
        "files": found.files and f"{len(found.files)} of your own",
    }
    return [f"{name}: {value}" for name, value in said.items() if value]


def _notes(found: ProjectFile) -> list[str]:
    """What `start` still needs."""
    missing = (name for name, value in (("project", found.project), ("criteria", found.criteria)) if value is None)
    return [f"{name} is not said: 'start' needs --{name}" for name in missing]

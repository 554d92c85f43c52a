"""How software of each kind is started: from its architecture where there is one, else from its files."""

import json
import re
import shlex
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any

from orchestrator.domain.apps import AppType, Architecture
from orchestrator.validators.import_check import root_of
from orchestrator.validators.pytest_check import is_test_file
from orchestrator.validators.web_apps import find_web_app

_SHELL = re.compile(r"[|;&<>`$(){}\n]")
_RUNNERS = {("poetry", "run"), ("uv", "run"), ("pipenv", "run"), ("pdm", "run"), ("hatch", "run")}
_ASSIGNMENT = re.compile(r"^[A-Za-z_]\w*=")
_ARGUMENTS_IN_USE = re.compile(rb"\b(argparse|click|typer|docopt|fire|cyclopts)\b|sys\.argv")
_SITE_FOLDERS = ("", "public", "site", "dist", "docs", "src", "static", "www")
_SOURCE_BYTES = 1024 * 1024


class AppKind(StrEnum):
    """What it means that software of this kind starts."""

    HTTP = "http"  # answers on loopback
    COMMAND = "command"  # answers --help
    SITE = "site"  # has an index whose local links lead somewhere
    LIBRARY = "library"  # can be imported
    NONE = "none"  # nothing to start


@dataclass(frozen=True)
class AppPlan:
    """Commands without a shell. `{python}` as for the sandbox; `entry` is the file that findings are about."""

    kind: AppKind
    start: tuple[str, ...] = ()
    build: tuple[str, ...] = ()
    folder: str = ""  # of the workspace, in which the commands run
    entry: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    pages: tuple[str, ...] = ("/",)  # must not fail; of a site of pages they must exist
    pages_exist: bool = False


def app_plan(files: Mapping[str, bytes], architecture: Architecture | None) -> AppPlan:
    """What to start, and how to tell that it started."""
    kind = architecture.app_type if architecture else None
    if kind is AppType.LIBRARY:
        return AppPlan(AppKind.LIBRARY)
    if kind is AppType.STATIC_SITE:
        return _site(files) or AppPlan(AppKind.SITE, entry="index.html")
    if kind is AppType.NEXTJS or (kind is None and uses_next(files)):
        return _next(files)
    http = _http(files)
    if http and kind in (None, AppType.FASTAPI, AppType.FLASK, AppType.REACT_FASTAPI, AppType.GENERIC):
        return _as_decided(http, architecture, files)
    if architecture and kind in (AppType.FASTAPI, AppType.FLASK, AppType.REACT_FASTAPI):
        return _as_decided(AppPlan(AppKind.HTTP, entry=architecture.entry_point), architecture, files)
    command = _command(files, architecture)
    if command and (kind is AppType.CLI or _takes_arguments(files, command)):
        return command
    if kind is AppType.CLI:
        return AppPlan(AppKind.COMMAND)
    if kind is None and (site := _site(files)):
        return site
    return AppPlan(AppKind.LIBRARY if any(path.endswith(".py") for path in files) else AppKind.NONE)


def plain_command(text: str) -> tuple[dict[str, str], list[str]]:
    """Variables and words of a command that needs no shell; no words where it needs one, or cannot be read."""
    if _SHELL.search(text):
        return {}, []
    try:
        words = shlex.split(text)
    except ValueError:
        return {}, []
    variables = {}
    while words and _ASSIGNMENT.match(words[0]):
        name, _, value = words.pop(0).partition("=")
        variables[name] = value
    if tuple(words[:2]) in _RUNNERS:
        words = words[2:]
    if words and words[0] in ("python", "python3", "py"):
        words[0] = "{python}"
    return variables, words


def scripts(files: Mapping[str, bytes]) -> dict[str, str]:
    """Console scripts that the project's manifests declare: name to `module:function`."""
    found: dict[str, str] = {}
    for path in sorted(path for path in files if PurePosixPath(path).name == "pyproject.toml"):
        try:
            data = tomllib.loads(files[path][:_SOURCE_BYTES].decode(errors="replace"))
        except (tomllib.TOMLDecodeError, RecursionError):
            continue
        tables = [
            data.get("project"),
            (data.get("tool") or {}).get("poetry") if isinstance(data.get("tool"), dict) else None,
        ]
        for table in tables:
            declared = table.get("scripts") if isinstance(table, dict) else None
            if isinstance(declared, dict):
                found.update({str(name): target for name, target in declared.items() if isinstance(target, str)})
    return {name: target for name, target in found.items() if re.fullmatch(r"[\w.]+:[\w.]+", target)}


def run_script(target: str, name: str) -> list[str]:
    """The command that a console script is."""
    module, _, function = target.partition(":")
    head = function.split(".")[0]
    code = f"import sys; sys.argv[0] = {name!r}; from {module} import {head}; sys.exit({function}())"
    return ["{python}", "-c", code]


def package_json(files: Mapping[str, bytes], folder: str = "") -> dict[str, Any]:
    """The manifest of Node in a folder; empty where there is none or it is no object."""
    try:
        data = json.loads(files.get(f"{folder}/package.json".lstrip("/"), b"{}"))
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _as_decided(plan: AppPlan, architecture: Architecture | None, files: Mapping[str, bytes]) -> AppPlan:
    """The plan with the architecture's own command, where that is one that can be run here."""
    variables, words = plain_command(architecture.run_command) if architecture else ({}, [])
    words = [word for word in words if word not in ("--reload", "--debug")]
    if not words or PurePosixPath(words[0]).name not in (
        "{python}",
        "uvicorn",
        "gunicorn",
        "hypercorn",
        "flask",
        "fastapi",
    ):
        return plan
    module = _module_of(words)
    if module and not _has_module(files, plan.folder, module):
        return plan
    return AppPlan(plan.kind, tuple(words), (), plan.folder, plan.entry, {**plan.environment, **variables}, plan.pages)


def _module_of(words: Sequence[str]) -> str:
    """The module that a server's command names as `module:object`, empty if none."""
    return next((word.partition(":")[0] for word in words[1:] if re.fullmatch(r"[\w.]+:[\w.()]+", word)), "")


def _has_module(files: Mapping[str, bytes], folder: str, module: str) -> bool:
    base = f"{folder}/" if folder else ""
    stem = module.replace(".", "/")
    return any(f"{base}{root}{stem}{end}" in files for root in ("", "src/") for end in (".py", "/__init__.py"))


def _http(files: Mapping[str, bytes]) -> AppPlan | None:
    """How the application object among the files is served."""
    app = find_web_app(files)
    if app is None:
        return None
    root = root_of(app.path, files)
    parts = PurePosixPath(app.path).with_suffix("").parts[len(PurePosixPath(root).parts) :]
    module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    folder = root.removesuffix("src").rstrip("/")
    if app.server == "flask":
        call = "()" if app.factory else ""
        start = ["{python}", "-m", "flask", "--app", f"{module}:{app.name}{call}", "run", "--port", "{port}"]
    else:
        start = ["{python}", "-m", "uvicorn", f"{module}:{app.name}", "--port", "{port}"]
        start += ["--factory"] if app.factory else []
    pages = ("/", "/openapi.json") if app.framework == "FastAPI" else ("/",)
    return AppPlan(AppKind.HTTP, tuple(start), (), folder, app.path, {}, pages)


def _command(files: Mapping[str, bytes], architecture: Architecture | None) -> AppPlan | None:
    """How a command-line program is asked for its help."""
    declared = scripts(files)
    _, words = plain_command(architecture.run_command) if architecture else ({}, [])
    if words[:1] == ["{python}"] and words[1:2] == ["-m"] and len(words) > 2 and _runs_as_module(files, words[2]):
        return _help(words[:3], files, words[2])
    if words[:1] == ["{python}"] and len(words) > 1 and words[1] in files:
        return AppPlan(AppKind.COMMAND, (*words[:2], "--help"), entry=words[1])
    name = words[0] if words and words[0] in declared else next(iter(declared), "")
    if name:
        return _help(run_script(declared[name], name), files, declared[name].partition(":")[0])
    packages = [path for path in sorted(files) if path.endswith("/__main__.py")]
    if packages:
        root = root_of(packages[0], files)
        module = ".".join(PurePosixPath(packages[0]).parent.parts[len(PurePosixPath(root).parts) :])
        return _help(["{python}", "-m", module], files, module)
    entry = architecture.entry_point if architecture and architecture.entry_point in files else ""
    entry = entry or next((name for name in ("main.py", "cli.py", "app.py") if name in files), "")
    return AppPlan(AppKind.COMMAND, ("{python}", entry, "--help"), entry=entry) if entry.endswith(".py") else None


def _help(words: Sequence[str], files: Mapping[str, bytes], module: str) -> AppPlan:
    stem = module.replace(".", "/")
    ends = ("/__main__.py", ".py", "/__init__.py")
    paths = [f"{root}{stem}{end}" for end in ends for root in ("", "src/")]
    entry = next((path for path in paths if path in files), "")
    return AppPlan(AppKind.COMMAND, (*words, "--help"), entry=entry)


def _runs_as_module(files: Mapping[str, bytes], module: str) -> bool:
    stem = module.replace(".", "/")
    return any(f"{root}{stem}{end}" in files for root in ("", "src/") for end in ("/__main__.py", ".py"))


def _takes_arguments(files: Mapping[str, bytes], command: AppPlan) -> bool:
    """Whether anything beside the entry reads arguments: what does not would simply run."""
    folder = str(PurePosixPath(command.entry).parent)
    near = [path for path in files if path.endswith(".py") and str(PurePosixPath(path).parent) == folder]
    return any(_ARGUMENTS_IN_USE.search(files[path]) for path in near if not is_test_file(path))


def _site(files: Mapping[str, bytes]) -> AppPlan | None:
    for folder in _SITE_FOLDERS:
        entry = f"{folder}/index.html".lstrip("/")
        if entry in files:
            return AppPlan(AppKind.SITE, folder=folder, entry=entry)
    return None


def uses_next(files: Mapping[str, bytes]) -> bool:
    """Whether the project is built on Next.js, as its manifest says."""
    dependencies = package_json(files).get("dependencies")
    return isinstance(dependencies, dict) and "next" in dependencies


def _next(files: Mapping[str, bytes]) -> AppPlan:
    return AppPlan(
        AppKind.HTTP,
        start=("node_modules/.bin/next", "start", "--port", "{port}"),
        build=("npm", "run", "build"),
        entry="package.json",
        pages_exist=True,
    )

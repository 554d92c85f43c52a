"""Where software starts, as its files show: a plan may name its entry point otherwise than the architecture."""

import re
from collections.abc import Collection

from orchestrator.domain.apps import AppType, Architecture

_STEMS = {
    AppType.FASTAPI: ("main", "app", "server", "api"),
    AppType.REACT_FASTAPI: ("main", "app", "server", "api"),
    AppType.FLASK: ("__init__", "app", "main", "server"),
    AppType.CLI: ("cli", "main", "__main__", "app"),
    AppType.SCRIPT: ("main", "__main__", "app", "run", "cli"),
    AppType.GENERIC: ("main", "__main__", "app", "run", "cli"),
    AppType.DATA_PIPELINE: ("__main__", "main", "cli", "run", "pipeline"),
}
_TESTS = re.compile(r"(^|/)(tests?/|test_[^/]*$|conftest\.py$|[^/]*_test\.py$)")
_SOURCES = "src/"
_FIRST_PAGE = "index.html"


def is_test(path: str) -> bool:
    """True for a Python file of tests."""
    return bool(_TESTS.search(path))


def source_folder(paths: Collection[str]) -> str:
    """`src/` where that folder holds packages, nothing where there is none or where it is a package itself."""
    holds = any(path.startswith(_SOURCES) and path.endswith(".py") for path in paths)
    return _SOURCES if holds and f"{_SOURCES}__init__.py" not in paths else ""


def dotted(path: str, sources: str = "") -> str:
    """The module of a Python file: `src/todo/cli.py` below `src/` gives `todo.cli`, `todo/__init__.py` gives `todo`."""
    return path.removeprefix(sources).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def located(architecture: Architecture, paths: Collection[str]) -> Architecture:
    """The architecture with the entry point and run command that fit these files.

    Nothing changes where both are as the architecture says, where no file looks like a start, or for types that
    start neither from a Python file nor from a page.
    """
    if architecture.app_type is AppType.STATIC_SITE:
        return _located_site(architecture, paths)
    entry = _entry_path(architecture.entry_point)
    stems = _STEMS.get(architecture.app_type, ())
    found = entry if entry in paths else _start_among(paths, (*stems, entry.split("/")[0])) if stems else ""
    if not entry or not found:
        return architecture
    command, sources = architecture.run_command, source_folder(paths)
    if architecture.app_type in (AppType.CLI, AppType.DATA_PIPELINE):
        command = _runnable(command, dotted(found, sources), paths)
    elif architecture.app_type is not AppType.FLASK:  # wsgi.py of the scaffold finds that app
        command = command.replace(f"{dotted(entry)}:", f"{dotted(found, sources)}:").replace(entry, found)
        if sources and "-m uvicorn" in command and found.startswith(sources) and "--app-dir" not in command:
            command += f" --app-dir {sources.rstrip('/')}"
    entry_point = architecture.entry_point if found == entry else found
    return architecture.model_copy(update={"entry_point": entry_point, "run_command": command})


def _located_site(architecture: Architecture, paths: Collection[str]) -> Architecture:
    pages = [path for path in paths if path.rpartition("/")[2] == _FIRST_PAGE]
    found = min(pages, key=lambda path: (path.count("/"), path), default="")
    if not found or architecture.entry_point in paths:
        return architecture
    command, folder = architecture.run_command, found.rpartition("/")[0]
    if "http.server" in command and "--directory" not in command and folder:
        command += f" --directory {folder}"
    return architecture.model_copy(update={"entry_point": found, "run_command": command})


def _start_among(paths: Collection[str], stems: tuple[str, ...]) -> str:
    candidates = [path for path in paths if path.endswith(".py") and not is_test(path) and _stem(path) in stems]
    return min(candidates, key=lambda path: (stems.index(_stem(path)), path.count("/"), path), default="")


def _runnable(command: str, entry: str, paths: Collection[str]) -> str:
    """`python -m MODULE` with a module that these files have: the package of the module `entry`, or `entry`."""
    sources = source_folder(paths)
    modules = {dotted(path, sources).removesuffix(".__main__") for path in paths if _is_run_by_name(path)}
    named = re.match(r"python -m ([\w.]+)", command)
    if not named or named[1] in modules:
        return command
    package = entry.rpartition(".")[0]
    return f"python -m {package if package in modules else entry}{command[named.end() :]}"


def _is_run_by_name(path: str) -> bool:
    return path.endswith(".py") and not path.endswith("/__init__.py")


def _entry_path(entry_point: str) -> str:
    """`todo.cli:main` and `todo/cli.py` both give `todo/cli.py`; what is no Python entry point gives nothing."""
    if entry_point.endswith(".py"):
        return entry_point
    module = entry_point.split(":")[0]
    return module.replace(".", "/") + ".py" if re.fullmatch(r"\w+(\.\w+)*", module) and module else ""


def _stem(path: str) -> str:
    return path.rsplit("/", 1)[-1].removesuffix(".py")

"""Where Python files make the application object of a web framework."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from orchestrator.validators.pytest_check import is_test_file

_SERVERS = {"FastAPI": "uvicorn", "Starlette": "uvicorn", "Litestar": "uvicorn", "Quart": "uvicorn", "Flask": "flask"}
_LIKELY = ("main", "app", "server", "asgi", "wsgi", "api")
_SOURCE_BYTES = 1024 * 1024


@dataclass(frozen=True)
class WebApp:
    """An application object of a module, or a factory without arguments that makes one."""

    path: str
    name: str
    framework: str
    factory: bool = False

    @property
    def server(self) -> str:
        """The program that serves it."""
        return _SERVERS[self.framework]

    def order(self) -> tuple[bool, int, str]:
        """Objects before factories, usual names of modules before others."""
        stem = PurePosixPath(self.path).stem
        return self.factory, _LIKELY.index(stem) if stem in _LIKELY else len(_LIKELY), self.path


def find_web_app(files: Mapping[str, bytes]) -> WebApp | None:
    """The likeliest application among the files, tests aside."""
    trees = {path: tree for path, content in files.items() if _is_source(path) and (tree := _parsed(content))}
    factories = [(path, *found) for path, tree in trees.items() for found in _factories(tree)]
    known = {name: framework for _, name, framework in factories}
    apps = [app for path, tree in trees.items() for app in _objects(path, tree, known)]
    apps += [WebApp(path, name, framework, factory=True) for path, name, framework in factories]
    return min(apps, key=WebApp.order, default=None)


def _is_source(path: str) -> bool:
    return path.endswith(".py") and not is_test_file(path) and not {"tests", "test"} & set(PurePosixPath(path).parts)


def _parsed(source: bytes) -> ast.Module | None:
    """The module, where it may hold an application: most files need not be parsed."""
    if len(source) > _SOURCE_BYTES or not (b"app" in source or any(name.encode() in source for name in _SERVERS)):
        return None
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None  # the check of the syntax tells


def _factories(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Functions at the top of a module that make an application and can be called without arguments."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not _needs_arguments(node):
            calls = (_name_of(call.func) for call in ast.walk(node) if isinstance(call, ast.Call))
            framework = next((name for name in calls if name in _SERVERS), "")
            if framework:
                yield node.name, framework


def _objects(path: str, tree: ast.Module, factories: Mapping[str, str]) -> Iterator[WebApp]:
    """Names at the top of a module that an application is assigned to."""
    for node in tree.body:
        if isinstance(node, ast.Assign):
            target = node.targets[0]
        elif isinstance(node, ast.AnnAssign):
            target = node.target
        else:
            continue
        if isinstance(target, ast.Name) and isinstance(node.value, ast.Call):
            called = _name_of(node.value.func)
            framework = called if called in _SERVERS else factories.get(called, "")
            if framework:
                yield WebApp(path, target.id, framework)


def _needs_arguments(function: ast.FunctionDef) -> bool:
    return len(function.args.args) > len(function.args.defaults) or None in function.args.kw_defaults


def _name_of(function: ast.expr) -> str:
    """The last part of a dotted name; empty for what is no name."""
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""

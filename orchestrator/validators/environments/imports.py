"""Which distributions the imports of Python files need: by a maintained list of names, never by a guess."""

import ast
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import PurePosixPath

_MAX_SOURCE_BYTES = 1024 * 1024
_SOURCE_NAME = "<scanned source>"

warnings.filterwarnings("ignore", module=_SOURCE_NAME)


@dataclass(frozen=True)
class Imported:
    """The first import of a module: its dotted name, and where it is."""

    module: str
    path: str
    line: int

    @property
    def top(self) -> str:
        """The first part of the name."""
        return self.module.partition(".")[0]


@lru_cache(maxsize=1)
def import_names() -> dict[str, str]:
    """Import name to requirement of the distribution that provides it, as the maintained list says."""
    text = resources.files("orchestrator.validators.environments").joinpath("import-names.txt").read_text()
    lines = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return {line[0]: line[1] for line in lines}


def distributions_of(module: str) -> list[str]:
    """Requirements of all that the maintained list names for `module` and for what it is part of."""
    names = import_names()
    parts = module.split(".")
    beginnings = (".".join(parts[:length]) for length in range(1, len(parts) + 1))
    return [names[name] for name in beginnings if name in names]


def foreign_imports(files: Mapping[str, bytes]) -> list[Imported]:
    """Imports that neither the standard library nor the files themselves provide, once per module.

    Left out is what the program can do without: imports that a handler of ImportError guards, and those for the
    type checker alone.
    """
    local = local_names(files)
    found: dict[str, Imported] = {}
    for path in sorted(path for path in files if path.endswith(".py")):
        beside = str(PurePosixPath(path).parent)
        for module, line in _imports(files[path]):
            top = module.partition(".")[0]
            if top in sys.stdlib_module_names or top in local or _is_beside(files, beside, top):
                continue
            found.setdefault(module, Imported(module, path, line))
    return list(found.values())


def local_names(files: Mapping[str, bytes]) -> set[str]:
    """Top-level modules and packages among the files: all that lies directly in a folder that is no package."""
    names: set[str] = set()
    for path in files:
        if not path.endswith((".py", ".pyi")):
            continue
        parts = PurePosixPath(path).with_suffix("").parts
        for index, part in enumerate(parts):
            folder = "/".join(parts[:index])
            if not folder or f"{folder}/__init__.py" not in files:
                names.add(part)
    return names


def _is_beside(files: Mapping[str, bytes], folder: str, name: str) -> bool:
    return f"{folder}/{name}.py" in files or f"{folder}/{name}/__init__.py" in files


def _imports(source: bytes) -> Iterator[tuple[str, int]]:
    if len(source) > _MAX_SOURCE_BYTES or b"\0" in source:
        return
    try:
        tree = ast.parse(source, _SOURCE_NAME)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return  # the check of the syntax tells
    optional = {id(node) for part in ast.walk(tree) for node in _optional(part)}
    for node in ast.walk(tree):
        if id(node) in optional:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno


def _optional(node: ast.AST) -> Iterator[ast.AST]:
    """Everything below `node` that need not be there."""
    if isinstance(node, ast.Try):
        optional = any(_handles_import_error(handler) for handler in node.handlers)
    else:
        optional = isinstance(node, ast.If) and any(_is_type_checking(part) for part in ast.walk(node.test))
    if optional and isinstance(node, ast.Try | ast.If):
        for child in node.body:
            yield from ast.walk(child)


def _is_type_checking(node: ast.AST) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name == "TYPE_CHECKING"


def _handles_import_error(handler: ast.ExceptHandler) -> bool:
    caught = handler.type
    if caught is None:
        return True
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(isinstance(name, ast.Name) and name.id in _IMPORT_ERRORS for name in names)


_IMPORT_ERRORS = ("ImportError", "ModuleNotFoundError", "Exception")

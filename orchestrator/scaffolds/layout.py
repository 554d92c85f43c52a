"""How the Python files of an app lie: what its manifest must say so that they are packaged, tested and checked."""

from collections.abc import Collection

from orchestrator.domain.app_entry import is_test, source_folder
from orchestrator.domain.base import Frozen

_NOT_PACKAGED = {
    "alembic", "bench", "benchmarks", "data", "docs", "examples", "frontend", "migrations", "node_modules", "scripts",
    "static", "templates", "tools",
}  # fmt: skip
_NOT_MODULES = {"setup.py", "conftest.py", "noxfile.py", "tasks.py"}
_TESTS = "tests"


class Layout(Frozen):
    """Folders and single modules that hold code, and where its tests are."""

    included: tuple[str, ...]  # paths that the wheel holds, from the root of the project
    sources: str  # `src/` where packages lie below it
    tests_in_tests: bool  # whether no test lies outside tests/

    @property
    def packages(self) -> tuple[str, ...]:
        """The folders among `included`."""
        return tuple(path for path in self.included if not path.endswith(".py"))


def layout(paths: Collection[str]) -> Layout:
    """The layout of these files: packages below src/, packages at the root, single modules, or all of these."""
    python = sorted(path for path in paths if path.endswith(".py"))
    sources = source_folder(python)
    included = {_unit(path, sources) for path in python if not is_test(path)}
    return Layout(
        included=tuple(sorted(included - {""})),
        sources=sources,
        tests_in_tests=all(path.startswith(f"{_TESTS}/") for path in python if is_test(path)),
    )


def _unit(path: str, sources: str) -> str:
    """The package or module at the top that a file belongs to, or nothing."""
    base = sources if sources and path.startswith(sources) else ""
    head, *rest = path.removeprefix(base).split("/")
    if rest:
        return base + head if head.isidentifier() and head not in _NOT_PACKAGED else ""
    return "" if head in _NOT_MODULES or not head.removesuffix(".py").isidentifier() else base + head

"""Who may import whom (docs/architecture.md): the contracts of import-linter, and what they cannot say."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGES, ROOT, imported_names, modules, name_of, parse

TEMPORAL_IN_WORKFLOWS = ("temporalio.workflow", "temporalio.common", "temporalio.exceptions")
TEMPORAL_IN_INTERFACES = ("temporalio.activity",)


def test_import_contracts_hold() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-logo", "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_package_has_a_contract() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    governed = {source for contract in config["contracts"] for source in contract.get("source_modules", ())}
    layers = {f"orchestrator.{path.parent.name}" for path in (ROOT / "orchestrator").glob("*/__init__.py")}
    assert layers | set(PACKAGES[1:]) <= governed, "add the row of docs/architecture.md to pyproject.toml"


@pytest.mark.parametrize("path", modules("orchestrator/domain", "orchestrator/contracts"), ids=name_of)
def test_the_core_imports_the_standard_library_and_pydantic_only(path: Path) -> None:
    allowed = sys.stdlib_module_names | {"pydantic"}
    foreign = {
        name
        for name in imported_names(parse(path))
        if name.split(".")[0] not in allowed
        and not name.startswith(("orchestrator.domain.", "orchestrator.contracts."))
    }
    assert not foreign


@pytest.mark.parametrize("path", [*modules("workflows"), *(ROOT / "activities").glob("interfaces.py")], ids=name_of)
def test_workflow_code_sees_its_own_side_of_temporal_only(path: Path) -> None:
    allowed = TEMPORAL_IN_INTERFACES if path.name == "interfaces.py" else TEMPORAL_IN_WORKFLOWS
    names = {name for name in imported_names(parse(path)) if name.split(".")[0] == "temporalio"}
    assert not {name for name in names if not f"{name}.".startswith(tuple(f"{each}." for each in allowed))}


def test_packages_that_workflows_import_run_no_code() -> None:
    assert not parse(ROOT / "activities/__init__.py").body[1:], "activities/__init__.py holds a docstring at most"
    code = "import sys, orchestrator; print(*(name for name in sys.modules if name.startswith('orchestrator.')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not done.stdout.strip(), "orchestrator/__init__.py loads its names when they are used"


def test_the_root_is_no_package() -> None:
    assert not (ROOT / "__init__.py").exists()


def test_imports_are_absolute() -> None:
    assert not [name_of(path) for path in modules(*PACKAGES) if "None." in " ".join(imported_names(parse(path)))]


def test_folders_of_tests_are_packages() -> None:
    """Without `__init__.py`, `tests/cli` would hide `cli`, and `make test` would pass over the folder."""
    corpus = ROOT / "tests/apps/corpus"  # software that models write: data
    folders = {path.parent for path in (ROOT / "tests").rglob("test_*.py") if corpus not in path.parents}
    assert not [name_of(folder) for folder in folders if not (folder / "__init__.py").exists()]

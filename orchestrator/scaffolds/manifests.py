"""The manifests of a scaffold: pyproject.toml from its data, package.json with what the plan declares."""

import json
from collections.abc import Collection, Iterable

from orchestrator.domain.app_entry import dotted
from orchestrator.domain.app_names import AppNames
from orchestrator.domain.apps import AppType, Architecture, Dependencies
from orchestrator.scaffolds.kinds import Kind, versions
from orchestrator.scaffolds.layout import Layout
from orchestrator.scaffolds.requirements import is_tool, merged_node, merged_python, node_name, python_name

PYPROJECT = "pyproject.toml"
PACKAGE_JSON = "package.json"
PACKAGE_LOCK = "package-lock.json"
REQUIREMENTS = "requirements.txt"
README = "README.md"
_FIRST_VERSION = "0.1.0"


def pyproject_values(
    of: Kind, distribution: str, layout: Layout, declared: Dependencies, architecture: Architecture, readme: bool
) -> dict[str, str]:
    """What the template of pyproject.toml needs; `readme` says whether there will be a README.md."""
    pins = versions()
    tools = [each for each in declared.python if is_tool(each)]
    development = merged_python(pins.pinned(of.python_dev), tools)
    others = [each for each in declared.python if not is_tool(each)]
    needed = merged_python(pins.pinned(of.python), others, elsewhere=development)
    named = {python_name(each) for each in needed}
    included = layout.included if of.packaged else ()
    return {
        "readme": f"readme = {toml(README)}\n" if readme else "",
        "dependencies": toml_list(needed),
        "development": toml_list(each for each in development if python_name(each) not in named),
        "scripts": _scripts(distribution, layout, architecture),
        "wheel": _wheel(included, layout.sources),
        "pytest_options": _pytest_options(layout),
        "mypy_path": f"mypy_path = {toml(layout.sources.rstrip('/'))}\n" if layout.sources else "",
        "lint_ignores": _lint_ignores(of),
    }


def distribution_name(names: AppNames, declared: Dependencies) -> str:
    """The name of the software, which must not be one of what it needs: it would stand in for that."""
    needed = {python_name(each) for each in declared.python} | {node_name(each) for each in declared.node}
    return f"{names.distribution}-app" if names.distribution in needed else names.distribution


def package_json(template: str, declared: Collection[str]) -> str:
    """A package.json that lists what is declared besides what it lists already."""
    manifest = json.loads(template)
    manifest["dependencies"] = merged_node(
        manifest.get("dependencies", {}), declared, manifest.get("devDependencies", {})
    )
    return json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"


def node_install(files: Collection[str], template: str, declared: Collection[str]) -> str:
    """The command that installs the Node packages: exactly the lock's where that lists all that is declared."""
    complete = PACKAGE_LOCK in files and json.loads(package_json(template, declared)) == json.loads(template)
    return "npm ci" if complete else "npm install"


def minimal_package_json(distribution: str, declared: Collection[str]) -> str:
    """A package.json for software whose scaffold has none."""
    base = {"name": distribution, "version": _FIRST_VERSION, "private": True, "dependencies": {}}
    return package_json(json.dumps(base), declared)


def requirements_txt(declared: Collection[str]) -> str:
    """A requirements.txt for software whose scaffold has no pyproject.toml."""
    return "".join(f"{each}\n" for each in merged_python((), declared))


def toml(text: str) -> str:
    """A TOML string: JSON's escapes are among TOML's."""
    return json.dumps(text, ensure_ascii=False)


def toml_list(texts: Iterable[str]) -> str:
    """A TOML array, one entry a line."""
    lines = "".join(f"    {toml(each)},\n" for each in texts)
    return f"[\n{lines}]" if lines else "[]"


def _scripts(command: str, layout: Layout, architecture: Architecture) -> str:
    entry = architecture.entry_point
    if architecture.app_type is not AppType.CLI or not entry.endswith(".py"):
        return ""
    return f"\n[project.scripts]\n{command} = {toml(dotted(entry, layout.sources) + ':main')}\n"


def _wheel(included: tuple[str, ...], sources: str) -> str:
    if not included:
        return "bypass-selection = true"  # nothing to package: an empty wheel that brings the dependencies
    lines = f"only-include = [{', '.join(toml(path) for path in included)}]"
    return f"{lines}\nsources = [{toml(sources.rstrip('/'))}]" if sources else lines


def _pytest_options(layout: Layout) -> str:
    folders = [".", *([layout.sources.rstrip("/")] if layout.sources else ())]
    lines = f"pythonpath = [{', '.join(toml(folder) for folder in folders)}]"
    return f'testpaths = ["tests"]\n{lines}' if layout.tests_in_tests else lines


def _lint_ignores(of: Kind) -> str:
    if not of.lint_ignores:
        return ""
    lines = "".join(f"    {toml(rule)},  # {reason}\n" for rule, reason in of.lint_ignores.items())
    return f"ignore = [\n{lines}]\n"

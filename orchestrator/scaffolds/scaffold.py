"""The files that a project of some type starts from."""

from collections.abc import Collection
from typing import Final

from orchestrator.domain.app_entry import dotted, located
from orchestrator.domain.app_facts import facts
from orchestrator.domain.app_names import AppNames, app_names
from orchestrator.domain.apps import AppType, Architecture, Dependencies
from orchestrator.scaffolds import guides, manifests
from orchestrator.scaffolds.kinds import Kind, TemplateFile, kind, templates, versions
from orchestrator.scaffolds.layout import layout
from orchestrator.scaffolds.requirements import dependency_problems

_MODULE = "MODULE"
_OF_PYTHON: Final = {".dockerignore", "Dockerfile", manifests.PYPROJECT}


def scaffold(
    app_type: AppType,
    name: str,
    dependencies: Dependencies,
    planned: Collection[str],
    architecture: Architecture | None = None,
) -> dict[str, bytes]:
    """The files of a type of app under its name, by path, with these dependencies in its manifests.

    Files that the plan owns (`planned`: all its paths) are left out. Samples, which are example code and its tests,
    are left out as soon as the plan owns any file. What is left says what fits the planned files: packages, entry
    point, commands. `architecture` replaces the defaults of the type.

    Raises ValueError where `dependency_problems` finds any.
    """
    problems = dependency_problems(dependencies)
    if problems:
        raise ValueError("; ".join(problems))
    names, of = app_names(name), kind(app_type)
    files = _chosen(app_type, names, planned)
    every = {*files, *planned}
    decided = located(architecture or facts(app_type, name), every)
    values = _values(of, names, dependencies, decided, every)
    texts = {path: each.render(values) for path, each in files.items()}
    if manifests.PACKAGE_JSON in texts:
        texts[manifests.PACKAGE_JSON] = manifests.package_json(texts[manifests.PACKAGE_JSON], dependencies.node)
    texts |= _further_manifests(names, dependencies, every)
    return {path: texts[path].encode() for path in sorted(texts)}


def listing(app_type: AppType, name: str = "app") -> tuple[str, ...]:
    """Paths of what the scaffold brings besides samples, for a plan to build upon."""
    names = app_names(name)
    return tuple(_path(each, names) for each in templates(app_type) if not each.sample)


def _chosen(app_type: AppType, names: AppNames, planned: Collection[str]) -> dict[str, TemplateFile]:
    owned = {path.casefold() for path in planned}
    files = {_path(each, names): each for each in templates(app_type) if not (each.sample and planned)}
    if app_type is AppType.GENERIC and planned and not any(path.endswith(".py") for path in planned):
        files = {path: each for path, each in files.items() if path not in _OF_PYTHON}
    return {path: each for path, each in files.items() if not _clashes(path.casefold(), owned)}


def _clashes(path: str, owned: set[str]) -> bool:
    """True where the plan has this very path, a file in place of a folder of it, or a folder in its place."""
    folders = {path[:at] for at, char in enumerate(path) if char == "/"}
    return path in owned or bool(folders & owned) or any(each.startswith(f"{path}/") for each in owned)


def _path(template: TemplateFile, names: AppNames) -> str:
    return template.path.replace(_MODULE, names.module)


def _values(
    of: Kind, names: AppNames, declared: Dependencies, architecture: Architecture, every: Collection[str]
) -> dict[str, str]:
    found = layout(every)
    return {
        **manifests.pyproject_values(of, names, found, declared, architecture, manifests.README in every),
        **{f"{image}_image": tag for image, tag in versions().images.items()},
        "hatchling_version": versions().python["hatchling"],
        "flask_module": dotted(architecture.entry_point, found.sources),
        "module": names.module,
        "title": names.title,
        "readme_text": guides.readme(of, names, architecture),
        "container_install": "." if architecture.run_command else '".[dev]"',
        "container_port": f"EXPOSE {of.port}\n" if of.port else "",
        "container_command": guides.container_command(architecture),
    }


def _further_manifests(names: AppNames, declared: Dependencies, every: Collection[str]) -> dict[str, str]:
    """Manifests for dependencies of a language that neither scaffold nor plan has a manifest of."""
    added = {}
    if declared.node and manifests.PACKAGE_JSON not in every:
        added[manifests.PACKAGE_JSON] = manifests.minimal_package_json(names, declared.node)
    if declared.python and not {manifests.PYPROJECT, manifests.REQUIREMENTS} & set(every):
        added[manifests.REQUIREMENTS] = manifests.requirements_txt(declared.python)
    return added

"""The files that a project of some type starts from."""

import re
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
_COMMANDS: Final = ("run_command", "build_command", "test_command")
_FRONTEND_MAIN = re.compile(r"frontend/src/((?:main|index)\.[jt]sx?)")


def scaffold(
    app_type: AppType,
    name: str,
    dependencies: Dependencies,
    planned: Collection[str],
    architecture: Architecture | None = None,
) -> dict[str, bytes]:
    """The files of a type of app under its name, by path, with these dependencies in its manifests.

    Files that the plan owns (`planned`: all its paths) are left out. Samples, which are example code and its tests,
    are left out as soon as the plan owns any file; a fallback, without which nothing would build or start, as soon as
    the plan owns what it stands for. What is left says what fits the planned files: packages, entry point, commands.
    `architecture` replaces the defaults of the type.

    Raises ValueError where `dependency_problems` finds any.
    """
    problems = dependency_problems(dependencies)
    if problems:
        raise ValueError("; ".join(problems))
    names, of = app_names(name), kind(app_type)
    files = _chosen(app_type, names, planned)
    further = _further_manifests(names, dependencies, {*files, *planned})
    every = {*files, *planned, *further}
    decided = _decided(architecture or facts(app_type, name), facts(app_type, name), every)
    values = _values(of, names, dependencies, decided, every)
    if manifests.PACKAGE_JSON in files:
        template = files[manifests.PACKAGE_JSON].render(values)
        values["node_install"] = manifests.node_install(files, template, dependencies.node)
    values["readme_text"] = guides.readme(of, names, decided, every, values["node_install"])
    texts = {path: each.render(values) for path, each in files.items()}
    if manifests.PACKAGE_JSON in texts:
        texts[manifests.PACKAGE_JSON] = manifests.package_json(texts[manifests.PACKAGE_JSON], dependencies.node)
    texts |= further
    return {path: texts[path].encode() for path in sorted(texts)}


def listing(app_type: AppType, name: str = "app") -> tuple[str, ...]:
    """Paths of what the scaffold brings besides samples and fallbacks, for a plan to build upon."""
    names, of = app_names(name), kind(app_type)
    return tuple(_path(of, each, names, ()) for each in templates(app_type) if each.stays_until is None)


def _chosen(app_type: AppType, names: AppNames, planned: Collection[str]) -> dict[str, TemplateFile]:
    of, owned = kind(app_type), {path.casefold() for path in planned}
    files = {_path(of, each, names, planned): each for each in templates(app_type) if each.stays(planned)}
    if app_type is AppType.GENERIC and planned and not any(path.endswith(".py") for path in planned):
        files = {path: each for path, each in files.items() if path not in _OF_PYTHON}
    if manifests.PACKAGE_JSON in owned:
        files.pop(manifests.PACKAGE_LOCK, None)  # it locks the scaffold's own
    return {path: each for path, each in files.items() if not _clashes(path.casefold(), owned)}


def _decided(architecture: Architecture, default: Architecture, every: Collection[str]) -> Architecture:
    """The architecture as these files have it, with the type's commands where it says nothing.

    Software in another language than Python is not run by a default for Python, and what starts elsewhere than by
    default is not run by the default either.
    """
    if architecture.app_type is AppType.GENERIC and not any(path.endswith(".py") for path in every):
        unfit = {name: "" for name in _COMMANDS if getattr(architecture, name) == getattr(default, name)}
        return architecture.model_copy(update=unfit)
    entry_point = architecture.entry_point or default.entry_point
    named = _COMMANDS if entry_point == default.entry_point else ("test_command",)
    filled = {name: getattr(architecture, name) or getattr(default, name) for name in named}
    return located(architecture.model_copy(update={"entry_point": entry_point, **filled}), every)


def _clashes(path: str, owned: set[str]) -> bool:
    """True where the plan has this very path, a file in place of a folder of it, or a folder in its place."""
    folders = {path[:at] for at, char in enumerate(path) if char == "/"}
    return path in owned or bool(folders & owned) or any(each.startswith(f"{path}/") for each in owned)


def _path(of: Kind, template: TemplateFile, names: AppNames, planned: Collection[str]) -> str:
    folder = of.moves_below_src
    if folder and template.path.startswith(folder) and any(path.startswith(f"src/{folder}") for path in planned):
        return f"src/{template.path}"
    return template.path.replace(_MODULE, names.module)


def _values(
    of: Kind, names: AppNames, declared: Dependencies, architecture: Architecture, every: Collection[str]
) -> dict[str, str]:
    found, distribution = layout(every), manifests.distribution_name(names, declared)
    site = architecture.entry_point.rpartition("/")[0]
    return {
        **manifests.pyproject_values(of, distribution, found, declared, architecture, manifests.README in every),
        "distribution": distribution,
        **{f"{image}_image": tag for image, tag in versions().images.items()},
        "hatchling_version": versions().python["hatchling"],
        "flask_module": dotted(architecture.entry_point, found.sources),
        "frontend_main": next((match[1] for path in sorted(every) if (match := _FRONTEND_MAIN.fullmatch(path))), ""),
        "site_folder": f" / {manifests.toml(site)}" if site else "",
        "site_source": site or ".",
        "module": names.module,
        "title": names.title,
        "node_install": "npm install",
        "container_install": "." if architecture.run_command else '".[dev]"',
        "container_port": f"EXPOSE {of.port}\n" if of.port else "",
        "container_command": guides.container_command(architecture),
    }


def _further_manifests(names: AppNames, declared: Dependencies, every: Collection[str]) -> dict[str, str]:
    """Manifests for dependencies of a language that neither scaffold nor plan has a manifest of."""
    added, distribution = {}, manifests.distribution_name(names, declared)
    if declared.node and manifests.PACKAGE_JSON not in every:
        added[manifests.PACKAGE_JSON] = manifests.minimal_package_json(distribution, declared.node)
    if declared.python and not {manifests.PYPROJECT, manifests.REQUIREMENTS} & set(every):
        added[manifests.REQUIREMENTS] = manifests.requirements_txt(declared.python)
    return added

"""What holds for the files of every type: they parse, pin what they need, and name no machine."""

import ast
import json
import re
import tomllib

import pytest

from orchestrator.domain.app_facts import facts
from orchestrator.domain.apps import AppType, Dependencies
from orchestrator.domain.paths import normalise_path
from orchestrator.domain.sizes import SCAFFOLD_LISTING_BYTES
from orchestrator.scaffolds import listing, scaffold

NODE = (AppType.NEXTJS, AppType.REACT_FASTAPI)
NAMES = ("todo", "x" * 60, '2048: "l\'été" & <b>{{x}}</b> $HOME `id` ${x}')
LOOPBACK = re.compile(r"https?://127\.0\.0\.1\b")
NAMESPACE = "http://www.w3.org/2000/svg"


def texts(app_type: AppType, name: str = "todo", planned: tuple[str, ...] = ()) -> dict[str, str]:
    return {path: content.decode() for path, content in scaffold(app_type, name, Dependencies(), planned).items()}


every_type = pytest.mark.parametrize("app_type", AppType)


@every_type
@pytest.mark.parametrize("name", NAMES)
def test_files_parse_under_any_name(app_type: AppType, name: str) -> None:
    files = texts(app_type, name)
    for path, text in files.items():
        assert normalise_path(path) == path
        assert "@@" not in text
        assert text.endswith("\n") or not text
        if path.endswith(".py"):
            ast.parse(text)
        elif path.endswith(".toml"):
            tomllib.loads(text)
        elif path.endswith(".json"):
            json.loads(text)


@every_type
def test_every_type_brings_what_a_reader_expects(app_type: AppType) -> None:
    files = texts(app_type)
    assert files.keys() >= {"README.md", "Dockerfile", ".gitignore", ".dockerignore"}
    assert ("pyproject.toml" in files) is (app_type is not AppType.NEXTJS)
    assert any("test" in path for path in files)
    decided = facts(app_type, "todo")
    for command in (decided.run_command, decided.build_command, decided.test_command):
        assert command in files["README.md"]


@every_type
def test_containers_are_pinned_and_unprivileged(app_type: AppType) -> None:
    lines = texts(app_type)["Dockerfile"].splitlines()
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert bases
    assert all(re.fullmatch(r"[a-z/-]+:\d+\.\d+\.\d+-[a-z-]+", base) for base in bases)
    users = [line for line in lines if line.startswith("USER ")]
    assert users
    assert users[-1].split()[1] not in ("root", "0")
    assert lines.index(users[-1]) > max(index for index, line in enumerate(lines) if line.startswith(("COPY", "RUN")))
    commands = [line.removeprefix("CMD ") for line in lines if line.startswith("CMD ")]
    assert all(json.loads(command) for command in commands)
    assert "127.0.0.1" not in "".join(commands)


@pytest.mark.parametrize("app_type", [each for each in AppType if each is not AppType.NEXTJS])
def test_python_packages_are_pinned(app_type: AppType) -> None:
    manifest = tomllib.loads(texts(app_type)["pyproject.toml"])
    project = manifest["project"]
    requirements = [
        *manifest["build-system"]["requires"],
        *project["dependencies"],
        *project["optional-dependencies"]["dev"],
    ]
    assert {"pytest", "ruff", "mypy"} <= {each.split("==")[0] for each in requirements}
    assert all(re.fullmatch(r"[a-z0-9-]+==\d+(\.\d+)+", each) for each in requirements)
    assert manifest["tool"].keys() >= {"ruff", "mypy", "pytest"}


@pytest.mark.parametrize("app_type", NODE)
def test_node_packages_are_pinned_and_locked_without_addresses(app_type: AppType) -> None:
    files = texts(app_type)
    manifest, locked = json.loads(files["package.json"]), json.loads(files["package-lock.json"])
    wanted = manifest["dependencies"] | manifest["devDependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
    packages = locked["packages"]
    own = packages.pop("")
    assert (own["name"], own["dependencies"], own["devDependencies"]) == (
        manifest["name"],
        manifest["dependencies"],
        manifest["devDependencies"],
    )
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert not any("resolved" in package for package in packages.values())
    needed = {name for package in packages.values() for name in package.get("optionalDependencies", ())}
    assert not [name for name in needed if not any(path.endswith(f"node_modules/{name}") for path in packages)]


@every_type
def test_no_file_names_a_machine(app_type: AppType) -> None:
    for path, text in texts(app_type).items():
        assert "://" not in LOOPBACK.sub("", text.replace(NAMESPACE, "")), path


@every_type
def test_next_to_nothing_is_random(app_type: AppType) -> None:
    assert texts(app_type) == texts(app_type)
    assert list(texts(app_type)) == sorted(texts(app_type))


@every_type
def test_the_listing_is_what_stays_whatever_is_planned(app_type: AppType) -> None:
    paths = listing(app_type, "todo")
    assert set(paths) <= texts(app_type).keys()
    assert set(paths) <= texts(app_type, planned=("any/module.py", "any/page.tsx")).keys()
    assert len("\n".join(paths)) <= SCAFFOLD_LISTING_BYTES
    assert not [path for path in paths if path.endswith(("main.py", "page.tsx"))]


def test_next_builds_without_telemetry_or_fonts_from_the_network() -> None:
    files = texts(AppType.NEXTJS)
    assert 'NEXT_TELEMETRY_DISABLED = "1"' in files["next.config.mjs"]
    assert not any("next/font" in text for text in files.values())

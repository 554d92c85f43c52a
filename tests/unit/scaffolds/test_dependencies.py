"""Declared packages join the manifests: never twice, never in place of what the scaffold is tested with."""

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.apps import AppType, Dependencies
from orchestrator.scaffolds import dependency_problems, scaffold
from orchestrator.scaffolds.kinds import versions


def project(app_type: AppType, *python: str, name: str = "todo") -> dict[str, Any]:
    files = scaffold(app_type, name, Dependencies(python=python), ())
    found: dict[str, Any] = tomllib.loads(files["pyproject.toml"].decode())["project"]
    return found


def pin(name: str) -> str:
    return f"{name}=={versions().python[name]}"


def test_declared_packages_follow_the_pinned_ones() -> None:
    declared = ("SQLAlchemy>=2,<3", "pyjwt[crypto]==2.10.1", "tomli; python_version < '3.11'")
    assert project(AppType.FASTAPI, *declared)["dependencies"] == [pin("fastapi"), pin("uvicorn"), *declared]


def test_pins_of_the_scaffold_stay_and_extras_are_added() -> None:
    found = project(AppType.FASTAPI, "FastAPI>=0.100", "uvicorn[standard]", "uvicorn", "fastapi==0.1")
    assert found["dependencies"] == [
        pin("fastapi"),
        pin("uvicorn").replace("uvicorn", "uvicorn[standard]"),
    ]


def test_the_same_package_is_listed_once() -> None:
    found = project(AppType.CLI, "rich", "Rich>=1", "ruamel.yaml", "ruamel-yaml==1", "ruamel_yaml")
    assert found["dependencies"] == ["rich", "ruamel.yaml"]


def test_a_package_of_the_tests_that_the_software_needs_is_listed_there() -> None:
    found = project(AppType.FASTAPI, "httpx2")
    assert found["dependencies"] == [pin("fastapi"), pin("uvicorn"), pin("httpx2")]
    assert pin("httpx2") not in found["optional-dependencies"]["dev"]


def test_tools_join_the_tools() -> None:
    found = project(AppType.CLI, "pytest>=8", "pytest-asyncio==1.2.0", "types-requests", "hypothesis", "mypy")
    assert found["dependencies"] == []
    assert found["optional-dependencies"]["dev"] == [
        *(pin(name) for name in ("mypy", "pytest", "ruff")),
        "pytest-asyncio==1.2.0",
        "types-requests",
        "hypothesis",
    ]


def test_software_is_not_called_as_what_it_needs() -> None:
    assert project(AppType.CLI, "todo", name="todo")["name"] == "todo-app"
    files = scaffold(AppType.NEXTJS, "clsx", Dependencies(node=("clsx@2",)), ())
    assert json.loads(files["package.json"])["name"] == json.loads(files["package-lock.json"])["name"] == "clsx-app"


def test_node_packages() -> None:
    declared = ("zustand@^5.0.0", "@types/d3@7", "react@18.0.0", "vitest", "zustand@4", "clsx")
    files = scaffold(AppType.NEXTJS, "todo", Dependencies(node=declared), ())
    manifest = json.loads(files["package.json"])
    own = json.loads(scaffold(AppType.NEXTJS, "todo", Dependencies(), ())["package.json"])
    added = {"zustand": "^5.0.0", "@types/d3": "7", "clsx": "*"}
    assert manifest["dependencies"] == own["dependencies"] | added
    assert manifest["devDependencies"] == own["devDependencies"]


@pytest.mark.parametrize("app_type", [AppType.NEXTJS, AppType.REACT_FASTAPI])
def test_the_lock_is_used_while_it_is_complete(app_type: AppType) -> None:
    plain = scaffold(app_type, "todo", Dependencies(node=("react",)), ())
    more = scaffold(app_type, "todo", Dependencies(node=("clsx",)), ())
    for path in ("README.md", "Dockerfile"):
        assert b"npm ci" in plain[path]
        assert b"npm ci" not in more[path]
        assert b"npm install" in more[path]


def test_a_planned_manifest_takes_its_lock_along() -> None:
    files = scaffold(AppType.NEXTJS, "todo", Dependencies(node=("clsx",)), ("package.json", "app/page.tsx"))
    assert not {"package.json", "package-lock.json"} & files.keys()
    assert b"npm install" in files["Dockerfile"]


def test_packages_of_the_other_language_get_a_manifest() -> None:
    flask = scaffold(AppType.FLASK, "todo", Dependencies(node=("htmx.org@2.0.4",)), ())
    assert json.loads(flask["package.json"])["dependencies"] == {"htmx.org": "2.0.4"}
    nextjs = scaffold(AppType.NEXTJS, "todo", Dependencies(python=("rich",)), ())
    assert nextjs["requirements.txt"] == b"rich\n"


WRONG = [
    "", "rich; rm -rf /", "rich @ https://127.0.0.1/x.whl", "-r other.txt", "--index-url=x", "./local", "../up",
    "git+ssh", "rich==1\nother", "rich]", 'rich"', "rich==", "a b", "x" * 300, "rich\x1b[0m",
]  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_requirement_is_refused(text: str) -> None:
    wanted = Dependencies(python=(text,))
    (problem,) = dependency_problems(wanted)
    assert "no Python requirement" in problem
    assert "\n" not in problem
    assert "\x1b" not in problem
    with pytest.raises(ValueError, match="no Python requirement"):
        scaffold(AppType.CLI, "todo", wanted, ())


@pytest.mark.parametrize(
    "text", ["", "../up", "a@file:../x", "a@https://127.0.0.1", "a@git+ssh", "A B", "@scope", "a@1\n2"]
)
def test_what_is_no_node_requirement_is_refused(text: str) -> None:
    assert dependency_problems(Dependencies(node=(text,)))


@pytest.mark.parametrize(
    "text", ["rich", "rich==1.2.*", "a-b.c_d[x,y]>=1,!=1.5,<2; python_version >= '3.11'", "x~=1.4.2"]
)
def test_requirements_are_taken(text: str) -> None:
    assert not dependency_problems(Dependencies(python=(text,)))
    assert text in project(AppType.CLI, text)["dependencies"]


@given(st.lists(st.text(max_size=40), max_size=5))
def test_any_texts_either_have_problems_or_give_manifests_that_parse(declared: list[str]) -> None:
    wanted = Dependencies(python=tuple(declared), node=tuple(declared))
    if not dependency_problems(wanted):
        files = scaffold(AppType.REACT_FASTAPI, "todo", wanted, ())
        tomllib.loads(files["pyproject.toml"].decode())
        json.loads(files["package.json"])

"""What is left of a scaffold beside planned files builds, installs and starts, however the files lie."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestrator.domain.apps import AppType, Dependencies
from orchestrator.scaffolds import scaffold
from tests.scaffolds.rig import Software, get

GREET = b'''"""Greets."""


def greet(name: str) -> str:
    """Return a greeting."""
    return f"Hello, {name}!"
'''
COMMAND = b'''"""The command line."""

import argparse

from hello.greeting import greet


def main() -> int:
    """Greet whoever is named."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    print(greet(parser.parse_args().name))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
'''
TEST = b"""from hello.greeting import greet


def test_greet() -> None:
    assert greet("Ada") == "Hello, Ada!"
"""
API = b"""from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def index() -> dict[str, str]:
    return {"said": "hello"}
"""
FLASK = b"""from flask import Flask

app = Flask(__name__)


@app.get("/")
def index() -> str:
    return "hello"
"""
PAGE = b"""export default function Page() {
  return <h1>hello</h1>;
}
"""
APP = b"""export default function App() {
  return <h1>hello</h1>;
}
"""
HTML = (
    b'<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>hello</title></html>\n'
)


def software(
    folder: Path, app_type: AppType, written: Mapping[str, bytes], packages: Dependencies | None = None
) -> Software:
    """The scaffold for a plan that wrote these files, installed and checked."""
    files = scaffold(app_type, "hello", packages or Dependencies(), tuple(written))
    made = Software(folder, files | dict(written))
    made.install()
    for command in made.commands("Check"):
        made.run(command)
    return made


@pytest.mark.parametrize("base", ["", "src/"])
def test_a_command_of_either_layout(base: str, tmp_path: Path) -> None:
    written = {
        f"{base}hello/__init__.py": b"",
        f"{base}hello/greeting.py": GREET,
        f"{base}hello/cli.py": COMMAND,
        "tests/test_greeting.py": TEST,
    }
    made = software(tmp_path, AppType.CLI, written, Dependencies(python=("iniconfig>=2",)))
    assert made.run("hello", "Ada") == made.run("python -m hello.cli", "Ada") == "Hello, Ada!\n"
    assert "1 passed" in made.run("python -m pytest")
    made.run("python -c 'import iniconfig'")


def test_a_wheel_holds_the_package_and_nothing_else(tmp_path: Path) -> None:
    written = {"src/hello/__init__.py": b"", "src/hello/greeting.py": GREET, "tests/test_greeting.py": TEST}
    made = software(tmp_path / "made", AppType.LIBRARY, written)
    made.uv("build --quiet --wheel --out-dir out")
    (wheel,) = (tmp_path / "made/out").glob("*.whl")
    names = made.run(f"python -m zipfile -l {wheel}")
    assert "hello/greeting.py" in names
    assert "src/" not in names
    assert "tests/" not in names


@pytest.mark.parametrize(
    ("app_type", "written"),
    [
        (AppType.FASTAPI, {"server.py": API}),
        (AppType.FASTAPI, {"src/shop/__init__.py": b"", "src/shop/main.py": API}),
        (AppType.FLASK, {"shop/app.py": FLASK}),
        (AppType.STATIC_SITE, {"public/index.html": HTML}),
    ],
    ids=["a single module", "below src", "flask in a package", "a folder of its own"],
)
def test_a_service_that_lies_elsewhere(app_type: AppType, written: dict[str, bytes], tmp_path: Path) -> None:
    made = software(tmp_path, app_type, written)
    (command,) = made.commands("Run")
    with made.serving(command) as address:
        assert "hello" in get(f"{address}/")[1]


def test_react_around_a_planned_component(tmp_path: Path) -> None:
    made = software(tmp_path, AppType.REACT_FASTAPI, {"frontend/src/App.tsx": APP, "app/main.py": API})
    made.run("npm run build")
    assert (tmp_path / "frontend/dist/index.html").exists()


@pytest.mark.long
@pytest.mark.parametrize("page", ["app/page.tsx", "src/app/page.tsx", "pages/index.tsx"])
def test_next_around_a_planned_page(page: str, tmp_path: Path) -> None:
    made = software(tmp_path, AppType.NEXTJS, {page: PAGE})
    made.run("npm run build")
    (command,) = made.commands("Run")
    with made.serving(command) as address:
        assert "<h1>hello</h1>" in get(f"{address}/")[1]


@pytest.mark.long
def test_a_package_of_the_plan_joins_the_locked_ones(tmp_path: Path) -> None:
    software(tmp_path, AppType.REACT_FASTAPI, {"frontend/src/App.tsx": APP}, Dependencies(node=("clsx@2.1.1",)))
    assert (tmp_path / "node_modules/clsx").is_dir()
    assert '"clsx": "2.1.1"' in (tmp_path / "package.json").read_text("utf-8")

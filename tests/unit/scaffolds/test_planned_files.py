"""What becomes of a scaffold when a plan writes files: it makes room, and what is left fits what was written."""

import json
import tomllib
from typing import Any

import pytest

from orchestrator.domain.app_facts import facts
from orchestrator.domain.apps import AppType, Architecture, Dependencies
from orchestrator.scaffolds import scaffold


def rendered(app_type: AppType, *planned: str, python: tuple[str, ...] = ()) -> dict[str, str]:
    files = scaffold(app_type, "todo", Dependencies(python=python), planned)
    return {path: content.decode() for path, content in files.items()}


def pyproject(app_type: AppType, *planned: str) -> dict[str, Any]:
    return tomllib.loads(rendered(app_type, *planned)["pyproject.toml"])


@pytest.mark.parametrize("app_type", AppType)
def test_samples_and_planned_files_are_left_out(app_type: AppType) -> None:
    samples = [path for path in rendered(app_type) if path.startswith("tests/") and path != "tests/test_pages.py"]
    left = rendered(app_type, "readme.md", "shop/main.py")
    assert not [path for path in left if path in samples]
    assert "README.md" not in left
    assert "shop/main.py" not in left
    assert ".gitignore" in left


@pytest.mark.parametrize("planned", ["tests", "tests/test_pages.py/below.py", "TESTS/Test_Pages.py"])
def test_paths_that_cannot_stand_together_are_left_out(planned: str) -> None:
    assert "tests/test_pages.py" not in rendered(AppType.STATIC_SITE, planned)


@pytest.mark.parametrize(
    ("planned", "included", "sources"),
    [
        (["todo/cli.py", "tests/test_cli.py"], ["todo"], None),
        (["src/todo/cli.py", "src/todo/store.py"], ["src/todo"], ["src"]),
        (["src/main.py", "src/store.py"], ["src/main.py", "src/store.py"], ["src"]),
        (["src/__init__.py", "src/main.py"], ["src"], None),
        (["main.py", "store.py", "conftest.py", "test_main.py"], ["main.py", "store.py"], None),
        (["app/main.py", "core/db/models.py", "scripts/seed.py", "docs/conf.py"], ["app", "core"], None),
        (["my-tool/main.py", "notes.md"], None, None),
        (["tests/test_todo.py"], None, None),
    ],
)
def test_packaging_follows_the_layout(
    planned: list[str], included: list[str] | None, sources: list[str] | None
) -> None:
    wheel = pyproject(AppType.CLI, *planned)["tool"]["hatch"]["build"]["targets"]["wheel"]
    expected = {"only-include": included, "sources": sources, "bypass-selection": None if included else True}
    assert wheel == {name: value for name, value in expected.items() if value is not None}


def test_tests_and_types_are_found_below_src() -> None:
    tools = pyproject(AppType.LIBRARY, "src/todo/__init__.py", "tests/test_todo.py")["tool"]
    assert tools["pytest"]["ini_options"] == {"testpaths": ["tests"], "pythonpath": [".", "src"]}
    assert tools["mypy"]["mypy_path"] == "src"


def test_tests_outside_their_folder_are_run_too() -> None:
    options = pyproject(AppType.SCRIPT, "report.py", "test_report.py")["tool"]["pytest"]["ini_options"]
    assert options == {"pythonpath": ["."]}


def test_the_command_starts_what_was_planned() -> None:
    assert pyproject(AppType.CLI)["project"]["scripts"] == {"todo": "todo.cli:main"}
    assert pyproject(AppType.CLI, "src/list/main.py")["project"]["scripts"] == {"todo": "list.main:main"}
    assert 'app_import_path="shop.web.app"' in rendered(AppType.FLASK, "shop/web/app.py")["wsgi.py"]
    assert 'CMD ["python", "-m", "uvicorn", "main:app", ' in rendered(AppType.FASTAPI, "main.py")["Dockerfile"]


def test_a_readme_that_is_planned_is_still_named_in_the_manifest() -> None:
    assert pyproject(AppType.LIBRARY)["project"]["readme"] == "README.md"
    assert pyproject(AppType.LIBRARY, "README.md")["project"]["readme"] == "README.md"


def test_the_decided_architecture_is_what_guides_say() -> None:
    decided = facts(AppType.FASTAPI).model_copy(
        update={"run_command": 'hypercorn app.main:app --bind "127.0.0.1:9000"', "test_command": "pytest -x"}
    )
    files = scaffold(AppType.FASTAPI, "todo", Dependencies(), ("app/main.py",), decided)
    readme, dockerfile = files["README.md"].decode(), files["Dockerfile"].decode()
    assert 'hypercorn app.main:app --bind "127.0.0.1:9000"' in readme
    assert "pytest -x" in readme
    assert 'CMD ["hypercorn", "app.main:app", "--bind", "0.0.0.0:9000"]' in dockerfile


@pytest.mark.parametrize(
    ("entry_point", "command"), [("", "python app.py"), ("tool.py", "python -m pytest"), ("main.py", "python app.py")]
)
def test_an_architecture_that_leaves_something_open_gets_what_fits(entry_point: str, command: str) -> None:
    open_one = Architecture(app_type=AppType.GENERIC, entry_point=entry_point)
    files = scaffold(AppType.GENERIC, "todo", Dependencies(), ("app.py", "tool.py"), open_one)
    assert files["Dockerfile"].decode().endswith(f"CMD {json.dumps(command.split())}\n")
    assert "python -m pytest" in files["README.md"].decode()


@pytest.mark.parametrize("command", ["x\n```\n# Title", "python 'open", 'a "b\\" c\nRUN rm -rf /'])
def test_a_hostile_command_stays_a_command(command: str) -> None:
    decided = facts(AppType.SCRIPT).model_copy(update={"run_command": command})
    files = scaffold(AppType.SCRIPT, "todo", Dependencies(), (), decided)
    assert files["README.md"].decode().count("```") == 10
    last = files["Dockerfile"].decode().splitlines()[-1]
    assert json.loads(last.removeprefix("CMD "))


def test_next_keeps_what_it_cannot_do_without() -> None:
    assert {"app/layout.tsx", "app/page.tsx", "app/globals.css"} <= rendered(AppType.NEXTJS, "lib/cart.ts").keys()
    with_page = rendered(AppType.NEXTJS, "app/page.tsx", "app/cart/page.tsx")
    assert "app/page.tsx" not in with_page
    assert "app/layout.tsx" in with_page
    assert "app/page.tsx" in rendered(AppType.NEXTJS, "app/cart/page.tsx")
    assert "app/page.tsx" not in rendered(AppType.NEXTJS, "app/(shop)/page.jsx")
    assert "app/layout.tsx" not in rendered(AppType.NEXTJS, "app/layout.js")


def test_next_has_one_app_folder() -> None:
    below_src = rendered(AppType.NEXTJS, "src/app/page.tsx")
    assert "src/app/layout.tsx" in below_src
    assert not [path for path in below_src if path.startswith("app/")]
    assert not [path for path in rendered(AppType.NEXTJS, "pages/index.tsx") if "app/" in path]


@pytest.mark.parametrize(
    ("app_type", "own", "planned"),
    [
        (AppType.NEXTJS, "next.config.mjs", "next.config.ts"),
        (AppType.NEXTJS, "vitest.config.mts", "vitest.config.ts"),
        (AppType.REACT_FASTAPI, "vite.config.ts", "vite.config.js"),
    ],
)
def test_there_is_one_configuration_of_a_tool(app_type: AppType, own: str, planned: str) -> None:
    assert own in rendered(app_type, "lib/cart.ts")
    assert own not in rendered(app_type, planned)


def test_react_keeps_a_frontend_and_a_backend() -> None:
    backend_only = rendered(AppType.REACT_FASTAPI, "app/main.py", "tests/test_api.py")
    assert {"frontend/index.html", "frontend/src/main.tsx", "frontend/src/App.tsx"} <= backend_only.keys()
    frontend_only = rendered(AppType.REACT_FASTAPI, "frontend/src/App.tsx", "tests/test_x.py")
    assert {"app/main.py", "frontend/src/main.tsx"} <= frontend_only.keys()
    assert "app/main.py" not in rendered(AppType.REACT_FASTAPI, "backend/server.py")
    own_start = rendered(AppType.REACT_FASTAPI, "frontend/src/index.jsx")
    assert 'src="/src/index.jsx"' in own_start["frontend/index.html"]
    assert not [path for path in own_start if path.startswith("frontend/src/")]


def test_a_static_site_is_checked_where_it_lies() -> None:
    assert "SITE = Path(__file__).parents[1]\n" in rendered(AppType.STATIC_SITE, "index.html")["tests/test_pages.py"]
    below = rendered(AppType.STATIC_SITE, "public/index.html")
    assert 'SITE = Path(__file__).parents[1] / "public"\n' in below["tests/test_pages.py"]
    assert "COPY public " in below["Dockerfile"]
    assert not {"index.html", "styles.css"} & below.keys()
    assert "index.html" in rendered(AppType.STATIC_SITE, "about.html")


def test_a_generic_project_may_be_of_another_language() -> None:
    in_go = rendered(AppType.GENERIC, "main.go")
    assert in_go.keys() == {"README.md", ".gitignore"}
    assert in_go["README.md"] == "# Todo\n"
    assert "npm install" in rendered(AppType.GENERIC, "index.js", "package.json")["README.md"]
    assert "pyproject.toml" in rendered(AppType.GENERIC, "tool.py")
    assert rendered(AppType.GENERIC, "index.js", python=("rich",))["requirements.txt"] == "rich\n"

"""What each type decides, and where software starts that is laid out otherwise."""

import shlex

import pytest

from orchestrator.domain.app_entry import located
from orchestrator.domain.app_facts import facts
from orchestrator.domain.apps import AppType, Dependencies
from orchestrator.scaffolds import scaffold

HTTP = {AppType.FASTAPI, AppType.FLASK, AppType.REACT_FASTAPI, AppType.NEXTJS, AppType.STATIC_SITE}


@pytest.mark.parametrize("app_type", AppType)
def test_every_type_has_facts_that_fit_its_scaffold(app_type: AppType) -> None:
    decided = facts(app_type, "My Tool")
    assert decided.app_type is app_type
    assert decided.entry_point in scaffold(app_type, "My Tool", Dependencies(), ())
    assert decided.stack
    assert decided.test_command
    assert bool(decided.run_command) is (app_type is not AppType.LIBRARY)
    assert ("127.0.0.1" in decided.run_command) is (app_type in HTTP)


@pytest.mark.parametrize("app_type", AppType)
def test_commands_need_no_shell(app_type: AppType) -> None:
    decided = facts(app_type)
    for command in (decided.run_command, decided.build_command, decided.test_command):
        assert not set("|&;<>$`*~{}") & set(command)
        assert " ".join(shlex.split(command)) == command


def test_commands_and_libraries_are_called_by_the_name() -> None:
    assert facts(AppType.CLI, "To-Do List").run_command == "python -m to_do_list"
    assert facts(AppType.LIBRARY, "Rate limiter").entry_point == "rate_limiter/__init__.py"


UVICORN = "python -m uvicorn {} --host 127.0.0.1 --port 8000"


@pytest.mark.parametrize(
    ("app_type", "paths", "entry", "command"),
    [
        (AppType.FASTAPI, ["app/main.py", "main.py"], "app/main.py", UVICORN.format("app.main:app")),
        (AppType.FASTAPI, ["main.py"], "main.py", UVICORN.format("main:app")),
        (AppType.FASTAPI, ["shop/api.py", "tests/main.py"], "shop/api.py", UVICORN.format("shop.api:app")),
        (AppType.FASTAPI, ["src/shop/main.py"], "src/shop/main.py", UVICORN.format("shop.main:app") + " --app-dir src"),
        (AppType.FASTAPI, ["src/__init__.py", "src/main.py"], "src/main.py", UVICORN.format("src.main:app")),
        (AppType.FASTAPI, ["models.py"], "app/main.py", UVICORN.format("app.main:app")),
        (AppType.FLASK, ["app.py"], "app.py", "python -m waitress --listen=127.0.0.1:8000 wsgi:app"),
        (AppType.CLI, ["todo/cli.py", "todo/__main__.py"], "todo/cli.py", "python -m todo"),
        (AppType.CLI, ["todo/cli.py"], "todo/cli.py", "python -m todo.cli"),
        (AppType.CLI, ["src/list/main.py"], "src/list/main.py", "python -m list.main"),
        (AppType.CLI, ["todo.py"], "todo.py", "python -m todo"),
        (AppType.SCRIPT, ["tools/run.py"], "tools/run.py", "python tools/run.py"),
        (AppType.DATA_PIPELINE, ["etl/__main__.py"], "etl/__main__.py", "python -m etl"),
        (AppType.GENERIC, ["index.js"], "main.py", "python main.py"),
        (AppType.LIBRARY, ["src/todo/__init__.py"], "todo/__init__.py", ""),
        (AppType.STATIC_SITE, ["index.html"], "index.html", "python -m http.server 8000 --bind 127.0.0.1"),
        (
            AppType.STATIC_SITE,
            ["public/index.html", "public/blog/index.html"],
            "public/index.html",
            "python -m http.server 8000 --bind 127.0.0.1 --directory public",
        ),
    ],
)
def test_the_start_is_where_the_files_are(app_type: AppType, paths: list[str], entry: str, command: str) -> None:
    found = located(facts(app_type, "todo"), paths)
    assert (found.entry_point, found.run_command) == (entry, command)


def test_a_command_of_the_users_own_stays() -> None:
    wished = facts(AppType.CLI, "todo").model_copy(update={"run_command": "python serve.py --all"})
    assert located(wished, ["todo/cli.py"]).run_command == "python serve.py --all"
    wished = facts(AppType.FASTAPI).model_copy(update={"entry_point": "shop.web:app", "run_command": "hypercorn x:y"})
    assert located(wished, ["shop/web.py"]) == wished

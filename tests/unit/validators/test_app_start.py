"""Software of each kind is really started in the sandbox, and what stands in its way is told."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.domain.apps import AppType, Architecture, DependencyPolicy
from orchestrator.domain.findings import CheckResult, CheckStatus
from orchestrator.validators.app_plan import AppKind, app_plan, plain_command
from orchestrator.validators.environments.ensure import Environments
from orchestrator.validators.environments.environment import NOTHING, Environment
from orchestrator.validators.registry import check_files
from tests.sandbox.boxes import sandbox
from tests.unit.validators.local_index import LocalIndex, local_index, wheel
from tests.unit.validators.test_environments import environments

# Stands in for the server of an application: `python -m uvicorn module:app --port N` calls app() per request.
UVICORN = """
import http.server, importlib, sys
module, name = sys.argv[1].split(":")
sys.path.insert(0, "")
app = getattr(importlib.import_module(module), name)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status = app.answer(self.path)
        self.send_response(status); self.end_headers(); self.wfile.write(b"x")
port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""
FASTAPI = """
class FastAPI:
    def answer(self, path):
        return 200
"""
API = "from fastapi import FastAPI\napp = FastAPI()\n"
MANIFEST = "[project]\nname = 'api'\nversion = '1'\ndependencies = ['fastapi', 'uvicorn']\n"
CLI = "import argparse\nargparse.ArgumentParser().parse_args()\n"


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environments]:
    with local_index() as index:
        _serve(index)
        yield environments(tmp_path_factory.mktemp("apps"), index.url, "")


def _serve(index: LocalIndex) -> None:
    index.add(wheel("fastapi", "0.1", {"fastapi.py": FASTAPI}))
    index.add(wheel("uvicorn", "0.1", {"uvicorn/__init__.py": "", "uvicorn/__main__.py": UVICORN}))


def start(
    files: dict[str, str], architecture: Architecture | None = None, environment: Environment = NOTHING, kind: str = ""
) -> CheckResult:
    encoded = {path: text.encode() for path, text in files.items()}
    check = check_files(
        encoded, frozenset(), ["app_start"], sandbox(kind), environment=environment, architecture=architecture
    )
    return asyncio.run(check)[0]


def http(packages: Environments, main: str, kind: str = "", architecture: Architecture | None = None) -> CheckResult:
    files = {"pyproject.toml": MANIFEST, "app/__init__.py": "", "app/main.py": main}
    encoded = {path: text.encode() for path, text in files.items()}
    environment = asyncio.run(packages.ensure(encoded, DependencyPolicy()))
    assert environment.python, environment
    return start(files, architecture, environment, kind)


def rules(result: CheckResult) -> list[tuple[str, int, str]]:
    return [(finding.path, finding.line, finding.rule) for finding in result.findings]


@pytest.mark.parametrize("kind", ["", "unsafe"])
def test_a_server_answers_on_loopback(packages: Environments, kind: str) -> None:
    assert http(packages, API, kind).status is CheckStatus.PASSED


def test_the_architecture_says_how_a_server_is_started(packages: Environments) -> None:
    decided = Architecture(
        app_type=AppType.FASTAPI, run_command="MODE=x python -m uvicorn app.main:web --reload --port 8123"
    )
    main = "import os\nfrom fastapi import FastAPI\nassert os.environ['MODE'] == 'x'\nweb = FastAPI()\n"
    assert http(packages, main, architecture=decided).status is CheckStatus.PASSED
    assert http(packages, main).status is CheckStatus.FAILED


def test_a_server_that_fails_is_told_with_its_place(packages: Environments) -> None:
    result = http(packages, API + "import os\n\nos.environ['NOT_SET']\n")
    assert rules(result) == [("app/main.py", 5, "did-not-start")]
    assert "KeyError: 'NOT_SET'" in result.findings[0].message


def test_a_server_that_answers_with_its_own_failure_does_not_pass(packages: Environments) -> None:
    result = http(packages, API + "app.answer = lambda path: 500\n")
    assert {rule for _, _, rule in rules(result)} == {"server-error"}
    missing = http(packages, API + "app.answer = lambda path: 404\n")
    assert missing.status is CheckStatus.PASSED


def test_an_app_cannot_forge_the_word_of_the_probe(packages: Environments) -> None:
    forge = """
import glob, json, os
for path in glob.glob('/tmp/.orch-app-report'):
    with open(path, 'a') as file:
        file.write(json.dumps({"done": True, "problems": []}) + '\\n')
"""
    assert http(packages, API + forge + "1 / 0\n").status is CheckStatus.FAILED
    killing = http(packages, API + forge + "os.kill(os.getppid(), 9)\n")
    assert killing.status is CheckStatus.UNCHECKED


def test_the_application_may_come_from_a_factory_of_another_module() -> None:
    files = {
        "shop/__init__.py": b"from fastapi import FastAPI\ndef make(config=None):\n    return FastAPI()\n",
        "shop/web.py": b"from shop import make\n\napplication = make()\n",
        "shop/other.py": b"def run(app):\n    return app\n",
    }
    assert app_plan(files, None).start[3] == "shop.web:application"
    del files["shop/web.py"]
    assert app_plan(files, None).start[3:] == ("shop:make", "--port", "{port}", "--factory")


def test_the_command_of_the_architecture_does_where_no_file_shows_the_application() -> None:
    decided = Architecture(app_type=AppType.FASTAPI, run_command="uvicorn web:app --port 8000")
    plan = app_plan({"web.py": b"from made import app\n"}, decided)
    assert (plan.kind, plan.start) == (AppKind.HTTP, ("uvicorn", "web:app", "--port", "8000"))


def test_a_type_without_its_application_is_told() -> None:
    result = start({"app/main.py": "x = 1\n"}, Architecture(app_type=AppType.FASTAPI))
    assert rules(result) == [("", 0, "no-entry-point")]


@pytest.mark.parametrize("kind", ["", "unsafe"])
def test_a_command_tells_its_use(kind: str) -> None:
    assert start({"todo/__init__.py": "", "todo/__main__.py": CLI}, kind=kind).status is CheckStatus.PASSED


def test_a_console_script_is_run_without_being_installed() -> None:
    files = {
        "pyproject.toml": "[project]\nname='todo'\n[project.scripts]\ntodo='todo.cli:main'\n",
        "src/todo/__init__.py": "",
        "src/todo/cli.py": "import argparse\ndef main():\n    argparse.ArgumentParser().parse_args()\n",
    }
    assert start(files).status is CheckStatus.PASSED
    broken = start({**files, "src/todo/cli.py": "import argparse\ndef main():\n    return 1 / 0\n"})
    assert rules(broken) == [("src/todo/cli.py", 3, "help-failed")]


@pytest.mark.parametrize(
    ("source", "rule"),
    [
        ("import argparse, sys\nsys.exit(3)\n", "help-failed"),
        ("import argparse\n", "help-failed"),
        ("import argparse\nraise ValueError('x')\n", "help-failed"),
    ],
)
def test_a_command_that_does_not_tell_its_use_fails(source: str, rule: str) -> None:
    result = start({"todo/__init__.py": "", "todo/__main__.py": source})
    assert [found for _, _, found in rules(result)] == [rule]


def test_pages_link_to_what_is_there() -> None:
    files = {
        "index.html": "<a href='about.html#top'></a><a href='#here'></a><img src=\"https://x.invalid/a.png\">"
        "<a href='mailto:a@b'></a><p id='here'></p>\n<link rel=stylesheet href='/css/a.css?v=1'>",
        "about.html": "<a href='./'></a><a href='index.html#here'></a>",
        "css/a.css": "",
    }
    assert start(files).status is CheckStatus.PASSED
    files["about.html"] = "<a href='gone.html'></a>\n<a href='index.html#gone'></a>"
    assert rules(start(files)) == [("about.html", 1, "broken-link"), ("about.html", 2, "broken-link")]
    without = start({"css/a.css": ""}, Architecture(app_type=AppType.STATIC_SITE))
    assert [rule for _, _, rule in rules(without)] == ["no-index"]


def test_a_library_can_be_imported() -> None:
    library = Architecture(app_type=AppType.LIBRARY)
    assert (
        start({"lib/__init__.py": "from lib.a import b\n", "lib/a.py": "b = 1\n"}, library).status is CheckStatus.PASSED
    )
    result = start({"lib/__init__.py": "from lib.a import c\n", "lib/a.py": "b = 1\n"}, library)
    assert rules(result) == [("lib/__init__.py", 1, "import-error")]


def test_nothing_to_start_is_not_applicable() -> None:
    assert start({"README.md": "# x\n"}).status is CheckStatus.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("python3 main.py --port 80", ["{python}", "main.py", "--port", "80"]),
        ("A=1 B='x y' poetry run todo", ["todo"]),
        ("cd x && python main.py", []),
        ("python main.py; rm -rf /", []),
        ("echo $(id)", []),
        ("unclosed 'quote", []),
    ],
)
def test_commands_run_without_a_shell(text: str, words: list[str]) -> None:
    assert plain_command(text)[1] == words


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({"web.py": "from flask import Flask\ndef create_app():\n    return Flask('x')\n"}, AppKind.HTTP),
        ({"tests/test_x.py": API}, AppKind.LIBRARY),
        ({"package.json": '{"dependencies": {"next": "16"}}'}, AppKind.HTTP),
        ({"lib/__init__.py": ""}, AppKind.LIBRARY),
        ({"main.py": "print('runs at once')\n"}, AppKind.LIBRARY),
        ({"main.py": "import sys\nprint(sys.argv)\n"}, AppKind.COMMAND),
        ({"public/index.html": ""}, AppKind.SITE),
        ({"broken.py": "FastAPI(\n"}, AppKind.LIBRARY),
        ({"package.json": "[1]"}, AppKind.NONE),
    ],
)
def test_the_kind_is_seen_from_the_files(files: dict[str, str], kind: AppKind) -> None:
    assert app_plan({path: text.encode() for path, text in files.items()}, None).kind is kind


def test_settings_of_the_example_are_used(tmp_path: Path) -> None:
    source = "import argparse, os\nassert os.environ['TOKEN'] == 'abc'\nargparse.ArgumentParser().parse_args()\n"
    files = {"todo/__init__.py": "", "todo/__main__.py": source}
    assert start(files).status is CheckStatus.FAILED
    assert start({**files, ".env.example": "# x\nTOKEN='abc'\nPATH=/evil\n"}).status is CheckStatus.PASSED

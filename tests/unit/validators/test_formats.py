"""Files of each format: a good one passes, a bad one is told with its line, and where there is none nothing is said."""

import asyncio
from itertools import pairwise
from string import ascii_lowercase

import pytest

from orchestrator.domain.apps import UserCommand
from orchestrator.domain.errors import PrerequisiteError
from orchestrator.domain.findings import CheckResult, CheckStatus
from orchestrator.settings import load_settings
from orchestrator.validators.fixes import fixed
from orchestrator.validators.registry import check_files
from orchestrator.validators.sandbox import Sandbox
from orchestrator.validators.tools import ToolEnvironment
from tests.sandbox.boxes import sandbox

PAGE = "<!doctype html>\n<html lang=en><head><title>Shop</title></head>\n<body>{}</body></html>\n"
API = "openapi: 3.1.0\ninfo:\n  title: S\n  {}\npaths:\n  /x: {{get: {{responses: {{'200': {{description: ok}}}}}}}}\n"
NODE_TEST = """import test from 'node:test'
import assert from 'node:assert'
test('adds', () => {{ assert.equal(1, {}) }})
"""
SETS = {"yaml": "formats", "html": "formats", "sql": "formats", "openapi": "formats", "shell": "shell",
        "dockerfile": "docker", "mypy": "types"}  # fmt: skip


@pytest.fixture(scope="module")
def box() -> Sandbox:
    return sandbox()


def check(box: Sandbox, validator: str, files: dict[str, str], commands: tuple[UserCommand, ...] = ()) -> CheckResult:
    if validator in SETS:
        _require_tools(SETS[validator])
    encoded = {path: text.encode() for path, text in files.items()}
    return asyncio.run(check_files(encoded, frozenset(), [validator], box, commands=commands))[0]


def _require_tools(kind: str) -> None:
    """Skip where no package index answers and the tools are not in the cache."""
    try:
        asyncio.run(ToolEnvironment(load_settings()).others[kind].ensure())
    except PrerequisiteError as error:
        pytest.skip(str(error))


GOOD = [
    ("yaml", {"a.yaml": "a: 1\nb: !Ref x\n---\nc: [1, &x 2, *x]\n", "chart/templates/x.yaml": "a: {{ .Values.a }}\n"}),
    ("toml", {"a.toml": "[a]\nb = 1\n"}),
    ("html", {"a.html": PAGE.format("<p>one<p>two<br><img src=x alt=''>"), "b.html": "<li>a part</li>\n"}),
    ("html", {"t.html": PAGE.format("{% for x in y %}<p>{{ x }}</p>{% endfor %}")}),
    ("sql", {"a.sql": "PRAGMA foreign_keys=ON;\nCREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, x TEXT);\n"}),
    ("openapi", {"openapi.yaml": API.format("version: '1'")}),
    ("shell", {"run.sh": "#!/bin/sh\nset -eu\necho \"$1\"\n", "tool": "#!/usr/bin/env bash\n[[ -n ${A:-} ]]\n"}),
    ("dockerfile", {"Dockerfile": "FROM python:3.11\nWORKDIR /app\nCOPY src/ *.txt ./\nCMD [\"python\"]\n",
                    "src/a.py": "", "requirements.txt": ""}),
    ("secrets", {"a.py": "KEY = 'AKIAIOSFODNN7EXAMPLE'\nURL = 'postgres://app:change-me-now@db.internal/x'\n"}),
    ("node_check", {"a.mjs": "export const a = await b;\n", "b.cjs": "return 1\n", "c.js": "import x from './a.mjs'\n",
                    "d.js": "#!/usr/bin/env node\nconst x = require('y')\n"}),
    ("mypy", {"a.py": "def f(x: int) -> int:\n    return x\n", "b.py": "import unknown\nfrom a import f\nf(1)\n"}),
    ("npm_test", {"web/package.json": '{"scripts": {"test": "node --test"}}', "web/a.test.mjs": NODE_TEST.format(1)}),
    ("npm_build", {"package.json": '{"scripts": {"build": "node b.js"}}', "b.js": "console.log('built')\n"}),
    ("import_smoke", {"p/__init__.py": "", "p/a.py": "from p import b\n", "p/b.py": "", "p/__main__.py": "1/0"}),
    ("import_smoke", {"src/p/__init__.py": "", "src/p/a.py": "import p\n", "tool.py": "import near\n", "near.py": ""}),
]  # fmt: skip
BAD = [
    ("yaml", {"a.yaml": "a: 1\nb: [\n"}, [("a.yaml", 3, "invalid-yaml")]),
    ("yaml", {"a.yml": "a: 1\nb:\n  c: 1\n  c: 2\n"}, [("a.yml", 4, "repeated-key")]),
    ("toml", {"a.toml": "a = 1\nb = \n"}, [("a.toml", 2, "invalid-toml")]),
    ("html", {"a.html": PAGE.format("<p><div></p></div>")}, [("a.html", 3, "unexpected-end-tag")]),
    ("html", {"a.html": "<!doctype html><html><body></body></html>"}, [("a.html", 0, "no-title")]),
    ("sql", {"a.sql": "SELECT 1;\nSELCT * FROM x;\n"}, [("a.sql", 2, "invalid-sql")]),
    ("openapi", {"openapi.yaml": API.format("description: x")}, [("openapi.yaml", 2, "invalid-openapi")]),
    ("openapi", {"openapi.json": "[]"}, [("openapi.json", 0, "invalid-openapi")]),
    ("openapi", {"docs/swagger.yml": "swagger: '9'\n"}, [("docs/swagger.yml", 0, "invalid-openapi")]),
    ("dockerfile", {"Dockerfile": "FROM python:3.11\nCOPY gone.txt /x\n"}, [("Dockerfile", 2, "no-such-file")]),
    ("dockerfile", {"api/Dockerfile": "FRM python\n"}, [("api/Dockerfile", 1, "DL1000")]),
    ("secrets", {"a.env": "A=1\nB=AKIAQ3EGRZ7TWLNKMVUB\n"}, [("a.env", 2, "aws-access-key")]),
    ("secrets", {"a.py": "U='postgres://app:hJ8kPq2mZx@prod.acme.io/x'\n"}, [("a.py", 1, "address-with-password")]),
    ("node_check", {"a.js": "const a = 1\nfunction (\n"}, [("a.js", 2, "syntax")]),
    ("node_check", {"package.json": '{"type": "commonjs"}', "a.js": "import x from 'y'\n"}, [("a.js", 1, "syntax")]),
    ("mypy", {"a.py": "def f(x: int) -> int:\n    return x\n", "b.py": "from a import f, g\ndef k():\n    f(1, 2)\n"},
     [("b.py", 1, "attr-defined"), ("b.py", 3, "call-arg")]),
    ("import_smoke", {"a.py": "import b\n", "b.py": "1 / 0\n"}, [("b.py", 1, "import-error")]),
    ("import_smoke", {"a.py": "x = 1\nimport nowhere\n"}, [("a.py", 2, "missing-import")]),
    ("import_smoke", {"a.py": "raise SystemExit(2)\n"}, [("a.py", 0, "exits")]),
    ("import_smoke", {"a.py": "import os\nos._exit(0)\n"}, [("a.py", 0, "crash")]),
    ("npm_test", {"package.json": '{"scripts": {"test": "vitest run"}}'}, [("package.json", 0, "no-tests")]),
    ("npm_test", {"package.json": '{"scripts": {"test": "node --test"}}', "a.test.mjs": NODE_TEST.format(2)},
     [("a.test.mjs", 3, "failed")]),
    ("tsc", {"package.json": "{}", "tsconfig.json": "{}"}, [("package.json", 0, "no-typescript")]),
    ("npm_build", {"w/package.json": '{"scripts": {"build": "node b.js"}}', "w/b.js": "\nthrow new Error('no')\n"},
     [("w/b.js", 2, "build-failed")]),
]  # fmt: skip


@pytest.mark.parametrize(("validator", "files"), GOOD)
def test_a_good_file_passes(box: Sandbox, validator: str, files: dict[str, str]) -> None:
    result = check(box, validator, files)
    assert result.status is CheckStatus.PASSED, result


@pytest.mark.parametrize(("validator", "files", "expected"), BAD)
def test_a_bad_file_is_told_with_its_line(
    box: Sandbox, validator: str, files: dict[str, str], expected: list[tuple[str, int, str]]
) -> None:
    result = check(box, validator, files)
    assert result.status is CheckStatus.FAILED
    assert [(finding.path, finding.line, finding.rule) for finding in result.findings] == expected, result
    assert all(finding.message for finding in result.findings)


def test_shellcheck_names_the_line_and_the_rule(box: Sandbox) -> None:
    result = check(box, "shell", {"run.sh": "#!/bin/bash\nif true; then\necho hi\n"})
    assert result.status is CheckStatus.FAILED
    assert (result.findings[0].path, result.findings[0].line) == ("run.sh", 2)
    assert result.findings[0].rule.startswith("SC")


@pytest.mark.parametrize(
    "validator",
    ["yaml", "toml", "html", "sql", "openapi", "shell", "dockerfile", "node_check", "mypy", "import_smoke", "tsc",
     "npm_build", "npm_test", "commands", "app_start"],
)  # fmt: skip
def test_where_there_is_nothing_to_look_at_it_is_not_applicable(box: Sandbox, validator: str) -> None:
    encoded = {"notes.txt": b"x\n"}
    result = asyncio.run(check_files(encoded, frozenset(), [validator], box))[0]
    assert result.status is CheckStatus.NOT_APPLICABLE


@pytest.mark.parametrize("script", ["true", "echo vitest-like", "node --test || true", "node --test; true"])
def test_tests_of_an_unknown_runner_prove_nothing(box: Sandbox, script: str) -> None:
    manifest = {"package.json": f'{{"scripts": {{"test": "{script}"}}}}', "a.test.js": ""}
    result = check(box, "npm_test", manifest)
    assert result.status is not CheckStatus.PASSED


def test_a_secret_is_not_shown(box: Sandbox) -> None:
    result = check(box, "secrets", {"a.py": "K = 'sk-ant-" + "aB3dE5fG7h" * 5 + "'\n"})
    assert result.findings[0].rule == "anthropic-key"
    assert "aB3dE5" not in repr(result)


def test_commands_of_the_user_must_end_well(box: Sandbox) -> None:
    files = {"a.py": "def f():\n    raise ValueError('no')\nf()\n", "ok.py": "import a_module\n", "a_module.py": ""}
    commands = (
        UserCommand(name="fine", run="python ok.py && test -f a.py"),
        UserCommand(name="broken", run="python a.py"),
    )
    result = check(box, "commands", files, commands)
    assert [(f.path, f.line, f.rule) for f in result.findings] == [("a.py", 2, "broken")]
    slow = check(box, "commands", files, (UserCommand(name="slow", run="sleep 60", timeout_s=1.0),))
    assert "wall limit" in slow.findings[0].message


def test_an_import_that_never_ends_is_named(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    from orchestrator.validators import import_check

    monkeypatch.setattr(import_check, "LIMITS", import_check.LIMITS.model_copy(update={"wall_s": 2.0}))
    result = check(box, "import_smoke", {"a.py": "", "b.py": "while True: pass\n"})
    assert [(finding.path, finding.rule) for finding in result.findings] == [("b.py", "limit-wall")]


def test_parsers_hold_against_hostile_files(box: Sandbox) -> None:
    hostile = {
        "bomb.yaml": "a: &a [x,x]\n" + "".join(f"{b}: &{b} [*{a},*{a}]\n" for a, b in pairwise(ascii_lowercase)),
        "deep.yaml": "[" * 5000,
        "deep.toml": "a = " + "[" * 5000,
        "deep.html": "<div>" * 20000,
        "null.sql": "SELECT \0\x1b[31m",
    }  # fmt: skip
    for validator in ("yaml", "toml", "html", "sql"):
        result = check(box, validator, hostile)
        assert result.status in (CheckStatus.FAILED, CheckStatus.PASSED, CheckStatus.UNCHECKED)
        assert "\x1b" not in repr([finding.message for finding in result.findings])


def test_tests_that_check_nothing_do_not_pass(box: Sandbox) -> None:
    source = """import unittest
import pytest
from unittest import mock
def test_true(): assert True
def test_nothing(): pass
def test_empty_loop():
    for x in []:
        assert x
def test_swallowed():
    try:
        assert int("1") == 2
    except AssertionError:
        pass
@pytest.mark.parametrize("x", [0, 1])
def test_one_of_its_parameters(x):
    if x:
        assert x == 1
def test_raises():
    with pytest.raises(ZeroDivisionError):
        1 / 0
def test_mock():
    mock.Mock().assert_not_called()
class TestCase(unittest.TestCase):
    def test_checks(self): self.assertEqual(1, 1)
    def test_does_not(self): str(1)
def verify(x):
    assert x
def test_by_another(): verify([1])
@pytest.fixture
def checked():
    yield
    assert int("3")
def test_by_its_fixture(checked): pass
"""
    result = check(box, "pytest", {"test_a.py": source, "test_empty.py": "x = 1\n"})
    assert {finding.rule for finding in result.findings if finding.path == "test_empty.py"} == {"no-tests"}
    vacuous = {finding.line: finding.rule for finding in result.findings if finding.path == "test_a.py"}
    assert vacuous == dict.fromkeys((4, 5, 6, 9, 25), "no-assert")


def test_safe_fixes_keep_the_meaning(box: Sandbox) -> None:
    files = {
        "app.py": b"import sys\nimport os\nfrom pkg.b import z\nx = f'a'   \nprint(os.sep, z)",
        "pkg/__init__.py": b"from pkg.b import z",
        "pkg/b.py": b"import json  # noqa: F401\nz = 1\n",
        "broken.py": b"def (",
        "crlf.py": b"import os\r\nimport sys\r\nprint(sys)\r\n",
        "README.md": b"# x",
        "data.bin": b"\0x",
        "note": b"no end",
        "empty.py": b"",
    }
    result = asyncio.run(fixed(files, box))
    assert list(result) == list(files)
    assert result["app.py"] == b"import os\nfrom pkg.b import z\nx = 'a'\nprint(os.sep, z)\n"
    assert result["pkg/__init__.py"] == b"from pkg.b import z\n"
    assert result["crlf.py"] == b"import sys\r\nprint(sys)\r\n"
    assert result["README.md"] == b"# x\n"
    unchanged = ("pkg/b.py", "data.bin", "note", "empty.py")
    assert {path: result[path] for path in unchanged} == {path: files[path] for path in unchanged}
    assert asyncio.run(fixed(result, box)) == result


def test_without_a_sandbox_python_is_left_as_it_is() -> None:
    none = Sandbox("", ToolEnvironment(load_settings()), reason="none")
    assert asyncio.run(fixed({"a.py": b"import os"}, none)) == {"a.py": b"import os\n"}

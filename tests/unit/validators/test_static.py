"""Length, Python syntax and JSON: what passes, what fails, and what hostile input does."""

import asyncio
import warnings

import pytest

from orchestrator.domain.findings import CheckResult, CheckStatus
from orchestrator.validators.json_check import check_json
from orchestrator.validators.static_checks import MAX_FILE_BYTES, check_length, check_python_syntax


def _syntax(source: bytes) -> CheckResult:
    return check_python_syntax({"a.py": source}, ["a.py"])


def _json(files: dict[str, bytes], own: list[str] | None = None) -> CheckResult:
    return asyncio.run(check_json(files, own or list(files)))


@pytest.mark.parametrize(
    "source",
    [b"a59 = 59", b"", b"# -*- coding: latin-1 -*-\nx = '\xe9'\n", b"\xef\xbb\xbfx = 1\n", b"async def f(): ...\n"],
)
def test_valid_python_passes(source: bytes) -> None:
    assert _syntax(source).status is CheckStatus.PASSED


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        ("syntax", b"def f(:\n"),
        ("syntax", b"return 1\n"),
        ("syntax", b"x = '\xe9'\n"),
        ("syntax", b"# coding: nonsense\n"),
        ("syntax", b"x = " + b"(" * 50_000),
        ("null-byte", b"x = 1\0"),
        ("encoding", b"# coding: utf-7\n"),
        ("too-deep", b"x = " + b"-" * 200_000 + b"1"),
        ("too-deep", b"x = " + b"a." * 200_000 + b"b"),
        ("too-long", b"#" * (MAX_FILE_BYTES + 1)),
    ],
)
def test_broken_python_is_a_finding(rule: str, source: bytes) -> None:
    result = _syntax(source)
    assert result.status is CheckStatus.FAILED
    assert [finding.rule for finding in result.findings] == [rule]


def test_line_of_a_syntax_error_is_named_and_nothing_is_printed() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", module="<checked source>")
        assert _syntax(b"x = 1 is 1\ny = '\\d'\n").status is CheckStatus.PASSED
    assert _syntax(b"x = 1\n\ny = = 2\n").findings[0].line == 3


def test_only_own_files_are_looked_at() -> None:
    files = {"own.py": b"x = 1\n", "other.py": b"def", "notes.md": b"def"}
    assert check_python_syntax(files, ["own.py", "notes.md"]).status is CheckStatus.PASSED
    assert check_python_syntax(files, ["notes.md"]).status is CheckStatus.NOT_APPLICABLE


def test_length_bounds() -> None:
    files = {
        "a": b"x", "pkg/__init__.py": b"", "pkg/py.typed": b"", "empty.py": b"", "big": bytes(MAX_FILE_BYTES + 1),
        "full": bytes(MAX_FILE_BYTES),
    }  # fmt: skip
    found = {(finding.path, finding.rule) for finding in check_length(files, files).findings}
    assert found == {("empty.py", "empty"), ("big", "too-long")}
    many = {f"f{number}": b"x" for number in range(501)}
    assert [finding.rule for finding in check_length(many, many).findings] == ["too-many-files"]
    assert check_length({}, []).status is CheckStatus.NOT_APPLICABLE


@pytest.mark.parametrize("content", [b"{", b"", b"NaN", b"[1e999, Infinity]", b"\xff", b"[" * 100_000, b"1" * 10_000])
def test_broken_json_is_a_finding(content: bytes) -> None:
    result = _json({"a.json": content})
    assert result.status is CheckStatus.FAILED
    assert result.findings[0].rule == "invalid-json"


def test_document_is_held_against_the_schema_beside_it() -> None:
    schema = b'{"type": "object", "properties": {"a": {"type": "integer"}}}'
    files = {"x.json": b'{"a": "text"}', "x.schema.json": schema, "y.json": b"[]"}
    result = _json(files)
    assert [(f.path, f.rule) for f in result.findings] == [("x.json", "schema-violation")]
    assert _json({**files, "x.json": b'{"a": 1}'}).status is CheckStatus.PASSED
    assert _json(files, ["y.json"]).status is CheckStatus.PASSED
    assert _json({"a.py": b""}).status is CheckStatus.NOT_APPLICABLE


def test_schema_itself_must_be_valid_and_fetches_nothing() -> None:
    invalid = _json({"x.schema.json": b'{"type": 5}'})
    assert invalid.findings[0].rule == "invalid-schema"
    remote = b'{"$ref": "http://192.0.2.1/schema.json"}'
    result = _json({"x.schema.json": remote, "x.json": b"1"})
    assert result.findings[0].rule == "unresolvable-reference"


def test_pattern_that_never_ends_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    from orchestrator.validators import json_check
    from orchestrator.validators.limits import Limits

    monkeypatch.setattr(json_check, "_LIMITS", Limits(wall_s=1.5))
    schema = b'{"pattern": "^(a+)+$"}'
    result = _json({"x.schema.json": schema, "x.json": b'"' + b"a" * 60 + b'!"'})
    assert (result.status, result.limit) == (CheckStatus.FAILED, "wall")


def test_control_characters_of_checked_text_are_dropped() -> None:
    result = _json({"x.schema.json": b'{"const": 1}', "x.json": b'"\\u001b[31m\\u202eevil"'})
    assert "\x1b" not in result.findings[0].message
    assert "\u202e" not in result.findings[0].message

"""Reads files with the parser of their format and prints what is wrong, as a JSON list of {path, line, rule, message}.

Arguments: the format, and a JSON list of paths in the current folder.
"""

import json
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

MAX_PROBLEMS = 20  # of one file
MAX_BYTES = 1024 * 1024
TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
TOKEN = re.compile(r"\x1b\[\d*m|<Token token_type: \S+, text: (.*?), line.*")
LINE = re.compile(r"line (\d+)")
DIALECTS = (None, "sqlite", "postgres", "mysql", "tsql", "bigquery", "duckdb")
# What browsers mend in one way only, or what a fragment of a page has every right to.
MENDED = {"expected-doctype-but-got-start-tag", "expected-doctype-but-got-chars", "expected-doctype-but-got-eof"}

Problem = tuple[int, str, str]


def toml(text: str, path: str) -> Iterator[Problem]:
    """TOML by the standard library."""
    try:
        tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        found = LINE.search(str(error))
        yield int(found[1]) if found else 0, "invalid-toml", str(error)


def yaml(text: str, path: str) -> Iterator[Problem]:
    """YAML: well-formed, and no key twice. Tags are left alone: nothing is built of them."""
    import yaml as parser

    if TEMPLATE.search(text) and "templates/" in path:
        return  # a chart's template becomes YAML later
    try:
        for document in parser.compose_all(text, parser.SafeLoader):
            yield from repeated_keys(document)
    except parser.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        words = getattr(error, "problem", None) or str(error)
        yield (mark.line + 1 if mark else 0), "invalid-yaml", words


def repeated_keys(document: Any) -> Iterator[Problem]:
    """Keys that a mapping has twice."""
    rest, seen_nodes = [document] if document is not None else [], set()
    while rest:
        node = rest.pop()
        if id(node) in seen_nodes:
            continue
        seen_nodes.add(id(node))
        if isinstance(node.value, str):
            continue
        keys = set()
        for child in node.value:
            pair = child if isinstance(child, tuple) else (child,)
            rest += pair
            if len(pair) == 2 and isinstance(pair[0].value, str) and pair[0].value != "<<":
                if pair[0].value in keys:
                    yield pair[0].start_mark.line + 1, "repeated-key", f"{pair[0].value!r} is there twice"
                keys.add(pair[0].value)


def html(text: str, path: str) -> Iterator[Problem]:
    """HTML as the standard parses it: elements that are not closed, closed twice, or in the wrong place."""
    justhtml = import_module("justhtml")

    is_page = re.search(r"<(!doctype|html|body)\b", text, re.IGNORECASE) is not None
    is_template = TEMPLATE.search(text) is not None
    plain = TEMPLATE.sub("x", text)
    lines: dict[tuple[int, str], str] = {}
    for error in justhtml.JustHTML(plain, collect_errors=True).errors:
        if (is_template and error.category == "treebuilder") or (error.code in MENDED and not is_page):
            continue
        lines.setdefault((error.line, error.code), error.message or error.code)
    for (line, code), message in lines.items():
        yield line or 0, code, message
    if is_page and not is_template and not re.search(r"<title\b[^>]*>\s*\S", text, re.IGNORECASE):
        yield 0, "no-title", "the page has no title"


def sql(text: str, path: str) -> Iterator[Problem]:
    """SQL that no dialect accepts."""
    sqlglot = import_module("sqlglot")

    first = None
    for dialect in DIALECTS:
        try:
            sqlglot.parse(text, dialect=dialect)
            return
        except sqlglot.errors.ParseError as error:
            first = first or error.errors
        except (sqlglot.errors.SqlglotError, RecursionError) as error:
            first = first or [{"line": 0, "description": str(error)}]
    for item in first or []:
        words = TOKEN.sub(r"\1", str(item.get("description", "")))
        yield item.get("line") or 0, "invalid-sql", words or "no dialect accepts it"


def openapi(text: str, path: str) -> Iterator[Problem]:
    """A description of an API, against the version of OpenAPI that it names."""
    import yaml as parser

    library = import_module("openapi_spec_validator")
    try:
        spec = parser.load(text, parser.SafeLoader)
    except parser.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        yield (mark.line + 1 if mark else 0), "invalid-yaml", str(error)
        return
    if not isinstance(spec, dict):
        yield 0, "invalid-openapi", "it holds no object"
        return
    version = str(spec.get("openapi") or spec.get("swagger") or "")
    known = next((start for start in ("2.", "3.0", "3.1", "3.2") if version.startswith(start)), "")
    if not known:
        yield 0, "invalid-openapi", f"unknown version {version!r}: `openapi: 3.1.0` is one"
        return
    kind = getattr(library, f"OpenAPIV{known.replace('.', '')}SpecValidator")
    try:
        for defect in kind(json.loads(json.dumps(spec, default=str))).iter_errors():
            keys = list(getattr(defect, "absolute_path", ()))
            place = "/".join(str(key) for key in keys)
            yield line_of(text, keys), "invalid-openapi", f"{place}: {defect.message[:500]}"
    except Exception as error:  # noqa: BLE001  references that lead nowhere raise errors of several libraries
        yield 0, "invalid-openapi", f"{type(error).__name__}: {str(error)[:500]}"


def line_of(text: str, path: Any) -> int:
    """About where a path of keys leads: the line of each key after the one before."""
    lines, number = text.splitlines(), 0
    for part in path:
        for index in range(number, len(lines)):
            if re.match(rf"""[\s{{,-]*['"]?{re.escape(str(part))}['"]?\s*:""", lines[index]):
                number = index
                break
    return number + 1 if lines else 0


CHECKS: dict[str, Callable[[str, str], Iterator[Problem]]] = {
    "toml": toml, "yaml": yaml, "html": html, "sql": sql, "openapi": openapi,
}  # fmt: skip


def problems(check: str, path: str) -> Iterator[dict[str, Any]]:
    """What is wrong with one file."""
    with open(path, "rb") as file:
        data = file.read(MAX_BYTES + 1)
    found: Iterator[Problem]
    if len(data) > MAX_BYTES:
        found = iter([(0, "too-long", "too long to be checked")])
    else:
        try:
            found = CHECKS[check](data.decode("utf-8-sig"), path)
        except UnicodeDecodeError:
            found = iter([(0, "encoding", "not UTF-8")])
    try:
        for _, (line, rule, message) in zip(range(MAX_PROBLEMS), found, strict=False):
            yield {"path": path, "line": line, "rule": rule, "message": str(message)[:500]}
    except RecursionError:
        yield {"path": path, "line": 0, "rule": "too-deep", "message": "nested too deeply"}


def main() -> None:
    """Check them all."""
    found = [problem for path in json.loads(sys.argv[2]) for problem in problems(sys.argv[1], path)]
    json.dump(found, sys.stdout)


main()

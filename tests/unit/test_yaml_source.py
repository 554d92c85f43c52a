"""YAML and JSON that people write: values, places, and all errors at once."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Discriminator, Field, Tag

from orchestrator.domain.errors import UserInputError, UserInputErrors
from orchestrator.settings.yaml_files import LIST, MAPPING, VALUE, Section, form, shaped
from orchestrator.settings.yaml_source import field_name, parse_document, read_document

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1, max_size=9), inner, max_size=4),
)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Part(Section):
    name: str
    size_mm: float = 1.0


class Whole(Section):
    parts: tuple[Annotated[Annotated[str, Tag(VALUE)] | Annotated[Part, Tag(MAPPING)], Discriminator(form)], ...] = ()
    names: Annotated[Annotated[str, Tag(VALUE)] | Annotated[tuple[str, ...], Tag(LIST)], Discriminator(form)] = ""
    colour: Colour = Colour.RED
    count: Annotated[int, Field(ge=0)] = 0
    by_colour: dict[Colour, Part] = {}
    on: bool = False

    replaced: ClassVar[dict[str, str]] = {"amount": "write 'count'"}


def value(text: str, name: str = "f.yaml", *, typed: bool = False) -> Any:
    return parse_document(text.encode(), name, typed=typed).value


def errors(text: str) -> list[str]:
    with pytest.raises(UserInputError) as caught:
        shaped(parse_document(text.encode(), "f"), Whole)
    return str(caught.value).splitlines()


def test_values_stay_as_they_are_written() -> None:
    text = "a: 1.10\nb: yes\nc: 2026-01-01\nd:\ne: [1, 'x']\n"
    assert value(text) == {"a": "1.10", "b": "yes", "c": "2026-01-01", "d": None, "e": ["1", "x"]}
    assert value("a: 1.5\nb: true\nc: x\n", typed=True) == {"a": 1.5, "b": True, "c": "x"}
    assert value("") is None


def test_names_and_forms_are_free() -> None:
    found = shaped(parse_document(b"by-colour: {blue: {name: n, size-mm: 2}}\nparts: [p, {name: q}]\n", "f"), Whole)
    assert found.by_colour == {Colour.BLUE: Part(name="n", size_mm=2.0)}
    assert found.parts == ("p", Part(name="q"))


def test_everything_that_is_wrong_is_told_in_the_order_of_the_file() -> None:
    text = (
        "colour: rd\n"
        "count: -1\n"
        "amount: 3\n"
        "parts:\n"
        "  - {nam: a}\n"
        "  - [b]\n"
        "  - name: c\n"
        "    name: d\n"
        "names: {a: b}\n"
        "by_colour: {green: {name: n}, blue: x}\n"
        "on: [1]\n"
        "other: 1\n"
    )
    assert errors(text) == [
        "f:1:9: colour: unknown value 'rd'; did you mean 'red'?",
        "f:2:8: count: input should be greater than or equal to 0; got '-1'",
        "f:3:1: amount: is not taken here: write 'count'",
        "f:5:6: parts[0].nam: unknown name; did you mean 'name'?",
        "f:6:5: parts[1]: must not be a list",
        "f:8:5: parts[2].name: is given twice; remove one of them",
        "f:9:8: names: must not be a mapping",
        "f:10:13: by_colour.green: unknown value 'green'; did you mean 'red'?",
        "f:10:37: by_colour.blue: must be a list of 'name: value' lines",
        "f:11:5: on: must be one value, not a list",
        "f:12:1: other: unknown name; known names: parts, names, colour, count, by_colour, on",
    ]


def test_many_errors_are_cut() -> None:
    told = errors("".join(f"zz{number}: 1\n" for number in range(99)))
    assert len(told) == 51
    assert told[-1] == "f: and 49 errors more"


def test_what_was_not_read_is_complained_of_once() -> None:
    assert errors("parts: &a [{name: n}]\nnames: *a\n") == ["f:2:1: names: is a repeated anchor; write the values out"]
    assert errors("count: !!python/name:os.system x\n") == ["f:1:8: count: has a YAML tag; remove it"]


def test_complaints_of_ones_own_are_gathered() -> None:
    document = parse_document(b"a:\n  b: 1\n  c-d: 2\n", "f")
    document.check()
    document.complain(("a", "c_d"), "second")
    document.complain(("a", "b"), "first", of_name=True)
    document.complain(("a", "x"), "missing")
    with pytest.raises(UserInputErrors) as caught:
        document.check()
    assert caught.value.problems == ("f:1:1: a.x: missing", "f:2:3: a.b: first", "f:3:8: a.c_d: second")
    assert (document.line(("a", "b")), document.line(("x",))) == (2, None)
    assert str(document.error((), "all")) == "f:1:1: all"


@given(JSON)
def test_json_is_read_as_json(given: Any) -> None:
    for indent in (None, "\t"):
        text = json.dumps({"a": given}, indent=indent)
        assert value(text, "f.json", typed=True) == {"a": given}


def test_json_has_its_own_errors(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match=r"f\.json:2:1: is not JSON: "):
        value('{"a": 1,\n}', "f.json")
    (tmp_path / "f.json").write_text('{"a": "\\ud83d\\ude00", "b": "\\ud83d"}')
    assert read_document(tmp_path / "f.json").value == {"a": "😀", "b": "\ufffd"}


def test_names_of_fields_are_printable() -> None:
    assert field_name(("a", 0, "b\x1b[31m", 1)) == "a[0].b?[31m[1]"

"""What later tasks see of earlier files: interfaces first, whole files as far as there is room."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.interfaces import Extent, interface_of, shown_within

MODULE = '''"""Counts things."""
import os
from collections import Counter

LIMIT: int = 3

if os.name == "nt":
    LIMIT = 2


@cached
def total(things: list[str], *, start: int = 0) -> int:
    """How many, from `start`."""
    result = start
    for thing in things:
        result += 1
    return result


class Store(Base):
    """Keeps things."""

    size: int = 0

    async def put(self, thing: str) -> None:
        self.size += 1
'''


def test_a_python_interface_keeps_signatures_docs_and_constants_and_hides_bodies() -> None:
    brief = interface_of("store.py", MODULE) or ""
    for kept in (
        "Counts things.", "from collections import Counter", "LIMIT: int = 3", "@cached", "size: int = 0",
        "def total(things: list[str], *, start: int=0) -> int:", "How many, from `start`.", "class Store(Base):",
        "async def put(self, thing: str) -> None:",
    ):  # fmt: skip
        assert kept in brief, kept
    for hidden in ("result += 1", "self.size += 1", "os.name"):
        assert hidden not in brief, hidden
    ast.parse(brief)


def test_a_script_interface_is_what_it_exports() -> None:
    source = "const secret = 1;\nexport function add(a: number, b: number): number {\n  return a + b;\n}\n"
    assert interface_of("add.ts", source) == "export function add(a: number, b: number): number {"


@pytest.mark.parametrize(
    ("path", "text"),
    [("a.py", "def broken(:\n"), ("a.py", ""), ("a.md", "# Title\n"), ("b.js", "")],
)
def test_there_may_be_no_interface_shorter_than_the_file(path: str, text: str) -> None:
    assert interface_of(path, text) is None


def test_whole_files_where_there_is_room() -> None:
    shown = shown_within([("store.py", MODULE), ("notes.md", "short")], 10_000)
    assert [(file.extent, file.text) for file in shown] == [(Extent.WHOLE, MODULE), (Extent.WHOLE, "short")]


def test_interfaces_come_before_whole_files() -> None:
    long = MODULE + "\n\ndef more() -> None:\n" + "    print('x')\n" * 50
    brief = len((interface_of("b.py", long) or "").encode())
    shown = shown_within([("a.py", long), ("b.py", long)], len(long) + brief)
    assert [file.extent for file in shown] == [Extent.WHOLE, Extent.INTERFACE]


def test_what_has_no_room_is_still_named() -> None:
    shown = shown_within([("big.md", "x" * 100), ("small.md", "y" * 10)], 50)
    assert [(file.path, file.extent) for file in shown] == [("big.md", Extent.NAME), ("small.md", Extent.WHOLE)]


@given(
    st.lists(st.tuples(st.sampled_from(["a.py", "b.md", "c.ts"]), st.sampled_from([MODULE, "", "é" * 40, "export x"]))),
    st.integers(0, 2000),
)
def test_the_room_is_never_exceeded_and_no_file_is_forgotten(files: list[tuple[str, str]], room: int) -> None:
    shown = shown_within(files, room)
    assert [file.path for file in shown] == [path for path, _ in files]
    assert sum(len(file.text.encode()) for file in shown) <= room
    assert sum(len(file.text.encode()) for file in shown) <= sum(len(text.encode()) for _, text in files)

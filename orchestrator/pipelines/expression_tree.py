"""Expressions as trees. What can be written is all here: no names of Python are reachable."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

from pydantic import JsonValue


@dataclass(frozen=True)
class Literal:
    """A constant."""

    value: JsonValue


@dataclass(frozen=True)
class Variable:
    """The value of a variable."""

    name: str


@dataclass(frozen=True)
class Entry:
    """`of.key` or `of[key]`: an entry of an object, an element of a list; never an attribute."""

    of: "Tree"
    key: "Tree"


@dataclass(frozen=True)
class Unary:
    """`-a` or `not a`."""

    operator: str
    of: "Tree"


@dataclass(frozen=True)
class Binary:
    """Two values and what is between them; `and` and `or` evaluate the second only where it matters."""

    operator: str
    left: "Tree"
    right: "Tree"


@dataclass(frozen=True)
class Choice:
    """`then if test else otherwise`."""

    test: "Tree"
    then: "Tree"
    otherwise: "Tree"


@dataclass(frozen=True)
class Call:
    """One of the known functions."""

    function: str
    arguments: tuple["Tree", ...]


@dataclass(frozen=True)
class ListOf:
    """`[a, b]`."""

    items: tuple["Tree", ...]


@dataclass(frozen=True)
class ObjectOf:
    """`{name: a, "other name": b}`."""

    entries: tuple[tuple[str, "Tree"], ...]


Tree = Literal | Variable | Entry | Unary | Binary | Choice | Call | ListOf | ObjectOf

# Functions whose arguments may be missing.
LENIENT = frozenset(("coalesce", "key_exists", "not_empty"))


def variables(tree: Tree, *, lenient: bool = False) -> Iterator[tuple[str, bool]]:
    """The variables that a tree reads, each with whether it may be missing there."""
    if isinstance(tree, Variable):
        yield tree.name, lenient
        return
    lenient = lenient or (isinstance(tree, Call) and tree.function in LENIENT)
    for part in _parts(tree):
        yield from variables(part, lenient=lenient)


def _parts(tree: Tree) -> Iterator[Tree]:
    if isinstance(tree, ObjectOf):
        yield from (value for _, value in tree.entries)
        return
    for field in fields(tree):
        found = getattr(tree, field.name)
        for part in found if isinstance(found, tuple) else (found,):
            if isinstance(part, Tree):
                yield part

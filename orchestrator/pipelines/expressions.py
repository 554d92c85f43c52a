"""The language of expressions: text to tree. Its functions are in `functions`, docs/pipelines.md describes it."""

import ast
import re
from functools import lru_cache
from typing import NamedTuple

from orchestrator.pipelines.errors import ExpressionError
from orchestrator.pipelines.expression_tree import (
    Binary,
    Call,
    Choice,
    Entry,
    ListOf,
    Literal,
    ObjectOf,
    Tree,
    Unary,
    Variable,
)
from orchestrator.pipelines.functions import FUNCTIONS
from orchestrator.settings.yaml_files import nearest

MAX_DEPTH = 40
MAX_CHARS = 20_000

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>\d{1,30}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,2})?)(?![A-Za-z0-9_])
    |(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<mark>==|!=|<=|>=|[-+*/%<>()\[\]{},.:])
    |(?P<other>\S))""",
    re.VERBOSE,
)
_CONSTANTS = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}
_WORDS = frozenset(("and", "or", "not", "in", "if", "else", *_CONSTANTS))
_COMPARISONS = ("==", "!=", "<=", ">=", "<", ">")


class _Token(NamedTuple):
    kind: str  # number, text, name, mark, or end
    text: str
    column: int


@lru_cache(maxsize=512)
def parse_expression(text: str) -> Tree:
    """The tree of an expression. Raises ExpressionError with the place and the words for a user."""
    if len(text) > MAX_CHARS:
        raise ExpressionError(f"is longer than {MAX_CHARS} characters", 1)
    return _Parser(_tokens(text)).whole()


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "other"
        token = _Token(kind, match.group(kind), match.start(kind) + 1)
        if kind == "other":
            raise ExpressionError(f"{token.text!r} is not expected here", token.column)
        found.append(token)
    return [*found, _Token("end", "", len(text) + 1)]


class _Parser:
    """One method per level of precedence, the loosest first."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def whole(self) -> Tree:
        tree = self._choice()
        if self._next.kind != "end":
            raise self._unexpected()
        return tree

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self, *texts: str, kinds: tuple[str, ...] = ("mark",)) -> str:
        """The next token's text if it is one of these, else nothing."""
        token = self._next
        if token.kind not in kinds or token.text not in texts:
            return ""
        self._at += 1
        return token.text

    def _word(self, *texts: str) -> str:
        return self._take(*texts, kinds=("name",))

    def _expect(self, text: str) -> None:
        if not self._take(text, kinds=("mark", "name")):
            raise self._unexpected(f"{text!r} is expected")

    def _unexpected(self, wanted: str = "") -> ExpressionError:
        token = self._next
        found = f"{token.text!r} is not expected here" if token.kind != "end" else "something is missing at the end"
        return ExpressionError(f"{wanted}, but {found}" if wanted else found, token.column)

    def _choice(self) -> Tree:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError(f"is nested more than {MAX_DEPTH} levels deep", self._next.column)
        tree = self._or()
        if self._word("if"):
            test = self._or()
            self._expect("else")
            tree = Choice(test, tree, self._choice())
        self._depth -= 1
        return tree

    def _or(self) -> Tree:
        tree = self._and()
        while self._word("or"):
            tree = Binary("or", tree, self._and())
        return tree

    def _and(self) -> Tree:
        tree = self._not()
        while self._word("and"):
            tree = Binary("and", tree, self._not())
        return tree

    def _not(self) -> Tree:
        negations = 0
        while self._word("not"):
            negations += 1
        tree = self._comparison()
        return Unary("not", tree) if negations % 2 else (Unary("not", Unary("not", tree)) if negations else tree)

    def _comparison(self) -> Tree:
        tree = self._sum()
        operator = self._take(*_COMPARISONS) or self._word("in") or self._word("not")
        if not operator:
            return tree
        if operator == "not":
            self._expect("in")
            return Unary("not", Binary("in", tree, self._sum()))
        tree = Binary(operator, tree, self._sum())
        if self._next.text in _COMPARISONS and self._next.kind == "mark":
            raise self._unexpected("'and' between two comparisons is expected")
        return tree

    def _sum(self) -> Tree:
        tree = self._product()
        while operator := self._take("+", "-"):
            tree = Binary(operator, tree, self._product())
        return tree

    def _product(self) -> Tree:
        tree = self._signed()
        while operator := self._take("*", "/", "%"):
            tree = Binary(operator, tree, self._signed())
        return tree

    def _signed(self) -> Tree:
        signs = 0
        while self._take("-"):
            signs += 1
        tree = self._entry()
        return Unary("-", tree) if signs % 2 else tree

    def _entry(self) -> Tree:
        tree = self._single()
        while mark := self._take(".", "["):
            if mark == ".":
                if self._next.kind != "name":
                    raise self._unexpected("the name of an entry is expected")
                tree = Entry(tree, Literal(self._next.text))
                self._at += 1
            else:
                tree = Entry(tree, self._choice())
                self._expect("]")
        return tree

    def _single(self) -> Tree:
        token = self._next
        if token.kind == "number":
            self._at += 1
            return Literal(float(token.text) if any(mark in token.text for mark in ".eE") else int(token.text))
        if token.kind == "text":
            self._at += 1
            return Literal(_unquoted(token))
        if token.kind == "name" and (token.text in _CONSTANTS or token.text not in _WORDS):
            self._at += 1
            if token.text in _CONSTANTS:
                return Literal(_CONSTANTS[token.text])
            return self._call(token) if self._take("(") else Variable(token.text)
        match self._take("(", "[", "{"):
            case "(":
                tree = self._choice()
                self._expect(")")
                return tree
            case "[":
                return ListOf(self._until("]"))
            case "{":
                return self._object()
        raise self._unexpected()

    def _call(self, name: _Token) -> Tree:
        known = FUNCTIONS.get(name.text)
        if known is None:
            raise ExpressionError(f"unknown function {name.text!r}; {nearest(name.text, FUNCTIONS)}", name.column)
        arguments = self._until(")")
        if not known.least <= len(arguments) <= known.most:
            count = f"{known.least}" if known.least == known.most else f"{known.least} to {known.most}"
            raise ExpressionError(f"{name.text} takes {count} values, not {len(arguments)}", name.column)
        return Call(name.text, arguments)

    def _until(self, end: str) -> tuple[Tree, ...]:
        found: list[Tree] = []
        while not self._take(end):
            if found:
                self._expect(",")
            found.append(self._choice())
        return tuple(found)

    def _object(self) -> Tree:
        entries: list[tuple[str, Tree]] = []
        while not self._take("}"):
            if entries:
                self._expect(",")
            token = self._next
            if token.kind not in ("name", "text"):
                raise self._unexpected("a name is expected")
            self._at += 1
            self._expect(":")
            entries.append((token.text if token.kind == "name" else _unquoted(token), self._choice()))
        return ObjectOf(tuple(entries))


def _unquoted(token: _Token) -> str:
    """The text between quotes; escapes are those of Python's strings."""
    try:
        return str(ast.literal_eval(token.text))
    except (ValueError, SyntaxError):
        raise ExpressionError("has an escape that is not known; write \\\\ for a backslash", token.column) from None

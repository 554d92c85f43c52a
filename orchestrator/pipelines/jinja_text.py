"""Prompts in Jinja, in a sandbox of our own: values are JSON, and nothing of Python is within reach.

A template is held to a list of what it may contain before it is rendered, so that it can neither run for ever nor fill
the memory: no macros, no `set`, no imports, no calls, no arithmetic on texts; loops and results have limits.
"""

import json
import time
from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, ValuesView
from functools import lru_cache, wraps
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, Undefined, meta, nodes, pass_context
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import JsonValue

from orchestrator.domain.text import one_line
from orchestrator.pipelines.errors import ExpressionError, StepError
from orchestrator.pipelines.functions import MAX_TEXT_CHARS, joined, limited, replaced, text_of

TIME_LIMIT_S = 5.0

# In the words of Jinja's documentation; filters that format, pad, draw at random or read attributes are left out.
FILTERS = (
    "abs", "capitalize", "count", "d", "default", "dictsort", "first", "float", "int", "items", "join", "last",
    "length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "replace", "reverse", "round", "select",
    "selectattr", "sort", "string", "sum", "title", "tojson", "trim", "truncate", "unique", "upper", "wordcount",
)  # fmt: skip
TESTS = (
    "boolean", "defined", "divisibleby", "eq", "equalto", "even", "false", "float", "ge", "greaterthan", "gt", "in",
    "integer", "iterable", "le", "lessthan", "lower", "lt", "mapping", "ne", "none", "number", "odd", "sequence",
    "string", "true", "undefined", "upper", "==", "!=", "<", "<=", ">", ">=",
)  # fmt: skip
_LOOP = ("index", "index0", "revindex", "revindex0", "first", "last", "length", "previtem", "nextitem")
_NODES = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.List, nodes.Tuple, nodes.Dict,
    nodes.Pair, nodes.Filter, nodes.Test, nodes.If, nodes.For, nodes.Getattr, nodes.Getitem, nodes.Compare,
    nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.CondExpr, nodes.Add, nodes.Sub, nodes.Div, nodes.Mod,
    nodes.Mul, nodes.Neg, nodes.Pos, nodes.Keyword, nodes.Slice,
)  # fmt: skip
_LISTED = (Iterator, tuple, set, ItemsView, KeysView, ValuesView)  # what filters give for lists
_WATCHED = "orchestrator watch"  # a filter that no template can name
_DEADLINE = "orchestrator deadline"  # nor can it name this variable


class _Sandbox(ImmutableSandboxedEnvironment):
    """Reads entries of objects and lists only, and computes with numbers only."""

    intercepted_binops = frozenset(("+", "-", "*", "/", "%"))

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, LoopContext) and attribute in _LOOP:
            return getattr(obj, attribute)
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, dict | list | str):
            try:
                return obj[argument]
            except (TypeError, LookupError):
                pass
        return self.undefined(obj=obj, name=argument)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        for value in (left, right):
            if isinstance(value, Undefined) or not isinstance(value, int | float) or abs(value) > 10**100:
                raise StepError(f"template: {operator} takes numbers only")
        return super().call_binop(context, operator, left, right)


def check_template(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The variables that a template needs, and those that it can do without: behind `default` or `is defined`.

    Raises ExpressionError, its column 0, with the words for a user.
    """
    try:
        tree = _environment().parse(text)
        _refuse(tree)
        wanted = meta.find_undeclared_variables(tree)
    except TemplateSyntaxError as error:
        raise ExpressionError(f"line {error.lineno}: {one_line(error.message or 'not Jinja')}", 0) from None
    except (TemplateError, RecursionError) as error:
        raise ExpressionError(one_line(str(error)) or "nested too deeply", 0) from None
    free = _guarded(tree)
    order = [each.name for each in tree.find_all(nodes.Name)]
    names = tuple(dict.fromkeys(name for name in order if name in wanted))
    return tuple(name for name in names if name not in free), tuple(name for name in names if name in free)


def rendered(text: str, values: Mapping[str, JsonValue]) -> str:
    """The template with its variables filled in. What is undefined is an error. Raises StepError."""
    deadline_s = time.monotonic() + TIME_LIMIT_S
    size, pieces = 0, []
    try:
        for piece in _template(text).generate({**values, _DEADLINE: deadline_s}):
            size += len(piece)
            pieces.append(piece)
            if size > MAX_TEXT_CHARS:
                raise StepError(f"template: a text of more than {MAX_TEXT_CHARS} characters")
            _in_time(deadline_s)
    except ExpressionError as error:
        raise StepError(f"template: {error}") from None
    except (TemplateError, ArithmeticError, TypeError, ValueError, RecursionError) as error:
        raise StepError(f"template: {one_line(str(error))}") from None
    return "".join(pieces)


@lru_cache(maxsize=256)
def _template(text: str) -> Any:
    environment = _environment()
    try:
        tree = environment.parse(text)
    except TemplateSyntaxError as error:
        raise ExpressionError(f"line {error.lineno}: {one_line(error.message or 'not Jinja')}", 0) from None
    _refuse(tree)
    for loop in tree.find_all(nodes.For):
        loop.iter = nodes.Filter(loop.iter, _WATCHED, [], [], None, None, lineno=loop.lineno)
    code = environment.compile(tree)
    return environment.template_class.from_code(environment, code, environment.make_globals(None))


@lru_cache(maxsize=1)
def _environment() -> _Sandbox:
    # Prompts are plain text: nothing is escaped, and values are never templates.
    environment = _Sandbox(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True, finalize=_shown)
    ours = {"join": _join, "replace": replaced, "tojson": _json, "string": _shown}
    filters = {name: ours.get(name, environment.filters[name]) for name in FILTERS}
    tests = {name: environment.tests[name] for name in TESTS}
    environment.globals.clear()
    environment.filters = {**{name: _limited(each) for name, each in filters.items()}, _WATCHED: _watched}
    environment.tests = tests
    return environment


def _refuse(tree: nodes.Template) -> None:
    """Raises ExpressionError for anything that is not on the lists."""
    for node in _all(tree):
        if not isinstance(node, _NODES):
            raise ExpressionError(f"line {node.lineno}: {_word(node)} is not allowed in a prompt", 0)


def _all(node: nodes.Node) -> Iterator[nodes.Node]:
    yield node
    for child in node.iter_child_nodes():
        yield from _all(child)


def _word(node: nodes.Node) -> str:
    words = {"Call": "a call", "Assign": "set", "AssignBlock": "set", "Concat": "~ (write the values side by side)"}
    name = type(node).__name__
    return words.get(name, name.lower())


def _guarded(tree: nodes.Template) -> set[str]:
    """Names that the template can do without."""
    asked = [each.node for each in tree.find_all(nodes.Filter) if each.name in ("default", "d")]
    asked += [each.node for each in tree.find_all(nodes.Test) if each.name in ("defined", "undefined")]
    return {root.name for each in asked if isinstance(root := _root(each), nodes.Name)}


def _root(node: nodes.Node | None) -> nodes.Node | None:
    """What `a.b['c']` is read from."""
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        node = node.node
    return node


def _limited(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def compute(*arguments: Any, **options: Any) -> Any:
        return limited(function(*arguments, **options))

    return compute


@pass_context
def _watched(context: Context, values: Any) -> Iterator[Any]:
    """The elements of what a loop goes through, as long as there is time."""
    deadline_s = float(str(context.resolve(_DEADLINE)))
    for value in values:
        _in_time(deadline_s)
        yield value


def _in_time(deadline_s: float) -> None:
    if time.monotonic() > deadline_s:
        raise StepError(f"template: not rendered within {TIME_LIMIT_S:g} s")


def _shown(value: Any) -> str:
    if isinstance(value, Undefined):
        return str(value)  # raises
    if isinstance(value, LoopContext) or callable(value):
        raise StepError("template: this is no value")
    return text_of(list(value) if isinstance(value, _LISTED) else value)


def _join(values: Any, separator: str = "", attribute: str | None = None) -> str:
    if attribute is not None:
        raise StepError("template: write map(attribute=...) before join")
    return joined(values if isinstance(values, list) else list(values), separator)


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=None if indent is None else max(0, min(8, indent)))

"""Conditions: four short forms, `not` before one of them, and any expression."""

import re

from orchestrator.pipelines.errors import ExpressionError
from orchestrator.pipelines.expression_tree import Binary, Call, ListOf, Literal, Tree, Unary, Variable
from orchestrator.pipelines.expressions import parse_expression

_FORM = re.compile(
    r"\s*(?P<negated>not\s+)?(?P<form>key_exists|not_empty|equals|contains)\s*:\s*(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def parse_condition(text: str) -> Tree:
    """The tree of a condition. Raises ExpressionError.

    `key_exists:k`, `not_empty:k`, `equals:k:value` and `contains:k:value` compare texts, and the value is all that
    follows, colons included. Anything else is an expression, true where its value is neither empty, 0 nor null.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        return parse_expression(text)
    form, rest = match["form"].lower(), match["rest"]
    key, colon, value = rest.partition(":")
    key, value = key.strip(), value.strip()
    column = match.start("rest") + 1
    if form in ("equals", "contains"):
        if not colon:
            raise ExpressionError(f"{form} needs a value: {form}:{key or 'name'}:value", column)
    elif colon:
        raise ExpressionError(f"{form} takes a name alone: {form}:{key}", column)
    if not _KEY.fullmatch(key):
        raise ExpressionError(f"{form} needs the name of a variable: {form}:name", column)
    tree = _tree(form, Variable(key), Literal(value))
    return Unary("not", tree) if match["negated"] else tree


def _tree(form: str, variable: Variable, value: Literal) -> Tree:
    match form:
        case "equals":
            # Truth values are shown in lower case, and were once compared as Python writes them.
            shown = str(value.value)
            spellings = {shown, shown.lower()} if shown in ("True", "False") else {shown}
            return Binary("in", Call("text", (variable,)), ListOf(tuple(Literal(each) for each in sorted(spellings))))
        case "contains":
            return Binary("in", value, Call("text", (variable,)))
        case _:
            return Call(form, (variable,))

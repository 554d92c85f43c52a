"""Expressions and conditions over values. No attribute of Python is read, nothing is executed."""

import operator
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import JsonValue

from orchestrator.domain.text import one_line
from orchestrator.pipelines.conditions import parse_condition
from orchestrator.pipelines.errors import ExpressionError, StepError
from orchestrator.pipelines.expression_tree import (
    LENIENT,
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
from orchestrator.pipelines.expressions import parse_expression
from orchestrator.pipelines.functions import FUNCTIONS, has, kind_of, limited, number_of

_ORDER: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def value_of(expression: str, values: Mapping[str, JsonValue]) -> JsonValue:
    """The value of an expression. Raises StepError."""
    try:
        found: JsonValue = _evaluated(parse_expression(expression), values, lenient=False)
        return found
    except ExpressionError as error:
        raise StepError(f"expression: {error} (column {error.column})") from None
    except (OverflowError, RecursionError, ValueError) as error:
        raise StepError(f"expression: {one_line(str(error))}") from None


def holds(condition: str, values: Mapping[str, JsonValue]) -> bool:
    """Whether a condition holds; an empty one does. What is missing is null. Raises StepError."""
    if not condition.strip():
        return True
    try:
        return bool(_evaluated(parse_condition(condition), values, lenient=True))
    except ExpressionError as error:
        raise StepError(f"condition: {error} (column {error.column})") from None
    except StepError as error:
        raise StepError(f"condition: {error}") from None
    except (OverflowError, RecursionError, ValueError) as error:
        raise StepError(f"condition: {one_line(str(error))}") from None


def _evaluated(tree: Tree, values: Mapping[str, JsonValue], *, lenient: bool) -> Any:
    match tree:
        case Literal(value=value):
            return value
        case Variable(name=name):
            if name not in values and not lenient:
                raise StepError(f"missing variable '{name}'")
            return values.get(name)
        case Entry(of=of, key=key):
            whole, wanted = (_evaluated(part, values, lenient=lenient) for part in (of, key))
            return _entry(whole, wanted, lenient=lenient)
        case Unary(operator=mark, of=of):
            found = _evaluated(of, values, lenient=lenient)
            return not found if mark == "not" else -number_of(found)
        case Binary(operator=mark, left=left, right=right):
            first = _evaluated(left, values, lenient=lenient)
            if mark in ("and", "or") and bool(first) is (mark == "or"):
                return first
            second = _evaluated(right, values, lenient=lenient)
            return second if mark in ("and", "or") else _binary(mark, first, second)
        case Choice(test=test, then=then, otherwise=otherwise):
            chosen = then if _evaluated(test, values, lenient=lenient) else otherwise
            return _evaluated(chosen, values, lenient=lenient)
        case Call(function=function, arguments=arguments):
            known = lenient or function in LENIENT
            given = [_evaluated(argument, values, lenient=known) for argument in arguments]
            return limited(FUNCTIONS[function].compute(*given))
        case ListOf(items=items):
            return [_evaluated(item, values, lenient=lenient) for item in items]
        case ObjectOf(entries=entries):
            return {name: _evaluated(value, values, lenient=lenient) for name, value in entries}


def _entry(whole: Any, key: Any, *, lenient: bool) -> Any:
    if isinstance(whole, dict) and isinstance(key, str) and key in whole:
        return whole[key]
    if isinstance(whole, list) and isinstance(key, int) and -len(whole) <= key < len(whole):
        return whole[key]
    if lenient and (whole is None or isinstance(whole, dict | list)):
        return None
    raise StepError(f"{kind_of(whole)} has no entry {str(key)[:60]!r}")


def _binary(mark: str, left: Any, right: Any) -> Any:
    match mark:
        case "==":
            return _same(left, right)
        case "!=":
            return not _same(left, right)
        case "in":
            return has(right, left)
        case "+" if isinstance(left, str) and isinstance(right, str):
            return limited(left + right)
        case "+" if isinstance(left, list) and isinstance(right, list):
            return limited(left + right)
        case "+" | "-" | "*" | "/" | "%":
            return _computed(mark, number_of(left), number_of(right))
    if left is None or right is None:
        return False
    if isinstance(left, str) and isinstance(right, str):
        return _ORDER[mark](left, right)
    return _ORDER[mark](number_of(left), number_of(right))


def _computed(mark: str, left: int | float, right: int | float) -> int | float:
    if mark in "/%" and right == 0:
        raise StepError("division by zero")
    compute = {
        "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "%": operator.mod,
    }[mark]  # fmt: skip
    result: int | float = compute(left, right)
    if isinstance(result, int) and abs(result) > 10**100:
        raise StepError("a number of more than 100 digits")
    return result


def _same(left: Any, right: Any) -> bool:
    """Equal as JSON; a text equals the number that it is."""
    for text, number in ((left, right), (right, left)):
        if isinstance(text, str) and isinstance(number, int | float) and not isinstance(number, bool):
            try:
                return number_of(text) == number
            except StepError:
                return False
    if isinstance(left, bool) is not isinstance(right, bool):
        return False
    return bool(left == right)

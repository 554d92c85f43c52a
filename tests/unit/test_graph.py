"""Graphs: the heaviest path, and pictures that no title of a model can break out of."""

import re

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.graph import critical_path, in_order, mermaid
from tests.unit.core_values import task

PLAN = (task("d", "b", "c"), task("a"), task("b", "a"), task("c"))
LINE = re.compile(
    r"flowchart LR|    n\d+\[\"[^\"\[\]<>`]*\"\]|    n\d+ --> n\d+"
    r"|    classDef critical stroke-width:3px|    class n\d+(,n\d+)* critical"
)


def test_dependencies_come_first_else_plan_order() -> None:
    assert [each.id for each in in_order(PLAN)] == ["a", "c", "b", "d"]


def test_the_critical_path_is_the_heaviest() -> None:
    weights = {"a": 1.0, "b": 1.0, "c": 3.0, "d": 1.0}
    assert critical_path(PLAN, lambda each: weights[each.id]) == ("c", "d")
    assert critical_path(PLAN, lambda each: 1.0) == ("a", "b", "d")
    assert critical_path((), lambda each: 1.0) == ()


def test_a_long_chain_has_a_path() -> None:
    chain = [task(str(n), *([str(n - 1)] if n else [])) for n in range(5_000)]
    assert len(critical_path(chain, lambda each: 1.0)) == 5_000


def test_the_picture_names_tasks_and_edges() -> None:
    assert mermaid(PLAN[1:3], highlighted=("a",)).splitlines() == [
        "flowchart LR",
        '    n1["a: a"]',
        '    n2["b: b"]',
        "    n1 --> n2",
        "    classDef critical stroke-width:3px",
        "    class n1 critical",
    ]


@given(st.text(max_size=120))
def test_no_title_breaks_out_of_its_label(title: str) -> None:
    hostile = task("a").model_copy(update={"title": title})
    text = mermaid((hostile, task("b", "a")), highlighted=("a",))
    assert len(text.splitlines()) == 6
    assert all(LINE.fullmatch(line) for line in text.splitlines())


def test_markup_and_directives_are_letters_only() -> None:
    title = '"] --> x\n click n1 "javascript:alert(1)" %%{init}%% <b>`x`</b>'
    line = mermaid((task("a").model_copy(update={"title": title}),)).splitlines()[1]
    label = line[line.index('"') + 1 : -2]
    assert re.fullmatch(r"a: [\w .,#;-]+", label)

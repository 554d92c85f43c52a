"""Text inside Markdown, as the Web UI renders it."""

from orchestrator.contracts.details import project_details
from orchestrator.domain.markdown import cell, dollars, quoted
from tests.workflow.harness import spec


def test_a_cell_holds_no_markup() -> None:
    shown = cell("a | <b>**c**</b> [d](e) $5 \\pi ~f~\n# g")
    assert shown.split() == ["a", "b", "c", "/b", "d", "e", "5", "pi", "f", "g"]
    assert len(cell("x" * 200)) == 80


def test_amounts_are_no_formula() -> None:
    assert dollars(0.5, 2.0) == "0.5000 of 2.00 USD"
    assert dollars(0.5) == "0.5000 USD"


def test_a_quoted_text_is_a_block_and_says_where_it_was_cut() -> None:
    assert quoted("# one\n<b>two</b>", 100) == "    # one\n    <b>two</b>"
    assert quoted("äöü", 4) == "    äö\n    …"


def test_details_of_a_project_say_what_was_asked_for_and_how_to_steer_it() -> None:
    details = project_details(spec(project="Write it.\n```\nhostile", criteria="x" * 50_000))
    assert "    Write it.\n    ```\n    hostile" in details
    assert "Budget 5.00 USD, time limit 1 min, 8 tasks at a time." in details
    assert "`pause`" in details
    assert len(details.encode()) < 20_000, "the server takes no more"

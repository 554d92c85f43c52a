"""The architecture that follows from wishes, advice and facts."""

import pytest
from pydantic import ValidationError

from orchestrator.domain.advising import advice, app_type_of, architecture_lines, decided, described, is_settled
from orchestrator.domain.answers import ArchitectureAnswer
from orchestrator.domain.app_facts import facts
from orchestrator.domain.apps import AppType, Architecture, ArchitectureWishes
from orchestrator.prompts.answers import parse_structured

NONE = ArchitectureWishes()
FLASK = Architecture(
    app_type=AppType.FLASK, structural_pattern="hexagonal", run_command="flask run", rationale="Asked."
)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("fastapi", AppType.FASTAPI),
        ("FastAPI", AppType.FASTAPI),
        ("react-fastapi", AppType.REACT_FASTAPI),
        (" Data Pipeline ", AppType.DATA_PIPELINE),
        ("Next.js", AppType.NEXTJS),
        ("html", AppType.STATIC_SITE),
        ("mainframe", None),
        ("", None),
    ],
)
def test_types_are_known_however_they_are_spelt(name: str, found: AppType | None) -> None:
    assert app_type_of(name) is found


def test_advice_is_read_leniently() -> None:
    text = """Here it is:
    {"app_type": "cli", "stack": "python, argparse", "entry_point": null, "topology": ["monolith"], "run_command": 7,
     "rationale": "Line one.\\nLine two.", "extra": {"ignored": true}, "data_paradigm": {"odd": 1}}"""
    answer, _ = parse_structured(text, ArchitectureAnswer)
    found, notes = advice(answer)
    assert notes == ()
    assert found.stack == ("python", "argparse")
    assert (found.topology, found.run_command, found.entry_point, found.data_paradigm) == ("monolith", "7", "", "")
    assert found.rationale == "Line one. Line two."


def test_an_unknown_type_is_generic_with_a_note() -> None:
    found, notes = advice(ArchitectureAnswer(app_type="a \x1b[31mblockchain"))
    assert found.app_type is AppType.GENERIC
    assert notes == ("app type 'a blockchain' is unknown: taken as generic",)


def test_advice_names_a_type() -> None:
    with pytest.raises(ValidationError):
        ArchitectureAnswer.model_validate({"topology": "monolith"})


def test_long_and_hostile_texts_are_cut_to_one_line() -> None:
    hostile = {"app_type": "cli", "entry_point": "a\n</architecture>\u202e" * 99, "stack": ["x"] * 99 + ["y" * 999]}
    found, _ = advice(ArchitectureAnswer.model_validate(hostile))
    assert len(found.entry_point) <= 300
    assert "\n" not in found.entry_point
    assert "\u202e" not in found.entry_point
    assert len(found.stack) == 2
    assert all("\n" not in line for line in architecture_lines(found))


def test_wishes_win_over_advice_over_facts() -> None:
    wishes = ArchitectureWishes(structural_pattern="mvc", build_command="")
    found = decided(wishes, FLASK, "shop")
    assert found.structural_pattern == "mvc"
    assert found.run_command == "flask run"
    assert found.test_command == facts(AppType.FLASK, "shop").test_command
    assert found.rationale == "Asked."


def test_advice_for_another_type_is_not_used() -> None:
    found = decided(ArchitectureWishes(app_type=AppType.FASTAPI), FLASK, "shop")
    assert found == facts(AppType.FASTAPI, "shop")


def test_software_of_no_known_type_has_no_facts() -> None:
    assert decided(NONE, None, "shop") == Architecture(app_type=AppType.GENERIC)
    rust = Architecture(app_type=AppType.GENERIC, stack=("Rust",), run_command="cargo run")
    assert decided(NONE, rust, "shop") == rust


def test_who_wishes_everything_is_settled() -> None:
    every = dict.fromkeys(ArchitectureWishes.model_fields, "") | {"app_type": "cli", "stack": ()}
    assert is_settled(ArchitectureWishes.model_validate(every))
    assert not is_settled(ArchitectureWishes.model_validate({**every, "topology": None}))
    assert not is_settled(NONE)


def test_the_lines_leave_out_what_is_open() -> None:
    assert described(NONE) == ()
    assert architecture_lines(FLASK) == ("app type: flask", "pattern: hexagonal", "run: flask run")
    assert architecture_lines(ArchitectureWishes(stack=("a", "b"))) == ("stack: a, b",)

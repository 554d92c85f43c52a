"""Suggestions: which are usable, and what the texts become."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.answer_text import AnswerError
from orchestrator.domain.answers import Suggestion, SuggestionKind, UncheckedSuggestions
from orchestrator.domain.enhancing import MAX_SUGGESTIONS, enhanced, suggested, usable
from orchestrator.prompts.answers import parse_structured
from orchestrator.providers.simulated.software import software_for
from tests.unit.simulated_talk import REQUESTS

GOOD: dict[str, Any] = {"kind": "risk", "title": "T", "description": "D", "patch_project": "P.", "patch_criteria": "C."}


def suggestion(**changes: Any) -> Suggestion:
    return Suggestion.model_validate(GOOD | changes)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ({**GOOD, "kind": "wish"}, "kind: "),
        ({**GOOD, "title": ""}, "title: "),
        ({**GOOD, "title": "\u200b\x1b[2J"}, "no title"),
        ({**GOOD, "title": "x" * 121}, "title: "),
        ({**GOOD, "patch_project": "x" * 2001}, "patch_project: "),
        ({**GOOD, "patch_project": "", "patch_criteria": ""}, "'T' changes nothing"),
        ({**GOOD, "patch_project": "\x1b[31m\u202e", "patch_criteria": " "}, "'T' changes nothing"),
        ({"kind": "risk"}, "title: "),
        ("text", "Input should be"),
        (None, "Input should be"),
        ([], "Input should be"),
    ],
)
def test_a_bad_one_is_dropped_alone(bad: object, why: str) -> None:
    found, notes = usable([GOOD, bad, GOOD])
    assert len(found) == 2
    assert len(notes) == 1
    assert notes[0].startswith(
        f"suggestion 2 is dropped: {why}" if "no title" not in why else "suggestion 2 is dropped"
    )
    assert len(notes[0]) < 200


def test_no_more_than_a_person_wants_to_read() -> None:
    found, notes = usable([GOOD] * (MAX_SUGGESTIONS + 2))
    assert len(found) == MAX_SUGGESTIONS
    assert len(notes) == 2


def test_names_of_kinds_are_read_as_others_write_them() -> None:
    given = [{**GOOD, "kind": "Criteria"}, {**GOOD, "kind": None, "type": "completeness"}]
    del given[1]["kind"]
    found, _ = usable(given)
    assert [one.kind for one in found] == [SuggestionKind.CRITERION, SuggestionKind.COMPLETENESS]


def test_texts_become_one_clean_line_each() -> None:
    found, _ = usable([{**GOOD, "patch_project": "One.\n\n# Two\x1b[31m\u202e"}])
    assert found[0].patch_project == "One. # Two"


def test_chosen_patches_follow_the_text_a_line_each() -> None:
    found = (suggestion(), suggestion(patch_project="", patch_criteria="Fast."), suggestion(patch_project="Q."))
    assert enhanced("Text.\n\n", "Done", found, ("s1", "s2")) == ("Text.\nP.", "Done\nC.\nFast.")
    assert enhanced("Text.", "Done", found, ("s3",)) == ("Text.\nQ.", "Done\nC.")


@given(
    st.lists(
        st.builds(lambda p, c: suggestion(patch_project=p, patch_criteria=c), st.text(max_size=9), st.text(max_size=9)),
        max_size=5,
    )
)
def test_without_a_choice_the_texts_stay(found: list[Suggestion]) -> None:
    assert enhanced("Text", "Done", found, ()) == ("Text", "Done")
    assert [one.id for one in suggested(found)] == [f"s{number}" for number in range(1, len(found) + 1)]


@pytest.mark.parametrize("request_text", REQUESTS)
def test_what_simulated_models_suggest_is_usable_and_changes_nothing_for_them(request_text: str) -> None:
    software = software_for(request_text)
    given = [one.model_dump() for one in software.suggestions]
    found, notes = usable(given)
    assert 2 <= len(found) <= MAX_SUGGESTIONS
    assert notes == ()
    text, _ = enhanced(request_text, "It works", found, [one.id for one in suggested(found)])
    assert text != request_text
    again = software_for(text)
    assert (again.tasks, again.architecture) == (software.tasks, software.architecture)


def test_a_bare_list_of_suggestions_is_an_answer() -> None:
    answer, _ = parse_structured(json.dumps([GOOD, "odd"]), UncheckedSuggestions)
    assert len(answer.suggestions) == 2
    assert len(usable(answer.suggestions)[0]) == 1


def test_an_answer_that_is_cut_off_is_none() -> None:
    with pytest.raises(AnswerError, match="cut off"):
        parse_structured(json.dumps({"suggestions": [GOOD, GOOD]})[:-20], UncheckedSuggestions)

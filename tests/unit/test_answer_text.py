"""Thoughts that come inline, and stop sequences: no split of the stream shows a part of a mark."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.providers.texts import AnswerText

PIECES = st.lists(
    st.sampled_from(["<", "th", "ink>", "<think>", "</", "think>", "</think>", " ", "\n", "a", "EN", "D"])
)


def shown(pieces: list[str], *, inline: bool, stop: tuple[str, ...] = ()) -> str:
    text = AnswerText(thinking_inline=inline, stop=stop)
    return "".join([*(text.take(piece) for piece in pieces), text.rest()])


def without_thoughts(text: str) -> str:
    start = text.lstrip()
    if not start.startswith("<think>"):
        return text
    _, closed, answer = start.partition("</think>")
    return answer.lstrip() if closed else ""


@given(PIECES)
def test_only_a_block_at_the_start_is_dropped(pieces: list[str]) -> None:
    assert shown(pieces, inline=True) == without_thoughts("".join(pieces))


@given(PIECES)
def test_without_inline_thoughts_nothing_changes(pieces: list[str]) -> None:
    assert shown(pieces, inline=False) == "".join(pieces)


@given(PIECES)
def test_the_text_ends_before_the_first_stop_sequence(pieces: list[str]) -> None:
    whole = "".join(pieces)
    ends = [end for end in (whole.find(sequence) for sequence in ("END", "</th")) if end >= 0]
    assert shown(pieces, inline=False, stop=("END", "</th")) == whole[: min(ends, default=len(whole))]


@given(PIECES)
def test_both_together(pieces: list[str]) -> None:
    answer = without_thoughts("".join(pieces))
    assert shown(pieces, inline=True, stop=("END",)) == answer.partition("END")[0]


def test_nothing_is_held_back_that_cannot_be_a_mark() -> None:
    text = AnswerText(thinking_inline=True, stop=("END",))
    assert [text.take(piece) for piece in ("a", "b E", "x", "EN", "DE")] == ["a", "b ", "Ex", "", ""]

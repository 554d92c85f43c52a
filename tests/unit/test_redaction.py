"""Text that is shown: no secrets, no escapes, one line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.text import duration, one_line
from orchestrator.telemetry.redaction import REDACTED, redact


def test_a_secret_is_replaced_wherever_it_stands() -> None:
    assert redact("a hunter2-hunter2 b hunter2-hunter2", ["hunter2-hunter2"]) == f"a {REDACTED} b {REDACTED}"


def test_the_longer_secret_goes_first() -> None:
    assert redact("secret-1-long", ["secret-1", "secret-1-long"]) == REDACTED


def test_very_short_secrets_would_blank_out_words() -> None:
    assert redact("a cat", ["a"]) == "a cat"


@pytest.mark.parametrize(
    "key",
    ["sk-proj-abcdefghijklmnop1234", "sk-ant-api03-abcdefghijk_lmnop", "AIzaSyA1234567890abcdefghijkl"],
)
def test_what_looks_like_a_key_goes_unasked(key: str) -> None:
    assert key not in redact(f"Incorrect API key provided: {key}.", [])
    assert "abcdefghijklmnop" not in redact("Authorization: Bearer abcdefghijklmnop", [])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mred\x1b[0m b", "ared b"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPq#0\x1b\\after", "after"),
        ("\x9b31mc1", "c1"),
        ("one\r\ntwo\tthree\u2028four", "one two three four"),
        ("a\u202eb\u200bc\ufeff", "abc"),
        ("nul\x00 bell\x07", "nul bell"),
        ("  spaces   inside  ", "spaces inside"),
        ("Привет 日本", "Привет 日本"),
        ("\x1b[", ""),
    ],
)
def test_one_line(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_a_long_line_is_cut_and_says_so() -> None:
    assert one_line("x" * 300) == "x" * 199 + "…"
    assert one_line("y" * 12, limit=10) == "y" * 9 + "…"


@given(st.text(max_size=400), st.integers(min_value=1, max_value=60))
def test_any_text_becomes_one_printable_line(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert line.isprintable()
    assert "\x1b" not in line


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (185, "3 min 05 s"), (7_800, "2 h 10 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text

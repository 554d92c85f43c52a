"""Names of distributions and packages made from any text."""

import keyword
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.app_names import app_names


@pytest.mark.parametrize(
    ("text", "distribution", "module", "title"),
    [
        ("todo", "todo", "todo", "Todo"),
        ("To-Do List!", "to-do-list", "to_do_list", "To Do List"),
        ("  Café_Ñandú ", "cafe-nandu", "cafe_nandu", "Cafe Nandu"),
        ("2048 game", "app-2048-game", "app_2048_game", "App 2048 Game"),
        ("日本", "app", "app", "App"),
        ("", "app", "app", "App"),
        ("json", "json-app", "json_app", "Json App"),
        ("Class", "class-app", "class_app", "Class App"),
        ("flask", "flask-app", "flask_app", "Flask App"),
        ("../../etc/passwd", "etc-passwd", "etc_passwd", "Etc Passwd"),
    ],
)
def test_names(text: str, distribution: str, module: str, title: str) -> None:
    names = app_names(text)
    assert (names.distribution, names.module, names.title) == (distribution, module, title)


@given(st.text(max_size=300))
def test_any_text_gives_names_that_can_be_used(text: str) -> None:
    names = app_names(text)
    assert names.module.isidentifier()
    assert names.module.isascii()
    assert not keyword.iskeyword(names.module)
    assert names.module not in sys.stdlib_module_names
    assert names.distribution == names.module.replace("_", "-")
    assert len(names.distribution) <= 45


@pytest.mark.parametrize("name", sorted(sys.stdlib_module_names))
def test_no_module_of_the_standard_library_is_hidden(name: str) -> None:
    assert app_names(name).module not in sys.stdlib_module_names


def test_long_texts_end_with_a_whole_word() -> None:
    names = app_names("Build me a rate limiter library with tests and documentation")
    assert names.module == "build_me_a_rate_limiter_library_with"

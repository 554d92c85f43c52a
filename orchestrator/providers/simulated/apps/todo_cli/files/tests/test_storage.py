"""The file on disk."""

import json
from pathlib import Path

import pytest

from todo_cli.model import Todo, TodoError, clean_title
from todo_cli.storage import JsonStorage, Snapshot


def test_no_file_is_an_empty_list(tmp_path: Path) -> None:
    assert JsonStorage(tmp_path / "none.json").load() == Snapshot()


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    storage = JsonStorage(tmp_path / "deep" / "list.json")
    snapshot = Snapshot((Todo(1, "Tee kaufen ☕"), Todo(3, "b", done=True)), 4)
    storage.save(snapshot)
    assert storage.load() == snapshot


def test_a_failed_write_leaves_the_old_list(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    storage = JsonStorage(path)
    storage.save(Snapshot((Todo(1, "keep me"),), 2))
    with pytest.raises(UnicodeEncodeError):
        storage.save(Snapshot((Todo(1, "\ud800"),), 2))
    assert storage.load().todos == (Todo(1, "keep me"),)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[]",
        '{"todos": 1}',
        '{"todos": [{"id": 0, "title": "a"}]}',
        '{"todos": [{"id": 1, "title": 2}]}',
        '{"todos": [{"id": 1, "title": "a", "done": "yes"}]}',
    ],
)
def test_a_foreign_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "list.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TodoError):
        JsonStorage(path).load()


def test_a_lost_counter_never_reuses_an_id(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text(json.dumps({"todos": [{"id": 7, "title": "a"}]}), encoding="utf-8")
    assert JsonStorage(path).load().next_id == 8


def test_titles_are_one_clean_line() -> None:
    assert clean_title("  buy \n  milk ") == "buy milk"
    assert clean_title("a" * 200) == "a" * 200
    with pytest.raises(TodoError, match="needs a title"):
        clean_title(" \t ")
    with pytest.raises(TodoError, match="longer"):
        clean_title("a" * 201)

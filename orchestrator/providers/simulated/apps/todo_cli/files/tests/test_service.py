"""What can be done with a list."""

from pathlib import Path

import pytest

from todo_cli.model import Todo, TodoError
from todo_cli.service import TodoList
from todo_cli.storage import JsonStorage


@pytest.fixture
def todos(tmp_path: Path) -> TodoList:
    return TodoList(JsonStorage(tmp_path / "list.json"))


def test_entries_are_numbered_in_order(todos: TodoList) -> None:
    assert todos.add("a") == Todo(1, "a")
    assert todos.add("b") == Todo(2, "b")
    assert [todo.id for todo in todos.entries()] == [1, 2]


def test_done_entries_are_hidden_but_kept(todos: TodoList) -> None:
    todos.add("a")
    todos.add("b")
    assert todos.complete(1) == Todo(1, "a", done=True)
    assert todos.entries() == (Todo(2, "b"),)
    assert [todo.done for todo in todos.entries(include_done=True)] == [True, False]


def test_the_id_of_a_removed_entry_is_not_used_again(todos: TodoList) -> None:
    todos.add("a")
    todos.add("b")
    assert todos.remove(2) == Todo(2, "b")
    assert todos.add("c").id == 3
    assert [todo.title for todo in todos.entries()] == ["a", "c"]


def test_rename_keeps_the_place(todos: TodoList) -> None:
    todos.add("a")
    todos.add("b")
    assert todos.rename(1, " x  y ") == Todo(1, "x y")
    assert [todo.title for todo in todos.entries()] == ["x y", "b"]


def test_unknown_ids_are_refused(todos: TodoList) -> None:
    todos.add("a")
    for change in (todos.complete, todos.remove, lambda i: todos.rename(i, "x")):
        with pytest.raises(TodoError, match="no todo 9"):
            change(9)
    assert todos.entries() == (Todo(1, "a"),)

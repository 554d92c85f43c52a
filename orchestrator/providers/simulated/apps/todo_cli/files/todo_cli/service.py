"""What can be done with a list."""

from dataclasses import replace

from todo_cli.model import Todo, TodoError, clean_title
from todo_cli.storage import JsonStorage, Snapshot


class TodoList:
    """A stored list; each change is saved before the method returns."""

    def __init__(self, storage: JsonStorage) -> None:
        self._storage = storage

    def add(self, title: str) -> Todo:
        """Append an entry."""
        before = self._storage.load()
        todo = Todo(id=before.next_id, title=clean_title(title))
        self._storage.save(Snapshot((*before.todos, todo), before.next_id + 1))
        return todo

    def entries(self, include_done: bool = False) -> tuple[Todo, ...]:
        """Open entries in order, with `include_done` all of them."""
        todos = self._storage.load().todos
        return tuple(todo for todo in todos if include_done or not todo.done)

    def complete(self, todo_id: int) -> Todo:
        """Mark an entry as done; raises TodoError if there is none."""
        return self._change(todo_id, done=True)

    def rename(self, todo_id: int, title: str) -> Todo:
        """Give an entry another title; raises TodoError if there is none."""
        return self._change(todo_id, title=clean_title(title))

    def remove(self, todo_id: int) -> Todo:
        """Delete an entry; its id is not used again."""
        before = self._storage.load()
        found = _find(before, todo_id)
        rest = tuple(todo for todo in before.todos if todo.id != todo_id)
        self._storage.save(replace(before, todos=rest))
        return found

    def _change(self, todo_id: int, **changes: str | bool) -> Todo:
        before = self._storage.load()
        changed = replace(_find(before, todo_id), **changes)  # type: ignore[arg-type]
        todos = tuple(changed if t.id == todo_id else t for t in before.todos)
        self._storage.save(replace(before, todos=todos))
        return changed


def _find(snapshot: Snapshot, todo_id: int) -> Todo:
    for todo in snapshot.todos:
        if todo.id == todo_id:
            return todo
    raise TodoError(f"there is no todo {todo_id}")

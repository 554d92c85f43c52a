"""The list on disk: one JSON file, replaced as a whole so that it is never half."""

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from todo_cli.model import Todo, TodoError


@dataclass(frozen=True)
class Snapshot:
    """What the file holds: the entries in order, and the next free id."""

    todos: tuple[Todo, ...] = ()
    next_id: int = 1


class JsonStorage:
    """Reads and writes one list."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Snapshot:
        """The stored list; an empty one if there is no file.

        Raises TodoError if the file is not a list that this program wrote.
        """
        try:
            data = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return Snapshot()
        except ValueError as error:
            raise TodoError(f"{self._path} is not valid JSON: {error}") from error
        if not isinstance(data, dict) or not isinstance(data.get("todos"), list):
            raise TodoError(f"{self._path} is not a todo list")
        todos = tuple(Todo.from_json(entry) for entry in data["todos"])
        highest = max((todo.id for todo in todos), default=0)
        return Snapshot(todos, max(int(data.get("next_id", 1)), highest + 1))

    def save(self, snapshot: Snapshot) -> None:
        """Write the list: first beside the file, then in its place."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        data = {
            "next_id": snapshot.next_id,
            "todos": [todo.to_json() for todo in snapshot.todos],
        }
        descriptor, name = tempfile.mkstemp(dir=self._path.parent, suffix=".tmp")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                json.dump(data, stream, ensure_ascii=False, indent=2)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(name, self._path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

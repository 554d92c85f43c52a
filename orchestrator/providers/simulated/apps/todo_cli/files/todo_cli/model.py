"""One entry of the list."""

from dataclasses import asdict, dataclass
from typing import Any

MAX_TITLE_CHARS = 200


class TodoError(Exception):
    """Something that the user can put right. The message is one line."""


@dataclass(frozen=True)
class Todo:
    """An entry: `id` counts from 1 and is never used twice in one list."""

    id: int
    title: str
    done: bool = False

    def to_json(self) -> dict[str, Any]:
        """The entry as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Todo":
        """An entry from a JSON object; raises TodoError if a field is wrong."""
        number, title, done = data.get("id"), data.get("title"), data.get("done", False)
        if not isinstance(number, int) or number < 1:
            raise TodoError(f"wrong id: {number!r}")
        if not isinstance(title, str) or not isinstance(done, bool):
            raise TodoError(f"wrong entry with id {number}")
        return cls(id=number, title=title, done=done)


def clean_title(raw: str) -> str:
    """`raw` on one line without needless spaces; raises TodoError if unusable."""
    title = " ".join(raw.split())
    if not title:
        raise TodoError("a todo needs a title")
    if len(title) > MAX_TITLE_CHARS:
        raise TodoError(f"the title is longer than {MAX_TITLE_CHARS} characters")
    return title

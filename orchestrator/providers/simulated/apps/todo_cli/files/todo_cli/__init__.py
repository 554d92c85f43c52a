"""A command-line todo list.

Written by simulated models.
"""

from todo_cli.model import Todo, TodoError
from todo_cli.service import TodoList
from todo_cli.storage import JsonStorage

__all__ = ["JsonStorage", "Todo", "TodoError", "TodoList"]

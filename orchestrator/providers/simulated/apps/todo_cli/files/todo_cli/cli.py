"""The command line."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from todo_cli.model import Todo, TodoError
from todo_cli.service import TodoList
from todo_cli.storage import JsonStorage


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, or 1 after an error message."""
    options = build_parser().parse_args(arguments)
    todos = TodoList(JsonStorage(options.file))
    try:
        for line in run(todos, options):
            print(line)
    except (TodoError, OSError) as error:
        print(f"todo: {error}", file=sys.stderr)
        return 1
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    default = Path(os.environ.get("TODO_FILE") or Path.home() / ".todo.json")
    parser = argparse.ArgumentParser(prog="todo", description="A small todo list.")
    parser.add_argument("--file", type=Path, default=default, help="where it is kept")
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("add", help="add an entry")
    add.add_argument("title", nargs="+")
    show = commands.add_parser("list", help="show open entries")
    show.add_argument("--all", action="store_true", help="show done entries too")
    for name, text in (("done", "mark as done"), ("remove", "delete an entry")):
        commands.add_parser(name, help=text).add_argument("id", type=int)
    rename = commands.add_parser("rename", help="change a title")
    rename.add_argument("id", type=int)
    rename.add_argument("title", nargs="+")
    return parser


def run(todos: TodoList, options: argparse.Namespace) -> list[str]:
    """Perform the parsed command; returns the lines to print."""
    if options.command == "add":
        return [f"added {format_todo(todos.add(' '.join(options.title)))}"]
    if options.command == "done":
        return [f"done {format_todo(todos.complete(options.id))}"]
    if options.command == "remove":
        return [f"removed {format_todo(todos.remove(options.id))}"]
    if options.command == "rename":
        renamed = todos.rename(options.id, " ".join(options.title))
        return [f"renamed {format_todo(renamed)}"]
    lines = [format_todo(todo) for todo in todos.entries(include_done=options.all)]
    return lines or ["nothing to do"]


def format_todo(todo: Todo) -> str:
    """One entry on one line."""
    return f"{todo.id}. [{'x' if todo.done else ' '}] {todo.title}"

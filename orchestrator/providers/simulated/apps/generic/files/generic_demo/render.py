"""Checklists as text."""

from generic_demo.checklist import Checklist

NOTICE = "Written by simulated models. This does not implement the request."


def to_text(checklist: Checklist) -> str:
    """The checklist with one line per step, and the progress in percent."""
    lines = [f"[{'x' if done else ' '}] {name}" for name, done in checklist.items()]
    return "\n".join([*lines, f"{checklist.progress():.0%} done"]) + "\n"

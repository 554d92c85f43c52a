"""Prompts: versioned templates per stage, filled with named sections."""

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from orchestrator.domain.tasks import Stage

PROMPT_VERSION = "v1"  # a change of wording that matters gets a new folder of templates

SECTIONS = (
    "project",
    "criteria",
    "architecture",  # one decision a line
    "task",  # a JSON object {id, title, type, files, prompt}
    "existing",  # files that no task writes, and installed packages
    "questions",  # numbered criteria to be judged
    "evidence",  # what the tools said, line by line
    "context",  # files of dependencies, as fences
    "draft",  # files, as fences
    "findings",
    "critique",
    "guidance",
    "attempts",
    "previous_error",
)
_MARK_DIGITS = 12


def build_prompt(stage: Stage, sections: Mapping[str, str]) -> tuple[str, str]:
    """System text and prompt of a stage.

    The first line of the system text is `stage: <name>`. Every section that is given stands between tags that its
    text cannot foresee. Raises KeyError for a section that does not exist.
    """
    unknown = sorted(set(sections) - set(SECTIONS))
    if unknown:
        raise KeyError(f"no such section: {', '.join(unknown)}")
    values: dict[str, object] = {name: sections.get(name, "") for name in SECTIONS}
    values["brief"] = _brief(sections.get("task", ""))
    values["marks"] = {name: _mark(sections.get(name, "")) for name in SECTIONS}
    environment = _environment()
    system = environment.get_template(f"{PROMPT_VERSION}/{stage.value}.system.jinja").render()
    prompt = environment.get_template(f"{PROMPT_VERSION}/{stage.value}.prompt.jinja").render(values)
    return system.strip(), prompt.strip()


def _brief(task: str) -> str:
    """The task as text: instructions in JSON's escapes would be harder to read and longer."""
    if not task:
        return ""
    brief = json.loads(task)
    lines = [f"{name}: {brief[name]}" for name in ("id", "title", "type")]
    files = [f"- {path}" for path in brief["files"]]
    return "\n".join([*lines, "files to write:", *files, "instructions:", brief["prompt"]])


def _mark(text: str) -> str:
    """A suffix for tags that no text can contain on purpose, since it depends on the whole of it."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:_MARK_DIGITS]


@lru_cache(maxsize=1)
def _environment() -> Environment:
    # Prompts are plain text: nothing is escaped, and sections are values, never templates.
    return Environment(
        loader=PackageLoader("orchestrator.prompts"),
        auto_reload=False,
        undefined=StrictUndefined,
        autoescape=False,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )

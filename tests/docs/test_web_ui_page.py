"""docs/web-ui.md names what there is, and its pictures are there and small."""

import re
from pathlib import Path

from orchestrator.contracts import names

PAGE = Path(__file__).parents[2] / "docs/web-ui.md"
TEXT = PAGE.read_text(encoding="utf-8")
MAX_BYTES = 150_000
NAMES = {value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)}


def test_pictures_are_there_and_small() -> None:
    pictures = re.findall(r"\]\((images/[^)]+)\)", TEXT)
    assert len(pictures) >= 6
    for picture in pictures:
        content = (PAGE.parent / picture).read_bytes()
        assert content.startswith(b"\x89PNG"), picture
        assert len(content) < MAX_BYTES, picture


def test_search_attributes_are_ours() -> None:
    mentioned = set(re.findall(r"\bOrch[A-Z]\w+", TEXT))
    assert mentioned == {*names.SEARCH_KEYWORDS, *names.SEARCH_DOUBLES, *names.SEARCH_INTS}


def test_activities_workflows_and_signals_are_ours() -> None:
    mentioned = set(re.findall(r"\b(?:task|project|batch|pipeline)\.[a-z_]+\b(?!-)", TEXT.replace(".png", ""))) | set(
        re.findall(r"`(\w+Workflow)`", TEXT)
    )
    mentioned |= set(re.findall(r"--name (\w+)", TEXT))
    stages = {f"task.{stage}" for stage in ("generate", "critique", "revise", "evaluate")} | {"project.judge"}
    assert mentioned <= NAMES | stages, mentioned - NAMES - stages

"""The page of app types says what the scaffolds are."""

import json
import re
from pathlib import Path

import pytest

from orchestrator.domain.app_facts import facts
from orchestrator.domain.apps import AppType, Dependencies
from orchestrator.scaffolds import scaffold
from orchestrator.scaffolds.kinds import versions

PAGE = (Path(__file__).parents[2] / "docs/apps.md").read_text(encoding="utf-8")
ROWS = {row.split("`")[1]: row for row in PAGE.splitlines() if row.startswith("| `")}


def test_there_is_a_row_for_each_type() -> None:
    assert list(ROWS) == [each.value for each in AppType]


@pytest.mark.parametrize("app_type", AppType)
def test_a_row_names_entry_point_and_commands(app_type: AppType) -> None:
    decided = facts(app_type, "name")
    for text in (decided.entry_point, decided.run_command, decided.test_command):
        assert re.sub(r"\bname\b", "NAME", text) in ROWS[app_type]
    assert decided.build_command in PAGE


def test_the_page_names_every_version_that_a_reader_meets() -> None:
    pins = versions()
    assert pins.date in PAGE
    assert not [name for name, version in pins.python.items() if f"{name} {version}" not in PAGE]
    assert not [image for image in pins.images.values() if f"`{image}`" not in PAGE]


@pytest.mark.parametrize("app_type", [AppType.NEXTJS, AppType.REACT_FASTAPI])
def test_versions_of_node_packages_are_those_of_the_manifest(app_type: AppType) -> None:
    manifest = json.loads(scaffold(app_type, "name", Dependencies(), ())["package.json"])
    pins = manifest["dependencies"] | manifest["devDependencies"]
    named = dict(re.findall(r"\b(next|react|vite|vitest|typescript|oxlint) (\d+\.\d+\.\d+)", ROWS[app_type]))
    assert len(named) >= 5
    assert named.items() <= pins.items()

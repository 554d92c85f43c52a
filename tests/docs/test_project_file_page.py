"""The page, the schema and the examples of project files say what the reader of such files takes."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from orchestrator.client.project_file import ProjectFile, load_project_file
from orchestrator.client.project_schema import SCHEMA_PAGE, project_schema
from orchestrator.client.project_shape import ProjectShape
from orchestrator.domain.apps import AppType

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/project-file.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"^```yaml\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
SCHEMA: dict[str, Any] = json.loads(project_schema())
EXAMPLES = sorted(
    path for ending in ("yaml", "json") for path in (ROOT / "examples").glob(f"*.{ending}") if path.stem != "policies"
)


def loaded(path: Path) -> ProjectFile:
    return load_project_file(path, lambda name: name)


def test_the_committed_schema_is_current() -> None:
    committed = (ROOT / SCHEMA_PAGE).read_text(encoding="utf-8")
    assert committed == project_schema(), f"orch-cli validate --schema > {SCHEMA_PAGE}"


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_page_names_every_field_and_app_type() -> None:
    names = {*ProjectShape.model_fields, *(app_type.value for app_type in AppType)}
    assert not {name for name in names if f"`{name}`" not in PAGE and f"`{name}:" not in PAGE}


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_a_snippet_of_the_page_is_read(number: int, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/sales.csv").write_text("a,b\n")
    (tmp_path / "schema.sql").write_text("SELECT 1;\n")
    (tmp_path / "policies.yaml").write_text("policies: [{name: p, allowed_regions: [eu]}]\n")
    (tmp_path / "project.yaml").write_text(SNIPPETS[number], encoding="utf-8")
    assert loaded(tmp_path / "project.yaml").project
    jsonschema.validate(yaml.safe_load(SNIPPETS[number]), SCHEMA)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_valid_for_us_and_for_an_editor(path: Path) -> None:
    found = loaded(path)
    assert found.project and found.criteria and found.budget
    jsonschema.validate(yaml.safe_load(path.read_text(encoding="utf-8")), SCHEMA)


@pytest.mark.parametrize(
    "wrong",
    ["bugdet: 1", "concurrency: 65", "app_type: fastap", "project: {title: x}", "files: [{path: a}]", "policy: {x: 1}"],
)
def test_an_editor_sees_what_the_reader_refuses(wrong: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(wrong), SCHEMA)

"""Commands about pipelines that need no run: checking, showing, templates; and what a command line can get wrong."""

import re
from pathlib import Path

import pytest

from cli.pipeline_running import parse_inputs
from orchestrator.domain.errors import UserInputError
from tests.cli.command import orch

GOOD = """\
name: good
inputs:
  topic: {type: string}
  words: {type: integer, default: 100}
steps:
  - name: research
    model: gpt-5-mini
    prompt: "Research {topic} in {words} words. Answer as {\\"facts\\": []}."
  - name: rate
    step_type: for_each
    items: [1, 2]
    sub_steps:
      - {name: end, model: gpt-5-mini, prompt: "{research_output} {item}", condition: "not_empty:research_output"}
"""
BAD = """\
name: bad
colour: red
steps:
  - name: a
    model: gpt-5-min
    prompt: "{missing}"
  - name: a
    prompt: "x"
    timeout_seconds: -1
    depends_on: a
"""


@pytest.fixture(autouse=True)
def _home_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCH_HOME", str(tmp_path / "orch-home"))


def test_a_good_file_can_run() -> None:
    Path("good.yaml").write_text(GOOD, encoding="utf-8")
    outcome = orch("pipeline", "validate", "good.yaml")
    assert outcome.code == 0, outcome.err
    assert outcome.out == "good.yaml: good 1.0 can run: 3 steps, inputs: topic, [words]\n"
    described = orch("pipeline", "validate", "good.yaml", "--json").object
    assert described["valid"]
    assert described["inputs"]["words"]["default"] == 100
    assert [step["within"] for step in described["steps"]] == [[], [], ["rate"]]


def test_all_errors_of_a_file_at_once_each_at_its_place() -> None:
    Path("bad.yaml").write_text(BAD, encoding="utf-8")
    outcome = orch("pipeline", "validate", "bad.yaml")
    assert (outcome.code, outcome.out) == (2, "")
    lines = outcome.err.splitlines()
    assert len(lines) >= 4
    assert all(re.match(r"error: bad\.yaml:\d+:\d+: \S", line) for line in lines), outcome.err
    text = outcome.err
    assert "bad.yaml:2:1" in text and "colour" in text
    assert "gpt-5-mini" in text  # the nearest name
    assert "Duplicate step name: 'a'" in text
    assert "bad.yaml:9:22" in text  # of the negative limit
    listed = orch("pipeline", "validate", "bad.yaml", "--json")
    assert listed.code == 2
    assert not listed.object["valid"]
    assert [f"error: {problem}" for problem in listed.object["problems"]] == lines


def test_nothing_runs_that_is_not_valid(tmp_path: Path) -> None:
    Path("bad.yaml").write_text(BAD, encoding="utf-8")
    outcome = orch("pipeline", "run", "bad.yaml", "--mock")
    assert (outcome.code, outcome.out) == (2, "")
    assert not (tmp_path / "orch-home" / "temporal").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("run", "nobody.yaml"), "nobody.yaml"),
        (("run", "research_and_sumarize"), "research_and_summarize"),
        (("run", "good.yaml"), "input 'topic': is missing"),
        (("run", "good.yaml", "-i", "topc=x"), "topc"),
        (("run", "good.yaml", "-i", "topic"), "NAME=VALUE"),
        (("run", "good.yaml", "-i", "topic=x", "-i", "words=many"), "words"),
        (("run", "good.yaml", "-i", "@nobody.json"), "nobody.json"),
        (("run", "good.yaml", "-i", "topic=x", "--budget", "-1"), "--budget"),
        (("run", "good.yaml", "-i", "topic=x", "--policy", "nobody.yaml"), "nobody.yaml"),
        (("run", "good.yaml", "-i", "topic=x", "--policy", "good.yaml"), "policies"),
        (("init", "../evil"), "NAME"),
        (("init", "new", "--template", "nothing"), "nothing"),
        (("trace", "NO SUCH"), "NO SUCH"),
    ],
)
def test_usage_errors_are_told_and_start_nothing(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    Path("good.yaml").write_text(GOOD, encoding="utf-8")
    outcome = orch("pipeline", *arguments)
    assert (outcome.code, outcome.out) == (2, ""), outcome.err
    assert says in outcome.err
    assert "Traceback" not in outcome.err
    assert not (tmp_path / "orch-home" / "temporal").exists()


def test_a_model_without_a_price_is_refused_under_a_budget() -> None:
    Path("models.yaml").write_text(
        "models:\n  - {id: 'openai:secret', context_tokens: 1000, max_output_tokens: 100}\n", encoding="utf-8"
    )
    pipeline = "name: p\nbudget: 1.0\nsteps:\n  - {name: a, model: 'openai:gpt-unheard-of', prompt: x}\n"
    Path("p.yaml").write_text(pipeline, encoding="utf-8")
    outcome = orch("pipeline", "validate", "p.yaml")
    assert outcome.code == 2
    assert "gpt-unheard-of" in outcome.err


def test_show_as_text_mermaid_and_json() -> None:
    Path("good.yaml").write_text(GOOD, encoding="utf-8")
    text = orch("pipeline", "show", "good.yaml").out
    assert "├─ research" in text
    assert "└─ rate" in text
    assert "   └─ end" in text
    mermaid = orch("pipeline", "show", "good.yaml", "--mermaid").out
    assert mermaid.startswith("flowchart TD\n")
    assert 'subgraph s_rate["rate<br/>' in mermaid
    assert "s_research --> s_rate" in mermaid
    assert orch("pipeline", "show", "good.yaml", "--json").object["mermaid"] == mermaid.rstrip("\n")


def test_templates_are_shown_and_make_new_files() -> None:
    names = [each["template"] for each in orch("pipeline", "templates", "--json").object["templates"]]
    assert {"research_and_summarize", "extract_and_validate"} < set(names)
    table = orch("pipeline", "templates").out
    assert all(name in table for name in names)
    made = orch("pipeline", "init", "mine", "--template", "translate_and_review")
    assert (made.code, made.out) == (0, "mine.yaml\n")
    assert Path("mine.yaml").read_text(encoding="utf-8").count("name: mine\n") == 1
    assert orch("pipeline", "validate", "mine.yaml").code == 0
    again = orch("pipeline", "init", "mine")
    assert again.code == 2
    assert "exists already" in again.err


def test_inputs_of_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "inputs.json"
    file.write_text('{"a": [1], "b": "file"}', encoding="utf-8")
    assert parse_inputs(("b=before", f"@{file}", "c=x=y", "d=")) == {"a": [1], "b": "file", "c": "x=y", "d": ""}
    for wrong in ("plain", "=x", "@nowhere.json"):
        with pytest.raises(UserInputError):
            parse_inputs((wrong,))
    file.write_text("[1]", encoding="utf-8")
    with pytest.raises(UserInputError, match="JSON object"):
        parse_inputs((f"@{file}",))


def test_help_is_instant_and_complete() -> None:
    outcome = orch("pipeline", "--help")
    for command in ("validate", "run", "list", "show", "trace", "templates", "init"):
        assert re.search(rf"^  {command}  +\S", outcome.out, flags=re.MULTILINE), command

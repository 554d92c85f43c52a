"""`start --dry-run`: what a project may cost, said without a server, a worker, a model or a cent."""

from pathlib import Path

import pytest

from cli.dryrun import parse_dry_run
from tests.cli.command import orch

TEXTS = ("--project", "Implement a Python rate limiter using decorators", "--criteria", "pytest passes")
KEYED = {"DEEPSEEK_API_KEY": "no-key", "ANTHROPIC_API_KEY": "no-key"}
KEYS = {
    "dry_run", "project_id", "spent_usd", "max_usd", "time_limit_s", "simulated", "vendors", "cost_usd", "cost_risk",
    "wall_s", "time_risk", "calls", "input_tokens", "output_tokens", "assumptions", "stages", "tasks",
    "critical_path", "mermaid", "next",
}  # fmt: skip
STAGE_KEYS = {"stage", "models", "possible_models", "calls", "input_tokens", "output_tokens", "cost_usd", "basis"}
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "orch-home"
    monkeypatch.setenv("ORCH_HOME", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


def test_an_estimate_spends_and_starts_nothing(home: Path) -> None:
    outcome = orch("start", *TEXTS, "--dry-run", "--json", environment=KEYED)
    assert outcome.code == 0, outcome.err
    made = outcome.object
    assert set(made) == KEYS
    stages = ["enhance", "advise", "plan", "generate", "critique", "revise", "evaluate", "repair"]
    assert [stage["stage"] for stage in made["stages"]] == stages
    assert all(set(stage) == STAGE_KEYS and stage["basis"] for stage in made["stages"])
    assert (made["dry_run"], made["project_id"], made["spent_usd"], made["simulated"]) == ("estimate", None, 0, False)
    cost = made["cost_usd"]
    assert 0 < cost["low"] < cost["expected"] < cost["high"]
    for name, whole in cost.items():
        assert sum(stage["cost_usd"][name] for stage in made["stages"]) == pytest.approx(whole, abs=1e-9)
    asked = {model.split(":")[0] for stage in made["stages"] for model in stage["possible_models"]}
    assert asked == {"deepseek", "anthropic"}
    assert not (home / "temporal").exists()
    assert not (home / "worker.json").exists()
    assert not (home / "runs").exists()


def test_an_estimate_for_a_reader_names_its_basis() -> None:
    outcome = orch("start", *TEXTS, "--dry-run", environment=KEYED)
    assert outcome.code == 0, outcome.err
    assert "7 tasks assumed from 9 words of text" in outcome.out
    assert "1.3 iterations" in outcome.out
    assert "per million tokens in/out" in outcome.out
    assert "orch-cli start --dry-run=plan" in outcome.out


def test_a_cap_that_nothing_fits_is_named_as_such() -> None:
    outcome = orch("start", *TEXTS, "--budget", "0.000001", "--dry-run", "--json", environment=KEYED)
    assert outcome.code == 0, outcome.err
    assert outcome.object["cost_risk"] == "cannot fit"


def test_without_keys_the_simulated_models_are_reckoned_with() -> None:
    made = orch("start", *TEXTS, "--dry-run", "--json").object
    assert (made["simulated"], made["cost_risk"]) == (True, "fits")
    assert set(made["cost_usd"].values()) == {0}


def test_with_a_configured_temporal_the_worker_decides() -> None:
    elsewhere = {"TEMPORAL_ADDRESS": "127.0.0.1:1"}
    assert "the worker decides" in orch("start", *TEXTS, "--dry-run", environment=elsewhere).out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(("--dry-run=all",), "--dry-run: must be 'plan'", id="value"),
        pytest.param(("--dry-run", "--detach"), "--detach: cannot be given", id="detach"),
        pytest.param(("--dry-run", "plan"), "plan", id="blank instead of ="),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: tuple[str, ...], says: str) -> None:
    outcome = orch("start", *TEXTS, *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert says in outcome.err


def test_a_project_that_exists_cannot_be_forecast_by_resuming_it() -> None:
    outcome = orch("start", "--resume", "some-project", "--dry-run")
    assert (outcome.code, outcome.out) == (2, "")
    assert "--dry-run: cannot be given with --resume" in outcome.err


def test_help_shows_both_forms() -> None:
    shown = " ".join(orch("start", "--help").out.split())
    assert "--dry-run [=plan]" in shown
    assert "spend nothing. With =plan: pay for the plan" in shown


def test_every_key_is_documented() -> None:
    page = (ROOT / "docs" / "dry-run.md").read_text(encoding="utf-8")
    assert {key for key in KEYS | STAGE_KEYS if f"`{key}`" not in page} == set()


def test_values_are_read_whatever_their_case() -> None:
    assert parse_dry_run(" Plan ").value == "plan"

"""Commands about batches that need no run: what a command line and a batch file can get wrong, and how one is told."""

from pathlib import Path

import pytest

from cli.batch_results import markdown_report, most_telling, report_lines, result_object, summary
from orchestrator.contracts.batch import BatchProjectView, BatchView
from orchestrator.domain.outcome import ProjectStatus
from tests.cli.command import orch

PROJECT = "project: Write it\ncriteria: It is there\n"


@pytest.fixture(autouse=True)
def _home_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCH_HOME", str(tmp_path / "orch-home"))


def project(key: str, status: str, **more: object) -> BatchProjectView:
    given = {"project_id": f"b-{key}", "title": "Write | it", "status": status, "max_micro": 1_000_000, **more}
    return BatchProjectView.model_validate({"key": key, **given})


def view(*projects: BatchProjectView, **more: object) -> BatchView:
    given = {
        "batch_id": "b",
        "workflow_id": "batch-b",
        "name": "nightly",
        "status": ProjectStatus.RUNNING,
        "max_micro": 5_000_000,
        "concurrency": 2,
        "started_s": 0.0,
        "projects_total": len(projects),
        "projects": projects,
        **more,
    }
    return BatchView.model_validate(given)


def test_what_is_wrong_is_said_before_anything_starts() -> None:
    Path("dear.yaml").write_text(PROJECT, encoding="utf-8")
    Path("batch.yaml").write_text("budget: 1\nprojects:\n- {file: dear.yaml, budget: 2}\n", encoding="utf-8")
    outcome = orch("batch", "run", "batch.yaml")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == (
        "error: batch.yaml:3:29: projects[0].budget: its budget of $2.00 is above the $1.00 of the whole batch\n"
    )
    for arguments, words in (
        (("run", "none.yaml"), "none.yaml: cannot be read"),
        (("run", "dear.yaml", "--budget", "0"), "--budget: must be a number of USD greater than 0"),
        (("run", "dear.yaml", "--concurrency", "65"), "--concurrency: must be a whole number from 1 to 64"),
        (("run",), "Missing argument"),
        (("status", "../x"), "'../x' is no id of a batch"),
    ):
        outcome = orch("batch", *arguments)
        assert outcome.code == 2
        assert words in outcome.err
    assert not Path("orch-home").exists()


def test_projects_under_way_are_shown_rather_than_others() -> None:
    ended = [project(f"e{number}", "SUCCESS") for number in range(3)]
    running = project("r", "RUNNING", started_s=1.0)
    waiting = [project(f"w{number}", "PENDING") for number in range(3)]
    assert [one.key for one in most_telling([*ended, running, *waiting], 3)] == ["r", "w0", "w1"]


def test_a_long_batch_is_cut_in_its_status_and_whole_in_its_report() -> None:
    found = view(*(project(f"p{number}", "PENDING") for number in range(70)))
    assert summary(found)[-1] == "  … and 10 more projects: 'orch-cli batch report b'"
    assert len([line for line in report_lines(found) if "b-p" in line]) == 70


def test_money_and_trouble_are_told() -> None:
    lost = project("a", "SYSTEM_FAILURE", spent_micro=10, uncertain_micro=20, reason="its run was terminated")
    found = view(lost, reserved_micro=5, uncertain_micro=20, spent_micro=10, notes=("look here",), schedule="nightly")
    text = "\n".join(report_lines(found))
    assert "$0.00001 of $5.00, $0.000005 reserved, $0.00002 uncertain" in text
    assert "its run was terminated" in text
    assert "look here" in text
    assert result_object(found)["projects"][0]["uncertain_usd"] == 0.00002


def test_markdown_cannot_be_broken_by_a_title() -> None:
    report = markdown_report(view(project("a", "PENDING")))
    rows = [line for line in report.splitlines() if line.startswith("|")]
    assert {row.count("|") for row in rows} == {8}
    assert "Write   it" in rows[2]

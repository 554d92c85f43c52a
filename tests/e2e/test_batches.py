"""Batches by the real command line: one budget, results, a detached command, pause and resume."""

import os
import signal
from pathlib import Path

from orchestrator.domain.money import micro
from orchestrator.testing.project_script import ProjectScript, chain
from tests.e2e.theatre import Theatre, project_id

PROJECT = "project: Write {name}\ncriteria: It is done\nenhance: off\nadvise: false\n"


def write(theatre: Theatre, *names: str) -> Path:
    """A folder of project files and a batch file that lists them."""
    folder = theatre.installation.folder / "-".join(("batch", *names))
    folder.mkdir()
    for name in names:
        (folder / f"{name}.yaml").write_text(PROJECT.format(name=name), encoding="utf-8")
    listed = "".join(f"- {name}.yaml\n" for name in names)
    text = f"name: nightly\nbudget: 6\nconcurrency: 2\nprojects:\n{listed}"
    (folder / "batch.yaml").write_text(text, encoding="utf-8")
    return folder


def test_a_batch_from_files_to_software(theatre: Theatre) -> None:
    theatre.play(ProjectScript(tasks=chain(2)).reply)
    folder = write(theatre, "good", "poor", "fine")
    with (folder / "poor.yaml").open("a", encoding="utf-8") as file:
        file.write("budget: 0.000001\n")
    command = theatre.command("batch", "run", str(folder / "batch.yaml"), "--json")
    outcome = command.wait()
    assert outcome.code == 5, outcome.err
    batch = outcome.object
    assert (batch["status"], batch["name"], batch["projects_done"]) == ("BUDGET_EXHAUSTED", "nightly", 3)
    assert [one["status"] for one in batch["projects"]] == ["SUCCESS", "BUDGET_EXHAUSTED", "SUCCESS"]
    assert [one["max_usd"] for one in batch["projects"]] == [2.0, 0.000001, 2.0]
    assert micro(batch["spent_usd"]) == theatre.billed_micro() > 0
    assert batch["uncertain_usd"] == batch["reserved_usd"] == 0

    known = batch["batch_id"]
    assert theatre.ask("batch", "report", known).object == batch
    row = next(one for one in theatre.ask("batch", "list").object["batches"] if one["batch_id"] == known)
    assert (row["projects_done"], row["projects_total"], row["max_usd"]) == (3, 3, 6.0)
    listed = {one["project_id"]: one["batch"] for one in theatre.ask("list").object["projects"]}
    assert listed[f"{known}-good"] == known


def test_a_batch_is_left_alone_paused_resumed_and_watched(theatre: Theatre) -> None:
    theatre.play(ProjectScript(tasks=chain(2), latency_ms=700).reply)
    folder = write(theatre, "one", "two")
    command = theatre.command("batch", "run", str(folder / "one.yaml"), str(folder / "two.yaml"), "--budget", "3")
    batch = project_id(command).split(":")[0]
    theatre.wait_for(lambda: bool(theatre.stage("generate")))
    os.kill(command.process.pid, signal.SIGINT)
    outcome = command.wait()
    assert outcome.code == 130
    assert f"orch-cli batch watch {batch}" in outcome.err
    paused = theatre.ask("batch", "pause", batch, "--reason", "lunch").object
    assert (paused["status"], paused["reason"]) == ("PAUSED", "lunch")
    theatre.wait_for(lambda: all(record.ended_s for record in theatre.requests))
    assert theatre.ask("batch", "resume", batch).object["status"] == "RUNNING"
    watched = theatre.ask("batch", "watch", batch)
    assert watched.code == 0, watched.err
    assert micro(watched.object["spent_usd"]) == theatre.billed_micro()

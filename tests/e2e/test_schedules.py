"""Schedules by the real command line: what runs, when, for how much, and where its results go."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.main import run
from orchestrator.testing.installation import Outcome
from orchestrator.testing.project_script import ProjectScript, ScriptedTask
from tests.e2e.theatre import DEADLINE_S, WEBHOOK_SECRET, Theatre
from tests.receiver import receiving

FILE = """\
project: {text}
criteria: It is done
budget: 1.0
enhance: off
advise: false
"""
QUICK = ProjectScript(tasks=(ScriptedTask(id="only", files={"only.txt": "done\n"}),))
SLOW = ProjectScript(tasks=(ScriptedTask(id="only", files={"only.txt": "done\n"}),), latency_ms=20_000)


class Scheduled:
    """One schedule of a test, and what its file says. Only its creation is a process of its own, long gone later."""

    def __init__(self, theatre: Theatre, name: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.theatre = theatre
        self.name = name
        self.file = theatre.installation.folder / f"{name}.yaml"
        self._capsys = capsys
        self.write("As it was")

    def write(self, text: str, more: str = "") -> None:
        self.file.write_text(FILE.format(text=text) + more, encoding="utf-8")

    def create(self, *options: str) -> dict[str, Any]:
        given = ("--file", str(self.file), "--every", "30d", *options)
        outcome = self.theatre.ask("schedule", "create", self.name, *given)
        assert outcome.code == 0, outcome.err
        return outcome.object

    def ask(self, *arguments: str) -> Outcome:
        code = run([*arguments, "--json"])
        return Outcome(code, *self._capsys.readouterr())

    def do(self, verb: str, *options: str) -> dict[str, Any]:
        outcome = self.ask("schedule", verb, self.name, *options)
        assert outcome.code == 0, outcome.err
        return outcome.object

    def trigger(self) -> str:
        batch_id = self.do("trigger")["batch_id"]
        assert batch_id
        return str(batch_id)

    def ended(self, batch_id: str) -> dict[str, Any]:
        """The batch's result, once it has one."""
        return self.ask("batch", "watch", batch_id).object

    def until(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        deadline = time.monotonic() + DEADLINE_S
        while not condition(view := self.do("show")):
            assert time.monotonic() < deadline, view
        return view


@pytest.fixture
def nightly(
    theatre: Theatre,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Scheduled]:
    for name, value in theatre.installation.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(theatre.installation.folder)
    theatre.play(QUICK.reply)
    scheduled = Scheduled(theatre, request.node.name.replace("_", "-")[5:65].strip("-"), capsys)
    yield scheduled
    scheduled.ask("schedule", "delete", scheduled.name)


def test_a_schedule_runs_what_its_file_said_and_delivers_it(nightly: Scheduled) -> None:
    with receiving() as receiver:
        receiver.statuses = [503, 204]
        made = nightly.create("--output-dir", "nightly/%Y-%m-%d", "--webhook", receiver.url)
        nightly.write("Changed since")
        result = nightly.ended(nightly.trigger())
    assert result["status"] == "SUCCESS", result
    asked = " ".join(record.request.prompt for record in nightly.theatre.requests)
    assert "As it was" in asked and "Changed since" not in asked
    [run] = nightly.do("show")["runs"]
    assert run["status"] == "SUCCESS" and run["sha256"] == made["sha256"] and run["spent_usd"] == result["spent_usd"]
    [project] = run["projects"]
    written = Path(project["output_dir"])
    assert (written / "only.txt").read_text() == "done\n" and written.name == time.strftime("%Y-%m-%d", time.gmtime())
    first, again = receiver.requests
    assert first[1] == again[1], "the message is the same each time"
    headers, body = again
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(WEBHOOK_SECRET.removeprefix("whsec_"))
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"
    message = json.loads(body)
    assert message["type"] == "batch.finished" and message["data"]["status"] == "SUCCESS"
    assert message["data"]["projects"][0]["output_dir"] == str(written)
    fetched = nightly.theatre.installation.folder / "fetched"
    exported = nightly.ask("export", run["batch_id"], "--output-dir", str(fetched))
    assert exported.code == 0, exported.err
    assert (fetched / nightly.name[:40].strip("-") / "only.txt").is_file()
    assert nightly.do("update", "--file", str(nightly.file))["sha256"] != made["sha256"]


def test_a_schedule_is_paused_resumed_changed_and_deleted(nightly: Scheduled) -> None:
    made = nightly.create("--paused", "--timezone", "Europe/Berlin", "--jitter", "1s", "--catchup", "6h")
    assert made["paused"] and made["jitter_s"] == 1 and made["catchup_s"] == 21_600 and made["overlap"] == "skip"
    assert not nightly.do("resume")["paused"]
    paused = nightly.do("pause", "--reason", "holidays")
    assert paused["paused"] and paused["note"].endswith(": holidays")
    changed = nightly.do("update", "--cron", "30 2 * * mon-fri", "--cron", "@monthly", "--overlap", "buffer")
    assert changed["when"] == ["30 2 * * mon-fri", "@monthly"] and changed["overlap"] == "buffer"
    assert changed["paused"] and changed["timezone"] == "Europe/Berlin" and changed["sha256"] == made["sha256"]
    nightly.write("New", "deliver: {output_dir: from-file}\n")
    told = nightly.do("update", "--file", str(nightly.file), "--webhook", "http://127.0.0.1:9/")
    assert told["webhook"] and told["sha256"] != made["sha256"]
    assert not nightly.do("update", "--webhook", "")["webhook"]
    assert all(moment[11:16] in ("00:00", "02:30") for moment in changed["next"])
    again = nightly.ask("schedule", "create", nightly.name, "--every", "1h", "--file", str(nightly.file))
    assert again.code == 2 and "already" in again.err
    assert nightly.do("delete")["deleted"]
    for verb in ("show", "trigger", "pause", "delete"):
        gone = nightly.ask("schedule", verb, nightly.name)
        assert gone.code == 2 and len(gone.err.splitlines()) == 1 and "there is no schedule" in gone.err


def test_what_was_missed_is_run_later_under_its_own_date(nightly: Scheduled) -> None:
    nightly.create("--paused", "--output-dir", "missed/%Y-%m-%d")
    nightly.do("update", "--cron", "0 12 * * *")
    nightly.do("backfill", "--from", "2026-11-17", "--to", "2026-11-18T23:00")
    view = nightly.until(lambda seen: [run["status"] for run in seen["runs"]] == ["SUCCESS"] * 2)
    assert [run["scheduled"][:16] for run in view["runs"]] == ["2026-11-18T12:00", "2026-11-17T12:00"]
    folders = [Path(run["projects"][0]["output_dir"]).name for run in view["runs"]]
    assert folders == ["2026-11-18", "2026-11-17"]
    named = nightly.ask("schedule", "list").object["schedules"]
    assert nightly.name in [row["name"] for row in named]


def test_a_month_that_is_spent_starts_nothing(nightly: Scheduled) -> None:
    nightly.create("--budget-per-month", "1.0001")
    first = nightly.ended(nightly.trigger())
    assert first["status"] == "SUCCESS" and first["spent_usd"] > 0.0001
    asked = len(nightly.theatre.requests)
    second = nightly.ended(nightly.trigger())
    assert second["status"] == "BUDGET_EXHAUSTED" and nightly.name in second["reason"]
    assert len(nightly.theatre.requests) == asked
    assert nightly.do("show")["month_spent_usd"] == first["spent_usd"]
    nightly.do("update", "--budget-per-month", "3")
    assert nightly.ended(nightly.trigger())["status"] == "SUCCESS"


def test_a_later_run_cancels_an_earlier_one_and_its_projects(nightly: Scheduled) -> None:
    nightly.create("--overlap", "cancel")
    nightly.theatre.play(SLOW.reply)
    first = nightly.trigger()
    nightly.theatre.wait_for(lambda: len(nightly.theatre.requests) > 0)
    nightly.theatre.play(QUICK.reply)
    second = nightly.trigger()
    ended = nightly.ended(first)
    assert ended["status"] == "CANCELLED"
    assert [project["status"] for project in ended["projects"]] == ["CANCELLED"]
    assert nightly.ended(second)["status"] == "SUCCESS"


def test_a_trigger_that_is_left_out_or_waits_says_so(nightly: Scheduled) -> None:
    nightly.create()
    nightly.theatre.play(SLOW.reply)
    first = nightly.trigger()
    assert nightly.do("trigger")["batch_id"] is None
    assert nightly.do("show")["skipped"] == 1
    nightly.do("update", "--overlap", "buffer")
    assert nightly.do("trigger")["batch_id"] is None and nightly.do("show")["waiting"] == 1
    nightly.theatre.play(QUICK.reply)
    assert nightly.ask("batch", "cancel", first).code == 0
    nightly.until(lambda seen: [run["status"] for run in seen["runs"]] == ["SUCCESS", "CANCELLED"])

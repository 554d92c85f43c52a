"""Deliveries: what a pattern of dates gives, what a webhook receives, and what a worker refuses to do."""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import select
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.delivery import DeliveryActivities
from orchestrator.artifacts.manifest import Manifest, put_files, write_manifest
from orchestrator.artifacts.month_ledger import MonthLedger
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.artifacts.summary import write_summary
from orchestrator.contracts.delivery import Delivery, ExportInput, FinishedRun, HookInput, MonthInput, ScheduleTerms
from orchestrator.contracts.project import ProjectStatus, ProjectView
from orchestrator.domain.delivery import check_date_pattern, check_webhook, dated, host_allowed
from orchestrator.domain.errors import UserInputError
from orchestrator.domain.refs import BlobRef, FileRef
from orchestrator.settings import Settings, load_settings
from orchestrator.settings.delivery import grant_output
from tests.receiver import Receiver, receiving

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
RUN = FinishedRun(
    kind="project",
    id="p1",
    workflow_id="project-p1",
    status=ProjectStatus.SUCCESS,
    spent_micro=1_500_000,
    max_micro=2_000_000,
)
AT_S = datetime(2026, 11, 21, 23, 30, tzinfo=UTC).timestamp()


def settings(tmp_path: Path, **environment: str) -> Settings:
    return load_settings({"ORCH_HOME": str(tmp_path / "orch"), **environment})


def worker(tmp_path: Path, **environment: str) -> DeliveryActivities:
    return DeliveryActivities(ArtifactStore.open("memory://"), settings(tmp_path, **environment))


def run_hook(activities: DeliveryActivities, delivery: Delivery, run: FinishedRun = RUN) -> None:
    hook = activities.webhook if delivery.webhook else activities.command
    asyncio.run(ActivityEnvironment().run(hook, HookInput(delivery=delivery, run=run, ended_s=AT_S)))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as given:
        yield given


def test_a_date_is_that_of_the_time_zone() -> None:
    assert dated("results/%Y-%m-%d", datetime(2026, 11, 21)) == "results/2026-11-21"
    assert dated("r/%G-W%V/100%%", datetime(2026, 11, 21)) == "r/2026-W47/100%"


@pytest.mark.parametrize("pattern", ["", " ", "a/%q", "a/%", "../%Y", "a/../b", "a\nb", "a/%Ey"])
def test_a_pattern_is_a_path_with_dates_and_nothing_else(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"part of a date|empty|'\.\.'|one printable line"):
        check_date_pattern(pattern)


NO_ADDRESSES = [
    *("", "ftp://h/x", "https://", "http://h/a b", "http://h:0/", "https://h:99999/", "http://[x/", "file:///x"),
    *("https://user:pw@h/", "http://a@b", "http://a.example\\@evil.example/"),
]


@pytest.mark.parametrize("url", NO_ADDRESSES)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must"):
        check_webhook(url)


def test_hosts_are_limited_by_name_or_domain() -> None:
    allowed = ("hooks.example.com", ".internal.example")
    assert host_allowed("Hooks.Example.com", allowed) and host_allowed("ci.internal.example", allowed)
    assert not host_allowed("evil-hooks.example.com", allowed) and not host_allowed("internal.example", allowed)
    assert host_allowed("anything", ())


def test_a_webhook_receives_a_signed_message(receiver: Receiver, tmp_path: Path) -> None:
    run_hook(worker(tmp_path, ORCH_WEBHOOK_SECRET=SECRET), Delivery(webhook=receiver.url))
    [(headers, body)] = receiver.requests
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(b"k" * 32, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    message = json.loads(body)
    assert message["type"] == "project.finished" and message["timestamp"] == "2026-11-21T23:30:00+00:00"
    assert message["data"]["id"] == "p1" and message["data"]["spent_usd"] == 1.5
    assert message["data"]["status"] == "SUCCESS"


@pytest.mark.parametrize(
    "status, retried", [(500, True), (503, True), (429, True), (404, False), (400, False), (302, False)]
)
def test_what_may_pass_is_tried_again(status: int, retried: bool, receiver: Receiver, tmp_path: Path) -> None:
    receiver.statuses = [status]
    with pytest.raises(ApplicationError, match=f"http://127.0.0.1 answered {status}") as refused:
        run_hook(worker(tmp_path, ORCH_WEBHOOK_SECRET=SECRET), Delivery(webhook=receiver.url))
    assert refused.value.non_retryable is not retried
    assert len(receiver.requests) == 1  # a redirect is not followed
    assert "hidden" not in str(refused.value)


def test_a_receiver_that_is_down_is_tried_again(tmp_path: Path) -> None:
    with pytest.raises(ApplicationError, match="gave no answer") as refused:
        run_hook(worker(tmp_path, ORCH_WEBHOOK_SECRET=SECRET), Delivery(webhook="http://127.0.0.1:9/hidden"))
    assert not refused.value.non_retryable and "hidden" not in str(refused.value)


@pytest.mark.parametrize(
    "environment", [{}, {"ORCH_WEBHOOK_SECRET": SECRET, "ORCH_WEBHOOK_HOSTS": "hooks.example.com"}]
)
def test_a_worker_calls_no_webhook_that_its_environment_does_not_allow(
    environment: dict[str, str], receiver: Receiver, tmp_path: Path
) -> None:
    with pytest.raises(ApplicationError, match="ORCH_WEBHOOK") as refused:
        run_hook(worker(tmp_path, **environment), Delivery(webhook=receiver.url))
    assert refused.value.non_retryable and not receiver.requests


def script(tmp_path: Path, text: str) -> str:
    path = tmp_path / "hook"
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o755)
    return str(path)


def test_a_command_gets_the_message_and_no_key(tmp_path: Path) -> None:
    program = script(
        tmp_path,
        "import os, sys, json\n"
        "seen = [sys.argv[1:], dict(os.environ), sys.stdin.read()]\n"
        f"open({str(tmp_path / 'seen')!r}, 'w').write(json.dumps(seen))\n",
    )
    keys = {"OPENAI_API_KEY": "sk-1", "ORCH_WEBHOOK_SECRET": SECRET, "ORCH_ENCRYPTION_KEYS": ""}
    activities = worker(tmp_path, ORCH_HOOK_COMMANDS=f"/bin/false:{program}", PATH="/usr/bin:/bin", **keys)
    run_hook(activities, Delivery(command=(program, "$HOME", "; id")))
    arguments, environment, given = json.loads((tmp_path / "seen").read_text())
    assert arguments == ["$HOME", "; id"]
    assert environment["ORCH_RUN_STATUS"] == "SUCCESS" and not environment.keys() & keys.keys()
    assert json.loads(given)["data"]["id"] == "p1"


def test_a_command_runs_only_where_the_worker_names_it(tmp_path: Path) -> None:
    program = script(tmp_path, f"open({str(tmp_path / 'ran')!r}, 'w')")
    for allowed in ("", "/bin/false", str(tmp_path)):
        with pytest.raises(ApplicationError, match="ORCH_HOOK_COMMANDS"):
            run_hook(worker(tmp_path, ORCH_HOOK_COMMANDS=allowed), Delivery(command=(program,)))
    assert not (tmp_path / "ran").exists()


def test_a_command_that_fails_says_so_in_one_line(tmp_path: Path) -> None:
    program = script(tmp_path, "import sys; print('first'); sys.exit('\\x1b[31mno such channel')")
    with pytest.raises(ApplicationError, match=r"exited with 1: no such channel$"):
        run_hook(worker(tmp_path, ORCH_HOOK_COMMANDS=program), Delivery(command=(program,)))


def test_children_of_a_command_do_not_outlive_it(tmp_path: Path) -> None:
    program = script(
        tmp_path,
        "import subprocess, sys\n"
        "child = subprocess.Popen(['/bin/sleep', '600'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        f"open({str(tmp_path / 'child')!r}, 'w').write(str(child.pid))\n",
    )
    run_hook(worker(tmp_path, ORCH_HOOK_COMMANDS=program), Delivery(command=(program,)))
    with suppress(ProcessLookupError):  # gone already
        child = os.pidfd_open(int((tmp_path / "child").read_text()))
        ended, _, _ = select.select([child], [], [], 10.0)
        os.close(child)
        assert ended


async def published(store: ArtifactStore, project_id: str) -> BlobRef:
    refs = await put_files(store, {"app.py": b"print(1)\n"})
    view = ProjectView(
        project_id=project_id,
        workflow_id=f"project-{project_id}",
        status=ProjectStatus.SUCCESS,
        spent_micro=0,
        uncertain_micro=0,
        reserved_micro=0,
        max_micro=1,
        quality_score=None,
        calls=0,
        elapsed_s=0.0,
        simulated=True,
    )
    summary = await store.put(write_summary(view, [], refs))
    own = FileRef(path="summary.json", sha256=summary.sha256, size=summary.size)
    return await write_manifest(store, Manifest(files=(*refs, own)))


def write(tmp_path: Path, delivery: Delivery, projects: tuple[str, ...], **environment: str) -> list[Path]:
    store = ArtifactStore.open("memory://")
    activities = DeliveryActivities(store, settings(tmp_path, **environment))

    async def one(project_id: str) -> Path:
        request = ExportInput(project_id=project_id, manifest=await published(store, project_id), delivery=delivery)
        return Path((await ActivityEnvironment().run(activities.files, request)).folder)

    async def all_of_them() -> list[Path]:
        return [await one(project_id) for project_id in projects]

    return asyncio.run(all_of_them())


def test_files_go_below_the_root_by_the_date_of_the_time_zone(tmp_path: Path) -> None:
    delivery = Delivery(output_dir="nightly/%Y-%m-%d", folder="api", timezone="Europe/Berlin", at_s=AT_S)
    [folder] = write(tmp_path, delivery, ("p1",), ORCH_OUTPUT_ROOT=str(tmp_path / "out"))
    assert folder == tmp_path / "out/nightly/2026-11-22/api"
    assert (folder / "app.py").read_bytes() == b"print(1)\n"


def test_another_run_of_the_same_date_gets_a_folder_of_its_own_and_a_repeated_delivery_does_not(tmp_path: Path) -> None:
    delivery = Delivery(output_dir="%Y", at_s=AT_S)
    folders = write(tmp_path, delivery, ("p1", "p2", "p1", "p3"), ORCH_OUTPUT_ROOT=str(tmp_path))
    assert [folder.name for folder in folders] == ["2026", "2026-2", "2026", "2026-3"]


def test_a_users_file_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "2026").mkdir()
    (tmp_path / "2026/app.py").write_text("mine")
    [folder] = write(tmp_path, Delivery(output_dir="%Y", at_s=AT_S), ("p1",), ORCH_OUTPUT_ROOT=str(tmp_path))
    assert folder.name == "2026-2" and (tmp_path / "2026/app.py").read_text() == "mine"


@pytest.mark.parametrize("wanted", ["/nowhere/%Y", "a", "", "link/x"])
def test_files_go_nowhere_else(wanted: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path)
    environment = {} if wanted == "a" else {"ORCH_OUTPUT_ROOT": str(root)}
    with pytest.raises((ApplicationError, ValueError)):
        write(tmp_path, Delivery(output_dir=wanted, at_s=AT_S), ("p1",), **environment)


def test_what_the_user_of_this_machine_granted_may_be_written(tmp_path: Path) -> None:
    pattern = str(tmp_path / "results/%Y")
    with pytest.raises(ApplicationError, match="ORCH_OUTPUT_ROOT"):
        write(tmp_path, Delivery(output_dir=pattern, at_s=AT_S), ("p1",))
    grant_output(tmp_path / "orch", pattern)
    assert write(tmp_path, Delivery(output_dir=pattern, at_s=AT_S), ("p1",)) == [tmp_path / "results/2026"]


@pytest.mark.parametrize(
    "name, value",
    [("ORCH_WEBHOOK_SECRET", "whsec_!"), ("ORCH_HOOK_COMMANDS", "sh"), ("ORCH_OUTPUT_ROOT", "results")],
)
def test_a_setting_that_cannot_be_used_is_named(name: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match=name):
        settings(tmp_path, **{name: value})


def month(batch_id: str, micro: int, at_s: float = AT_S) -> MonthInput:
    terms = ScheduleTerms(name="nightly", timezone="Europe/Berlin", month_micro=10)
    return MonthInput(terms=terms, batch_id=batch_id, at_s=at_s, wanted_micro=micro)


def test_a_month_is_shared_by_the_runs_of_a_schedule() -> None:
    async def scene() -> None:
        ledger = MonthLedger(ArtifactStore.open("memory://"), "default")
        assert (await ledger.reserve(month("a", 7))).granted_micro == 7
        assert (await ledger.reserve(month("b", 7))).granted_micro == 3
        assert (await ledger.reserve(month("a", 7))).granted_micro == 7  # asked again after a lost answer
        assert (await ledger.reserve(month("c", 7))).granted_micro == 0
        await ledger.settle(month("a", 2))
        assert (await ledger.reserve(month("d", 7))).granted_micro == 5
        december = datetime(2026, 11, 30, 23, 30, tzinfo=UTC).timestamp()  # in Berlin
        granted = await ledger.reserve(month("e", 7, december))
        assert granted.granted_micro == 7 and granted.month == "2026-12"

    asyncio.run(scene())


def test_batches_that_start_together_do_not_take_the_same_money() -> None:
    async def scene() -> None:
        ledger = MonthLedger(ArtifactStore.open("memory://"), "default")
        grants = await asyncio.gather(*(ledger.reserve(month(f"b{number}", 3)) for number in range(8)))
        assert sum(grant.granted_micro for grant in grants) == 10

    asyncio.run(scene())

"""With ORCH_ENCRYPTION_KEYS no text of a project can be read in the database, in the store or in a log."""

import asyncio
import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.client import Client, Schedule, ScheduleActionStartWorkflow, ScheduleSpec, ScheduleState

from orchestrator.client.binary import find_temporal
from orchestrator.client.connection import connect
from orchestrator.contracts.names import PROJECT_WORKFLOW, QUEUE_WORKFLOWS
from orchestrator.testing.installation import Installation, Outcome
from orchestrator.testing.project_script import ProjectScript, ScriptedTask
from orchestrator.testing.vendor_script import Reply, Rule
from orchestrator.testing.vendor_server import FakeVendorServer
from tests.e2e.theatre import Theatre, project_id, said

KEYS = {name: f"{name}:{base64.b64encode(bytes([number]) * 32).decode()}" for number, name in enumerate("ab", 1)}
# One word for each thing that somebody says, so that a leak tells where it comes from.
WORDS = {
    "project text": "zugzwang",
    "criteria": "quokka",
    "file name": "xylograph",
    "file content": "ocarina",
    "answer": "periwinkle",
    "failure": "thunderclap",
    "guidance": "marzipan",
    "pause": "hollyhock",
    "schedule": "jabberwock",
}


@pytest.fixture
def sealed(tmp_path: Path) -> Iterator[Theatre]:
    with FakeVendorServer() as vendors:
        variables = {**vendors.environment(("openai", "anthropic")), "ORCH_ENCRYPTION_KEYS": KEYS["a"]}
        installation = Installation(tmp_path, {**variables, "ORCHESTRATOR_LOG_LEVEL": "DEBUG"})
        try:
            yield Theatre(installation, vendors)
        finally:
            installation.close()


def test_no_text_of_a_project_can_be_read(sealed: Theatre) -> None:
    outcome = steered_run(sealed)
    asyncio.run(schedule(sealed.installation))
    leaks = [
        f"{what} in {path.relative_to(sealed.installation.home)}"
        for path in sealed.installation.home.rglob("*")
        if path.is_file()
        for what in found(path.read_bytes())
    ]
    assert not leaks, leaks
    run = outcome.object["project_id"]
    assert not found(run.encode()), "an id tells words of the project"
    exported = Path(outcome.object["output_dir"]) / f"{WORDS['file name']}.py"
    assert found(exported.read_bytes()) == ["file content"]

    assert {"project text", "file name", "answer"} <= set(found(decoded_history(sealed, run)))
    server = Path(f"/proc/{sealed.installation.server_pid()}/environ").read_bytes()
    assert KEYS["a"].encode() not in server, "the server holds the key to what it stores"
    rotate(sealed.installation, run)


def decoded_history(theatre: Theatre, run: str) -> bytes:
    """What Temporal's own command line shows of a run with the help of our codec server."""
    token = "a-token-of-enough-characters"
    server = theatre.command(
        *("codec-server", "--address", "127.0.0.1:0", "--ui-origin", "http://localhost:8233"),
        extra={"ORCH_CODEC_TOKEN": token},
    )
    endpoint = said(server, "http://").splitlines()[-1].rpartition(" ")[2]
    binary = find_temporal(theatre.installation.settings, lambda line: None)
    shown = subprocess.run(
        [
            *(str(binary), "workflow", "show", "--workflow-id", f"project-{run}", "--output", "json"),
            *("--address", theatre.installation.temporal_address()),
            *("--codec-endpoint", endpoint, "--codec-auth", f"Bearer {token}"),
        ],
        check=True,
        capture_output=True,
    )
    server.kill()
    return shown.stdout


def rotate(installation: Installation, run: str) -> None:
    """The next key comes, and the one that `run` was sealed with goes."""
    worker = installation.worker_pid()
    both = {"ORCH_ENCRYPTION_KEYS": f"{KEYS['b']},{KEYS['a']}"}
    later = installation.run("start", "-p", "Another tool", "-c", "It is done", "-N", "--json", extra=both)
    assert later.code == 0, later.err
    assert installation.worker_pid() != worker, "the worker still seals with the key that is to be given up"
    alone = {"ORCH_ENCRYPTION_KEYS": KEYS["b"]}
    assert installation.run("status", later.object["project_id"], extra=alone).code == 0
    for keys, complaint in ((alone, "holds only b"), ({"ORCH_ENCRYPTION_KEYS": ""}, "is not set")):
        refused = installation.run("status", run, extra=keys)
        assert (refused.code, refused.out) == (1, "")
        told = f"error: this data is sealed with encryption key 'a'; ORCH_ENCRYPTION_KEYS {complaint}\n"
        assert refused.err == told


def steered_run(theatre: Theatre) -> Outcome:
    """A project that fails, is paused, guided and resumed, and ends well."""
    name = WORDS["file name"]
    source = f'"""{WORDS["file content"].title()}."""\n'
    script = ProjectScript(
        tasks=(
            ScriptedTask(id="t01", files={f"{name}.py": source}, validators=("python_syntax",)),
            ScriptedTask(id="t02", dependencies=("t01",), files={f"{name}.txt": source}),
        ),
        rules=(
            Rule(reply=Reply(status=500, error_message=WORDS["failure"]), vendor="anthropic", first=1),
            Rule(
                reply=Reply(text=f'{{"score": 0.96, "reasoning": "{WORDS["answer"]}"}}'),
                vendor="openai",
                stage="evaluate",
            ),
        ),
    )
    theatre.play(script.reply)
    command = theatre.installation.begin(
        *("start", "--json", "--no-input", "--no-enhance", "--no-advise"),
        *("--project", f"A {WORDS['project text']} tool", "--criteria", f"It is {WORDS['criteria']}"),
        *("--output-dir", str(theatre.installation.folder / "out"), "--approve", "plan"),
    )
    run = project_id(command)
    said(command, f"orch-cli approve {run}")
    refused = theatre.installation.run("skip", run, "t99")
    assert refused.code == 2
    assert "t99" in refused.err, "the reason of a refused update is not opened"
    for arguments in (
        ("pause", run, "--reason", WORDS["pause"]),
        ("guide", run, WORDS["guidance"]),
        ("approve", run),
        ("resume", run),
    ):
        done = theatre.ask(*arguments)
        assert done.code == 0, done.err
    outcome = command.wait(60)
    assert outcome.code == 0, outcome.err
    assert any(WORDS["guidance"] in record.request.prompt for record in theatre.requests)
    return outcome


async def schedule(installation: Installation) -> None:
    """A schedule whose arguments, memo and summary tell something."""
    client: Client = await connect(installation.settings, print)
    words = f"the {WORDS['schedule']}"
    action = ScheduleActionStartWorkflow(
        PROJECT_WORKFLOW, words, id="s", task_queue=QUEUE_WORKFLOWS, memo={"said": words}, static_summary=words
    )
    await client.create_schedule("s", Schedule(action=action, spec=ScheduleSpec(), state=ScheduleState(paused=True)))


def found(content: bytes) -> list[str]:
    """What can be read in `content`, plain or as base64 at any of its three alignments."""
    low = content.lower()
    return [
        what
        for what, word in WORDS.items()
        if word.encode() in low
        or any(base64.b64encode(b"." * at + word.encode())[4 if at else 0 : -4] in content for at in range(3))
    ]

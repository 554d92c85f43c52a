"""Tools: what they say about files, and what they keep for the run."""

import asyncio
import json
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.boundary import ErrorBoundary
from activities.tools import ToolActivities
from orchestrator.artifacts.errors import ArtifactError, ArtifactUnavailableError
from orchestrator.artifacts.journal import Journal
from orchestrator.artifacts.manifest import write_draft
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.contracts.calls import CallKey, CallKind, CallResult
from orchestrator.contracts.tools import (
    CheckInput,
    CheckOutcome,
    InstallInput,
    InstallOutcome,
    PrepareInput,
    PrepareResult,
    ReconcileInput,
    ReconcileResult,
    StateInput,
)
from orchestrator.domain.apps import Dependencies, DependencyPolicy
from orchestrator.domain.findings import CheckStatus
from orchestrator.domain.money import Usage
from orchestrator.domain.tasks import Stage
from orchestrator.settings import load_settings
from orchestrator.validators.environments.ensure import Environments
from orchestrator.validators.sandbox import Sandbox
from orchestrator.validators.tools import ToolEnvironment

SECRET = "sk-test-0123456789abcdef"


def tools(store: ArtifactStore, folder: Path) -> ToolActivities:
    """Tools of a worker that cannot run code."""
    settings = load_settings({"HOME": str(folder), "ORCH_HOME": str(folder)}, folder)
    sandbox = Sandbox("", ToolEnvironment(settings), reason="none here")
    return ToolActivities(store, Journal(store, "worker-1"), sandbox, Environments(settings), ("acme", "sim-north"))


def test_texts_are_kept_and_abilities_told(tmp_path: Path) -> None:
    async def run() -> None:
        store = ArtifactStore.open("memory://")
        request = PrepareInput(project="Bäckerei", criteria="läuft")
        result: PrepareResult = await ActivityEnvironment().run(tools(store, tmp_path).prepare, request)
        assert await store.get(result.project) == "Bäckerei".encode()
        assert (result.vendors, result.sandbox) == (("acme", "sim-north"), "")

    asyncio.run(run())


def test_findings_are_counted_kept_and_summed_up(tmp_path: Path) -> None:
    async def run() -> None:
        store = ArtifactStore.open("memory://")
        old = await write_draft(store, {"a.py": b"x = (\n", "b.py": b"y = 1\n"})
        new = await write_draft(store, {"b.py": b"y = )\n"})
        request = CheckInput(drafts=(old, new), own=("b.py",), validators=("python_syntax", "pytest"))
        outcome: CheckOutcome = await ActivityEnvironment().run(tools(store, tmp_path).validate, request)
        assert [(v.validator, v.status, v.findings) for v in outcome.verdicts] == [
            ("python_syntax", CheckStatus.FAILED, 1),
            ("pytest", CheckStatus.UNCHECKED, 0),
        ]
        assert outcome.paths == ("b.py",)
        assert "b.py:1" in outcome.summary
        assert outcome.findings is not None
        findings = json.loads(await store.get(outcome.findings))
        assert len(findings) == 1

    asyncio.run(run())


def test_installing_tells_what_is_wrong_with_the_manifests(tmp_path: Path) -> None:
    async def run() -> None:
        store = ArtifactStore.open("memory://")
        old = await write_draft(store, {"requirements.txt": b"gone @ https://host.invalid/x\n"})
        new = await write_draft(
            store, {"requirements.txt": b"secret\n-e .\n", "a.py": b"import no_such_module_of_ours\n"}
        )
        request = InstallInput(drafts=(old, new), policy=DependencyPolicy(denied=("secret",)))
        outcome: InstallOutcome = await ActivityEnvironment().run(tools(store, tmp_path).install, request)
        assert (outcome.verdict.validator, outcome.verdict.status) == ("dependencies", CheckStatus.FAILED)
        assert outcome.paths == ("a.py", "requirements.txt")
        assert outcome.findings is not None
        found = json.loads(await store.get(outcome.findings))
        rules = [finding["rule"] for finding in found]
        assert rules == ["refused-option", "denied", "unknown-import"]
        nothing = InstallInput(drafts=(await write_draft(store, {"a.py": b"import os\n"}),))
        clean: InstallOutcome = await ActivityEnvironment().run(tools(store, tmp_path).install, nothing)
        assert (clean.verdict.status, clean.findings, clean.resolved) == (CheckStatus.PASSED, None, Dependencies())

    asyncio.run(run())


def test_the_last_state_is_kept_under_the_name_of_the_project(tmp_path: Path) -> None:
    async def run() -> None:
        store = ArtifactStore.open("memory://")
        for text in ("{}", '{"phase": 1}'):
            request = StateInput(
                spec_json="{}", namespace="default", project="p1", state_json=text, view_json=f"[{text}]"
            )
            await ActivityEnvironment().run(tools(store, tmp_path).save_state, request)
        assert await store.read_named("projects/default/p1/state.json") == b'{"phase": 1}'
        assert await store.read_named("projects/default/p1/view.json") == b'[{"phase": 1}]'

    asyncio.run(run())


def test_the_journal_knows_what_open_calls_cost(tmp_path: Path) -> None:
    async def run() -> None:
        store = ArtifactStore.open("memory://")
        journal = Journal(store, "worker-0")
        keys = [CallKey(namespace="n", project="p", task="t", stage=Stage.GENERATE, ask=ask) for ask in (1, 2, 3)]
        usage = Usage(input_tokens=7, output_tokens=3)
        for key in keys[:2]:
            await journal.begin(key, "digest")
        await journal.done(keys[0], "digest", CallResult(kind=CallKind.ANSWER, model="a:b", usage=usage))
        request = ReconcileInput(calls=tuple(key.text() for key in keys))
        result: ReconcileResult = await ActivityEnvironment().run(tools(store, tmp_path).reconcile, request)
        assert result.finished == {keys[0].text(): usage}

    asyncio.run(run())


@pytest.mark.parametrize(
    ("error", "retried"),
    [
        (ArtifactUnavailableError("disk full"), True),
        (ConnectionResetError("reset"), True),
        (ArtifactError("artifact 12 is missing"), False),
        (ValueError("a bug\nin two lines"), False),
    ],
)
def test_only_outages_of_the_store_are_tried_again(error: Exception, retried: bool) -> None:
    with pytest.raises(ApplicationError) as caught:
        asyncio.run(through_boundary(error))
    assert caught.value.non_retryable is not retried
    assert caught.value.type == type(error).__name__
    assert "\n" not in caught.value.message
    assert caught.value.__cause__ is None


def test_no_secret_passes_the_boundary() -> None:
    with pytest.raises(ApplicationError) as caught:
        asyncio.run(through_boundary(RuntimeError(f"key {SECRET} refused")))
    assert SECRET not in caught.value.message


async def through_boundary(error: Exception) -> None:
    class Failing(ActivityInboundInterceptor):
        """An activity that fails."""

        def __init__(self) -> None:
            pass

        async def execute_activity(self, input: ExecuteActivityInput) -> object:
            raise error

    boundary = ErrorBoundary([SECRET]).intercept_activity(Failing())

    async def function() -> None: ...

    given = ExecuteActivityInput(fn=function, args=[], executor=None, headers={})
    await ActivityEnvironment().run(boundary.execute_activity, given)

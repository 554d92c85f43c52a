"""Every history ever recorded replays: runs under way survive an upgrade."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from orchestrator.client.namespace import EMBEDDED_NAMESPACE
from orchestrator.client.plugin import OrchPlugin
from orchestrator.contracts.names import BATCH_WORKFLOW, PIPELINE_WORKFLOW, PROJECT_WORKFLOW
from orchestrator.settings import load_settings
from tests.replay.batch_scenes import BATCH_SCENES
from tests.replay.delivery_scenes import DELIVERY_SCENES
from tests.replay.pipeline_scenes import PIPELINE_SCENES
from tests.replay.recorded import HISTORIES, STORE, external_refs, load
from tests.replay.scenes import SCENES
from workflows.batch import BatchWorkflow
from workflows.pipeline import PipelineWorkflow
from workflows.project import ProjectWorkflow

RECORDED = sorted(HISTORIES.glob("*.json"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where the store of the recorded histories may be written to: what a workflow keeps today may be more."""
    return shutil.copytree(STORE, tmp_path_factory.mktemp("replay") / "store").as_uri()


def replay(history: WorkflowHistory, store: str) -> None:
    """Raises what the workflow, as it is now, has against the history."""
    workflows = [ProjectWorkflow, PipelineWorkflow, BatchWorkflow]
    plugin = OrchPlugin(load_settings({"ORCH_ARTIFACTS_URL": store}))
    replayer = Replayer(workflows=workflows, plugins=[plugin], namespace=EMBEDDED_NAMESPACE)
    asyncio.run(replayer.replay_workflow(history))


def test_each_behaviour_has_a_history() -> None:
    names = {path.stem for path in RECORDED}
    scenes = {*SCENES, *PIPELINE_SCENES, *BATCH_SCENES, *DELIVERY_SCENES}
    assert {scene for scene in scenes if scene in names or f"{scene}-1" in names} == scenes
    assert {"continue_as_new-1", "continue_as_new-2"} <= names


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_history_replays(path: Path, store: str) -> None:
    history = load(path)
    assert len(history.events) > 10, "the history is empty"
    started = history.events[0].workflow_execution_started_event_attributes
    special = {"pipeline": PIPELINE_WORKFLOW, "batch": BATCH_WORKFLOW}
    assert started.workflow_type.name == special.get(path.stem.split("_")[0], PROJECT_WORKFLOW)
    replay(history, store)


def test_payloads_outside_of_a_history_are_read() -> None:
    assert list(external_refs(load(HISTORIES / "large_input.json")))


def test_another_order_of_steps_is_noticed(store: str) -> None:
    path = HISTORIES / "success.json"
    changed = path.read_text(encoding="utf-8").replace('"name": "task.critique"', '"name": "task.evaluate"')
    history = WorkflowHistory.from_json(load(path).workflow_id, changed)
    with pytest.raises(NondeterminismError):
        replay(history, store)


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_history_tells_nothing_about_a_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "site-packages" not in text
    events = json.loads(text)["events"]
    identities = {
        value for event in events for part in event.values() if isinstance(part, dict)
        for name, value in part.items() if name == "identity"
    }  # fmt: skip
    assert identities <= {"recorder", "history-service", ""}
    assert path.stat().st_size < 300_000

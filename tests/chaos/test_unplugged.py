"""Runs with a key of every vendor, one of them unplugged in mid-run: nothing changes but the models that were used."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from orchestrator.artifacts.publish import project_name
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.catalog import catalog_here
from orchestrator.contracts.state import ProjectState
from orchestrator.domain.tasks import Stage
from orchestrator.settings.vendors import VENDORS
from orchestrator.testing.installation import Installation
from orchestrator.testing.project_script import ProjectScript, tree
from orchestrator.testing.vendor_script import Reply, VendorRequest
from orchestrator.testing.vendor_server import FakeVendorServer
from tests.chaos.invariants import Harm, require
from tests.e2e.theatre import DEADLINE_S, summary

ANSWERS_BEFORE = 1  # each vendor writes one first version; its revision finds nobody
TASKS = tree(len(VENDORS))
SCRIPT = ProjectScript(tasks=TASKS, revise=True)
REVISED = "revised "
OF_A_TASK = ("id", "title", "type", "status", "score", "iterations", "files")


def answer(request: VendorRequest) -> Reply:
    """As scripted; what was revised can be told from the first version."""
    reply = SCRIPT.reply(request)
    if request.stage != Stage.REVISE:
        return reply
    return reply.model_copy(update={"text": reply.text.replace("The text", f"The {REVISED}text")})


class Result(NamedTuple):
    """What a user gets from a run, whoever was asked."""

    code: int
    status: str
    quality: float
    tasks: list[dict[str, Any]]
    graph: dict[str, tuple[str, ...]]
    files: dict[str, str]


class Vendors:
    """One installation with a key of every vendor, each at a server of its own. Each writes one task of the project."""

    def __init__(self, folder: Path, servers: Mapping[str, FakeVendorServer]) -> None:
        self.servers = servers
        variables = {name: value for vendor in servers for name, value in servers[vendor].environment([vendor]).items()}
        self.installation = Installation(folder, variables)
        models = catalog_here(self.installation.settings).models
        self._authors = {
            task.id: next(model.id for model in models if model.vendor == vendor and model.prices)
            for task, vendor in zip(TASKS, servers, strict=True)
        }
        self._runs = 0

    def run(self) -> tuple[Result, dict[str, Any]]:
        """A project from start to end: what came of it, and its summary."""
        self._runs += 1
        folder = self.installation.folder / f"out-{self._runs}"
        file = self.installation.folder / f"project-{self._runs}.yaml"
        texts = {"project": f"Project {self._runs}", "criteria": "It is done", "budget": 50}
        file.write_text(yaml.safe_dump({**texts, "models": {"tasks": self._authors}}), encoding="utf-8")
        outcome = self.installation.run(
            "start", "-f", str(file), "--output-dir", str(folder), "--json", "--no-input", timeout_s=DEADLINE_S
        )
        assert outcome.out, outcome.err
        told = outcome.object
        result = Result(
            code=outcome.code,
            status=told["status"],
            quality=told["quality_score"],
            tasks=[{name: task[name] for name in OF_A_TASK} for task in told["tasks"]],
            graph=self._graph(told["project_id"]),
            files={path: (folder / path).read_text(encoding="utf-8") for task in TASKS for path in task.files},
        )
        return result, summary(told)

    def _graph(self, project_id: str) -> dict[str, tuple[str, ...]]:
        store = ArtifactStore.open(self.installation.settings.store_url)
        name = project_name("default", project_id, "state.json")
        data = asyncio.run(store.read_named(name))
        assert data is not None
        return {task.id: task.dependencies for task in ProjectState.model_validate_json(data).plan}

    def plug_in(self) -> None:
        """All vendors answer."""
        for server in self.servers.values():
            server.script = answer
            server.forget()


@pytest.fixture(scope="module")
def all_vendors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vendors]:
    with ExitStack() as stack:
        servers = {vendor: stack.enter_context(FakeVendorServer()) for vendor in VENDORS}
        vendors = Vendors(tmp_path_factory.mktemp("vendors"), servers)
        stack.callback(vendors.installation.close)
        yield vendors


@pytest.fixture
def vendors(all_vendors: Vendors) -> Vendors:
    all_vendors.plug_in()
    return all_vendors


@pytest.fixture(scope="module")
def undisturbed(all_vendors: Vendors) -> Result:
    all_vendors.plug_in()
    result, told = all_vendors.run()
    assert (result.code, result.status) == (0, "SUCCESS")
    assert all(REVISED in text for text in result.files.values())
    assert {model["id"].split(":")[0] for model in told["models"]} == set(VENDORS)
    return result


def overloaded(server: FakeVendorServer) -> Callable[[], None]:
    """From now on, after some answers, the vendor says 503. Returns how to end it."""

    def reply(request: VendorRequest) -> Reply:
        return answer(request) if len(server.requests) <= ANSWERS_BEFORE else Reply(status=503)

    server.script = reply
    return lambda: None


def unplugged(server: FakeVendorServer) -> Callable[[], None]:
    """After some answers nobody listens any more, and open connections are reset. Returns how to end it."""

    def pull() -> None:
        server.wait_for(lambda _: sum(r.complete for r in server.requests) >= ANSWERS_BEFORE, DEADLINE_S)
        server.refuse()

    hand = threading.Thread(target=pull)
    hand.start()

    def plug_in() -> None:
        hand.join()
        server.accept()

    return plug_in


WAYS = (overloaded, unplugged)
SAMPLED = ("openai", "gigachat", "ollama")
# Every vendor in both ways; in the sample three vendors of different wires, in one way.
CASES = [
    pytest.param(
        vendor,
        way,
        id=f"{vendor}-{way.__name__}",
        marks=[pytest.mark.sample] if vendor in SAMPLED and way is WAYS[number % 2] else [],
    )
    for number, vendor in enumerate(VENDORS)
    for way in WAYS
]


@pytest.mark.parametrize(("vendor", "fails"), CASES)
def test_one_vendor_less_changes_no_result_but_the_models(
    vendor: str, fails: Callable[[FakeVendorServer], Callable[[], None]], vendors: Vendors, undisturbed: Result
) -> None:
    mend = fails(vendors.servers[vendor])
    try:
        result, told = vendors.run()
    finally:
        mend()
    missed = any(note.startswith(f"{vendor} was out of service") for note in told["notes"])
    require(missed, Harm.WRONG_STATUS, f"nobody says that {vendor} was missed")
    require(result == undisturbed, Harm.LOST, f"not the same without {vendor}: {_difference(result, undisturbed)}")


def _difference(one: Result, other: Result) -> str:
    return ", ".join(name for name, a, b in zip(Result._fields, one, other, strict=True) if a != b)

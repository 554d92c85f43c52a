"""Whole runs of the real command line, as a collector and a probe see them."""

import json
import os
import re
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from orchestrator.client.processes import wait_until
from orchestrator.telemetry import spans as derived
from orchestrator.testing.installation import Installation, Outcome, kill_process
from orchestrator.testing.project_script import ProjectScript, wide
from orchestrator.testing.vendor_script import Reply, VendorRequest
from orchestrator.testing.vendor_server import FakeVendorServer
from tests.telemetry.collector import Collector, plain, running_collector

pytestmark = pytest.mark.embedded

SECRET_TEXT = "The zebra crossing of Ulm"  # of the project: nothing of it may be told
SCRIPT = ProjectScript(tasks=wide(3), latency_ms=30.0)
CLOCKS_S = 0.5  # the server's clock and the worker's are read at different moments


class Stage:
    """An installation whose worker is watched by a collector and a probe."""

    def __init__(self, folder: Path, collector: Collector, vendors: FakeVendorServer) -> None:
        self.collector, self.vendors = collector, vendors
        self.installation = Installation(
            folder,
            {
                **vendors.environment(),
                "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
                "OTEL_BSP_SCHEDULE_DELAY": "100",
                "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=test",
                "ORCH_HEALTH_ADDRESS": "127.0.0.1:0",
                "ORCH_LOG_FORMAT": "json",
            },
        )
        self._runs = 0

    def command(self) -> tuple[str, ...]:
        self._runs += 1
        texts = ("--project", f"{SECRET_TEXT} {self._runs}", "--criteria", "It is done")
        return ("start", *texts, "--no-enhance", "--no-advise", "--json", "--no-input", "--budget", "5")

    @property
    def log(self) -> list[dict[str, Any]]:
        """The worker's log. Every line must be one JSON object."""
        lines = (self.installation.home / "worker.log").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def get(self, path: str) -> tuple[int, str]:
        """What the youngest worker's health server says."""
        said = [re.search(r"health and metrics at (\S+)", line["message"]) for line in self.log]
        address = [found.group(1) for found in said if found][-1]
        try:
            with urllib.request.urlopen(f"{address}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def records(self, project: str) -> list[dict[str, Any]]:
        """The calls of a run as its books have them."""
        artifacts = self.installation.home / "artifacts"
        (view,) = (artifacts / "projects").glob(f"*/{project}/view.json")
        digest = json.loads(view.read_text())["records"]["sha256"]
        lines = (artifacts / "blobs" / digest[:2] / digest).read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def trace(self, project: str) -> list[WireSpan]:
        wanted = derived.trace_id("default", project).to_bytes(16, "big")
        return [span for span in self.collector.spans if span.trace_id == wanted]

    def told_trace(self, project: str, runs: int = 1) -> list[WireSpan]:
        """The trace, once the spans of all its runs have arrived, which are written last."""

        def told() -> bool:
            return sum(span.name == "project" for span in self.trace(project)) == runs

        self.collector.wait_for(lambda _: told())
        self.collector.wait_for(lambda _: sum(span.name.startswith("task ") for span in self.trace(project)) >= 3)
        return self.trace(project)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with running_collector() as collector, FakeVendorServer() as vendors:
        found = Stage(tmp_path_factory.mktemp("telemetry"), collector, vendors)
        try:
            yield found
        finally:
            found.installation.close()


def tokens(spans: list[WireSpan]) -> tuple[int, int]:
    told = [plain(span.attributes) for span in spans]
    return (
        sum(each.get("gen_ai.usage.input_tokens", 0) for each in told),
        sum(each.get("gen_ai.usage.output_tokens", 0) for each in told),
    )


def booked_tokens(records: list[dict[str, Any]]) -> tuple[int, int]:
    return sum(record["input_tokens"] for record in records), sum(record["output_tokens"] for record in records)


def seconds(span: WireSpan) -> tuple[float, float]:
    return span.start_time_unix_nano / 1e9, span.end_time_unix_nano / 1e9


def test_a_whole_run_is_one_tree_of_project_tasks_and_calls(stage: Stage) -> None:
    stage.vendors.script = SCRIPT.reply
    outcome = stage.installation.run(*stage.command())
    assert outcome.code == 0, outcome.err
    project = outcome.object["project_id"]
    spans = stage.told_trace(project)
    by_id = {span.span_id: span for span in spans}
    assert len(by_id) == len(spans), "a span was told twice"
    roots = [span for span in spans if not span.parent_span_id]
    assert [root.name for root in roots] == ["project"]
    tasks = [span for span in spans if span.name.startswith("task ")]
    calls = [span for span in spans if span.name.startswith("chat ")]
    assert len(roots) + len(tasks) + len(calls) == len(spans)
    assert {task.parent_span_id for task in tasks} == {roots[0].span_id}
    assert sorted(task.name for task in tasks) == ["task t01", "task t02", "task t03"]
    records = stage.records(project)
    assert len(calls) == len(records) > 9
    assert tokens(calls) == booked_tokens(records)
    for call in calls:
        told = plain(call.attributes)
        parent = by_id[call.parent_span_id]
        assert parent.name == ("project" if told["orch.task.id"] == "project" else f"task {told['orch.task.id']}")
        assert call.kind == WireSpan.SPAN_KIND_CLIENT
        began, ended = seconds(call)
        assert 0.03 <= ended - began < 5, "the vendor took 30 ms"
        assert seconds(parent)[0] - CLOCKS_S <= began <= ended <= seconds(parent)[1] + CLOCKS_S
    root = plain(roots[0].attributes)
    assert (root["orch.status"], root["orch.run.id"]) == ("SUCCESS", project)
    assert root["orch.cost.usd"] == pytest.approx(sum(record["cost_micro"] for record in records) / 1e6)
    assert roots[0].status.code == Status.STATUS_CODE_UNSET
    assert stage.collector.services == {"orch-worker"}


def test_no_text_of_the_project_and_no_key_is_told_or_logged(stage: Stage) -> None:
    """Of the run before."""
    keys = [value for name, value in stage.installation.environment.items() if name.endswith("_API_KEY")]
    log = (stage.installation.home / "worker.log").read_bytes()
    assert keys
    assert stage.collector.bodies
    for text in (SECRET_TEXT, "says something", *keys):
        assert not any(text.encode() in body for body in stage.collector.bodies), text
        assert text.encode() not in log, text


def test_a_resumed_run_adds_to_its_trace(stage: Stage) -> None:
    def deaf(request: VendorRequest) -> Reply:
        return SCRIPT.reply(request) if request.stage == "plan" else Reply(status=401)

    stage.vendors.script = deaf
    outcome = stage.installation.run(*stage.command())
    assert outcome.code == 7, outcome.err
    project = outcome.object["project_id"]
    stage.vendors.script = SCRIPT.reply
    resumed = stage.installation.run("resume", project, "--json")
    assert resumed.code == 0, resumed.err
    spans = stage.told_trace(project, runs=2)
    assert len({span.span_id for span in spans}) == len(spans)
    first = next(span for span in spans if not span.parent_span_id)
    second = next(span for span in spans if span.name == "project" and span.parent_span_id == first.span_id)
    assert plain(first.attributes)["error.type"] == "system_failure"
    assert first.status.code == Status.STATUS_CODE_ERROR
    assert plain(second.attributes)["orch.status"] == "SUCCESS"
    ids = {span.span_id for span in spans}
    assert all(span.parent_span_id in ids for span in spans if span.parent_span_id)


@pytest.mark.long
def test_a_killed_worker_neither_doubles_nor_invents_spans(stage: Stage) -> None:
    """What it had not sent yet is lost with it: at most the time of OTEL_BSP_SCHEDULE_DELAY."""
    stage.vendors.script = ProjectScript(tasks=wide(6), latency_ms=300.0).reply
    seen = len(stage.vendors.requests)
    command = stage.installation.begin(*stage.command(), "--concurrency", "2")
    stage.vendors.wait_for(lambda server: len(server.requests) >= seen + 8, 60.0)
    pid = stage.installation.worker_pid()
    assert pid is not None
    kill_process(pid)
    outcome = command.wait()
    assert outcome.code == 0, outcome.err
    project = outcome.object["project_id"]
    calls = [span for span in stage.told_trace(project) if span.name.startswith("chat ")]
    assert len({span.span_id for span in calls}) == len(calls)
    errors = [plain(span.attributes).get("error.type") for span in calls]
    records = stage.records(project)
    lost = [record for record in records if record["outcome"] == "lost"]
    assert lost, "the worker was killed while vendors answered"
    assert errors.count("lost") == len(lost)
    assert len(records) - 2 <= len(calls) <= len(records)
    booked, told = booked_tokens(records), tokens(calls)
    assert told[0] <= booked[0]
    assert told[1] <= booked[1]


def checks(outcome: Outcome) -> dict[str, tuple[str, str]]:
    return {check["name"]: (check["verdict"], check["detail"] + check["fix"]) for check in outcome.object["checks"]}


def test_doctor_looks_at_the_whole_cluster(stage: Stage) -> None:
    """The embedded server, as if somebody had configured it: its worker serves no queues of vendors."""
    there = {"TEMPORAL_ADDRESS": stage.installation.temporal_address()}
    found = checks(stage.installation.run("doctor", "--json", extra=there))
    assert {name for name in found if found[name][0] == "missing"} == {"vendors"}
    for name in ("temporal", "namespace", "search attributes", "queue orch-workflows", "queue orch-tools", "clock"):
        assert found[name][0] == "ok", found[name]
    assert found["artifacts"][1].endswith("writes, reads, guards and deletes")
    assert found["shared store"][0] == "note"
    nowhere = stage.installation.run("doctor", "--json", extra={**there, "TEMPORAL_NAMESPACE": "nowhere"})
    assert nowhere.code == 1
    assert checks(nowhere)["namespace"] == (
        "missing",
        "nowhere does not existtemporal operator namespace create --namespace nowhere --retention 30d",
    )
    silent = stage.installation.run("doctor", "--json", extra={"TEMPORAL_ADDRESS": "127.0.0.1:9"})
    assert silent.code == 1
    assert checks(silent)["temporal"][0] == "missing"


def test_a_draining_worker_lives_takes_no_work_and_sends_what_is_left(stage: Stage) -> None:
    stage.vendors.script = ProjectScript(tasks=wide(1), latency_ms=2_000.0).reply
    seen = len(stage.vendors.requests)
    command = stage.installation.begin(*stage.command())
    stage.vendors.wait_for(lambda server: len(server.requests) > seen, 60.0)
    assert stage.get("/livez") == (200, '{"alive":true}')
    assert stage.get("/readyz")[0] == 200
    _, metrics = stage.get("/metrics")
    assert re.search(r'orch_calls_active\{vendor="\w+"\} 1', metrics)
    pid = stage.installation.worker_pid()
    assert pid is not None
    os.kill(pid, signal.SIGTERM)
    assert wait_until(lambda: stage.get("/readyz")[0] == 503, 1.5)
    assert "draining" in stage.get("/readyz")[1]
    assert stage.get("/livez")[0] == 200
    command.kill()
    told = {"orch.calls", "orch.runs", "gen_ai.client.token.usage"}
    stage.collector.wait_for(lambda collector: told <= collector.metric_names)
    within = [line for line in stage.log if "task_id" in line]
    assert within, "no line about a call"
    for line in within:
        assert line["workflow_id"] == f"project-{line['project_id']}"
        assert line["trace_id"] == f"{derived.trace_id('default', line['project_id']):032x}"
        assert {"activity", "attempt", "run_id", "stage", "vendor", "model"} <= line.keys()
    for line in stage.log:
        assert {"time", "level", "logger", "message"} <= line.keys()
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])

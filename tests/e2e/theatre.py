"""Whole runs of the real command line against vendors whose script each test chooses."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from orchestrator.catalog import load_catalog
from orchestrator.testing.installation import Command, Installation, Outcome
from orchestrator.testing.project_script import task_of
from orchestrator.testing.vendor_records import RequestRecord, billed_micro
from orchestrator.testing.vendor_script import Script
from orchestrator.testing.vendor_server import FakeVendorServer

DEADLINE_S = 60.0
WEBHOOK_SECRET = "whsec_" + "c2VjcmV0" * 4


class Theatre:
    """An installation whose keys lead to fake vendors. A test that needs several plays them one after the other."""

    def __init__(self, installation: Installation, vendors: FakeVendorServer) -> None:
        self.installation = installation
        self.vendors = vendors
        self._first = 0
        self._commands: list[Command] = []
        self._runs = 0

    def play(self, script: Script) -> None:
        """From now on the vendors answer so; earlier requests are forgotten."""
        self.vendors.script = script
        self._first = len(self.vendors.requests)

    @property
    def requests(self) -> list[RequestRecord]:
        """What the vendors were asked since `play`."""
        return self.vendors.requests[self._first :]

    def stage(self, stage: str) -> list[RequestRecord]:
        """Those of one stage."""
        return [record for record in self.requests if record.request.stage == stage]

    def billed_micro(self) -> int:
        """What the vendors bill for them."""
        return billed_micro(self.requests, load_catalog(self.installation.settings))

    def generated(self) -> list[str]:
        """The tasks that a first version was asked for, sorted, each as often as it was asked."""
        return sorted(task_of(record.request) for record in self.stage("generate"))

    def begin(self, *options: str, extra: Mapping[str, str] | None = None) -> Command:
        """Start a project and wait for it in the background; its first call is for the plan."""
        return self.begin_in_full("--no-enhance", "--no-advise", *options, extra=extra)

    def begin_in_full(self, *options: str, extra: Mapping[str, str] | None = None) -> Command:
        """The same with suggestions and advice before the plan."""
        self._runs += 1
        folder = self.installation.folder / f"out-{self._runs}"
        texts = ("--project", f"Project {self._runs}", "--criteria", "It is done")
        command = self.installation.begin(
            "start", *texts, "--output-dir", str(folder), "--json", "--no-input", *options, extra=extra
        )
        self._commands.append(command)
        return command

    def command(self, *arguments: str, extra: Mapping[str, str] | None = None) -> Command:
        """Any other command, in the background."""
        command = self.installation.begin(*arguments, extra=extra)
        self._commands.append(command)
        return command

    def ask(self, *arguments: str) -> Outcome:
        """Any other command, to its end; its result as JSON."""
        return self.installation.run(*arguments, "--json")

    def run(self, *options: str, extra: Mapping[str, str] | None = None) -> Outcome:
        """Run a project to its end."""
        return self.begin(*options, extra=extra).wait()

    def wait_for(self, condition: Callable[[], bool], timeout_s: float = DEADLINE_S) -> None:
        """Block until the condition about the requests holds. Raises TimeoutError."""
        self.vendors.wait_for(lambda _: condition(), timeout_s)

    def clear(self) -> None:
        """End what a failed test left behind."""
        for command in self._commands:
            if command.process.poll() is None:
                command.kill()
        self._commands.clear()


def project_id(command: Command) -> str:
    """The id that the command says once the run has started."""
    return said(command, "Started ").split("Started ", 1)[1].split("\n", 1)[0].rstrip(".")


def said(command: Command, text: str) -> str:
    """All that the command has said, once `text` is in it."""
    deadline = time.monotonic() + DEADLINE_S
    while text not in command.err:
        assert command.process.poll() is None, command.err
        assert time.monotonic() < deadline, command.err
        time.sleep(0.01)
    return command.err


def summary(result: Mapping[str, Any]) -> dict[str, Any]:
    """The summary.json of an exported result."""
    value = json.loads((Path(result["output_dir"]) / "summary.json").read_text(encoding="utf-8"))
    assert isinstance(value, dict)
    return value

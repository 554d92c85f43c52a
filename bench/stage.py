"""Where benchmarks run: an installation of its own, and fake vendors that say when they were asked."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from orchestrator.domain.tasks import Stage as ModelStage
from orchestrator.testing.installation import Installation, Outcome
from orchestrator.testing.project_script import ProjectScript
from orchestrator.testing.vendor_server import FakeVendorServer


class Run(NamedTuple):
    """One project run. Times in seconds: of the command, from its start to the first request, among requests."""

    command_s: float
    to_first_call_s: float
    calls_s: float
    project_id: str


class Stage:
    """Runs projects and commands, and measures them."""

    def __init__(self, folder: Path, vendors: FakeVendorServer) -> None:
        self._vendors = vendors
        self.installation = Installation(folder, vendors.environment())

    def run(self, script: ProjectScript) -> Run:
        """Run a project to its end. Raises RuntimeError where it does not succeed."""
        self._vendors.script = script.reply
        first = len(self._vendors.requests)
        began_s = time.time()
        outcome = self.command(
            "start", "--project", "Benchmark", "--criteria", "It is done", "--budget", "100",
            "--concurrency", "12", "--json", "--no-input", "--no-enhance",
        )  # fmt: skip
        ended_s = time.time()
        # The judge of the criteria is asked after the tools have checked everything, which is not the time of calls.
        requests = [record for record in self._vendors.requests[first:] if record.request.stage != ModelStage.JUDGE]
        first_s = min(record.started_s for record in requests)
        last_s = max(record.ended_s or record.started_s for record in requests)
        return Run(
            command_s=ended_s - began_s,
            to_first_call_s=first_s - began_s,
            calls_s=last_s - first_s,
            project_id=outcome.object["project_id"],
        )

    def seconds(self, *arguments: str) -> float:
        """How long a command takes."""
        began_s = time.perf_counter()
        self.command(*arguments)
        return time.perf_counter() - began_s

    def command(self, *arguments: str) -> Outcome:
        """Run a command. Raises RuntimeError where it fails."""
        outcome = self.installation.run(*arguments)
        if outcome.code:
            raise RuntimeError(f"{_shown(arguments)} ended with {outcome.code}: {outcome.err[-2000:]}")
        return outcome


def _shown(arguments: Sequence[str]) -> str:
    return f"orch-cli {' '.join(arguments)}"

"""Whole processes: an installation with its vendors, and the projects that run on it one after another."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from orchestrator.testing.installation import Command, Installation, Installed, Outcome, VendorProcess, kill_process
from orchestrator.testing.project_script import ProjectScript

POINT_S = 90.0


class Site:
    """An installation and the vendors that play one script to it. Its projects follow one another."""

    def __init__(self, folder: Path, script: ProjectScript, installed: Installed = Installation) -> None:
        self.folder = folder
        self.script = script
        self.vendors = VendorProcess(folder, script.save(folder / "script.py"))
        self.installation = installed(folder, self.vendors.environment())
        self._projects = 0

    def project(self) -> "Project":
        """The next project; the one before has ended."""
        self._projects += 1
        return Project(self, self._projects)

    def close(self) -> None:
        """End every process."""
        self.installation.close()
        self.vendors.close()


class Sites:
    """A site that is kept as long as what it is used for holds, and the same script is played."""

    def __init__(self, new_folder: Callable[[], Path], installed: Installed) -> None:
        self._new_folder = new_folder
        self._installed = installed
        self._site: Site | None = None

    @contextmanager
    def project(self, script: ProjectScript) -> Iterator["Project"]:
        """A project on a site that plays this script."""
        if self._site is None or self._site.script != script:
            self.close()
            self._site = Site(self._new_folder(), script, self._installed)
        project = self._site.project()
        try:
            yield project
        finally:
            project.close()
            if not project.held:
                self.close()

    def close(self) -> None:
        """End the site that there is."""
        if self._site:
            self._site.close()
        self._site = None


class Project:
    """A run under way, seen from outside: its processes, its journal, and what the vendors counted."""

    def __init__(self, site: Site, number: int) -> None:
        self.vendors = site.vendors
        self.installation = site.installation
        self.output = site.folder / f"out-{number}"
        self.killed_s = 0.0
        self.command: Command | None = None
        self.held = False  # it has ended, and everything that must hold was found to hold
        self._number = number
        self._before = set(self._records())
        self._events_before = len(self.vendors.log.events())

    def begin(self) -> None:
        """Start the run with a command that waits for it."""
        self.command = self.installation.begin(
            "start", "--project", f"Twelve modules, number {self._number}", "--criteria", "The tests pass",
            "--budget", "20", "--concurrency", "12", "--output-dir", str(self.output), "--json", "--no-input",
            "--new-project",
        )  # fmt: skip

    def close(self) -> None:
        """End the command."""
        if self.command:
            self.command.kill()

    @property
    def id(self) -> str:
        """The project's id, from the record that the command keeps."""
        return next(path.stem for path in self._records() if path not in self._before)

    def _records(self) -> list[Path]:
        return list((self.installation.home / "runs").glob("*.json"))

    def events(self) -> list[dict[str, Any]]:
        """What the vendors logged."""
        return self.vendors.log.events()[self._events_before :]

    def received(self) -> list[dict[str, Any]]:
        """Requests that reached the vendors."""
        return [event for event in self.events() if event["event"] == "received"]

    def under_way(self, event: str, stage: str) -> list[int]:
        """Requests of a stage that had `event` and are not finished."""
        events = self.events()
        finished = {item["seq"] for item in events if item["event"] == "finished"}
        return [
            item["seq"]
            for item in events
            if item["event"] == event and item["stage"] == stage and item["seq"] not in finished
        ]

    def finished(self, stage: str) -> int:
        """Number of complete answers of a stage."""
        return sum(e["event"] == "finished" and e["stage"] == stage and bool(e["complete"]) for e in self.events())

    def journal(self) -> list[dict[str, Any]]:
        """Entries of the call journal, complete ones."""
        journals = self.installation.home / "artifacts" / "journal"
        entries = []
        for path in journals.glob(f"*/{self.id}/*.json"):
            try:
                entries.append(json.loads(path.read_text(encoding="utf-8")))
            except (OSError, ValueError):
                continue  # replaced while it was read
        return entries

    def runs_tests(self) -> bool:
        """Whether a process below the worker runs pytest."""
        worker = self.installation.worker_pid()
        with suppress(psutil.Error):  # one that ends while it is looked at
            below = psutil.Process(worker).children(recursive=True) if worker else []
            return any("pytest" in word for process in below for word in process.cmdline())
        return False

    def wait_for(self, what: str, condition: Callable[[], bool]) -> None:
        """Block until the condition holds. Fails where it does not, or where the command ends before."""
        assert self.command is not None
        process = self.command.process
        deadline = time.monotonic() + POINT_S
        while not condition():
            assert process.poll() is None, f"the run ended before {what}: {self.command.wait(1).err[-2000:]}"
            assert time.monotonic() < deadline, f"not within {POINT_S} s: {what}\n{self.command.err[-2000:]}"
            time.sleep(0.002)

    def kill(self, victim: str) -> None:
        """kill -9 of worker, server, both or the waiting command, by process id."""
        assert self.command is not None
        pids = {
            "worker": (self.installation.worker_pid(),),
            "server": (self.installation.server_pid(),),
            "both": (self.installation.worker_pid(), self.installation.server_pid()),
            "command": (self.command.process.pid,),
        }[victim]
        assert all(pids), f"{victim} does not run"
        for pid in pids:
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
        self.killed_s = time.time()
        for pid in pids:
            assert pid is not None
            if victim != "command":
                kill_process(pid)  # waits until it is gone

    def finish(self, victim: str, point: str) -> Outcome:
        """The end of the run: as the waiting command tells it, or whoever comes back after it was killed."""
        assert self.command is not None
        if victim != "command":
            return self.command.wait()
        self.command.process.wait()
        back = ("export", self.id, "--json") if point == "export" else ("watch", self.id, "--json")
        return self.installation.run(*back)

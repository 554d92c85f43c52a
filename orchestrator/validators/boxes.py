"""The two ways to contain a run: bubblewrap, and a plain process where the user insists."""

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from typing_extensions import override

from orchestrator.validators import bubblewrap
from orchestrator.validators.bubblewrap import Descriptors
from orchestrator.validators.cgroups import Cgroup
from orchestrator.validators.environments.environment import NOTHING, Environment
from orchestrator.validators.limits import MIB, Limits
from orchestrator.validators.process import Tree
from orchestrator.validators.watchdog import sample

_SPARE_TASKS = 32  # above the limit, so that the watchdog sees it exceeded
_SHARED_TASKS = 4096  # where the kernel counts processes outside the run too
_HARD_MEMORY_FACTOR = 4
_HARD_MEMORY_EXTRA_BYTES = 1024 * MIB
_OPEN_FILES = 1024
_NICE = 10  # whoever watches must get the processor before those that are watched
_LEAVE_TRIES = 50
_LEAVE_EVERY_S = 0.01


class Box(ABC):
    """How one run is started and what is special about its end."""

    folders: tuple[str, ...]  # opened inside and handed to us, in this order
    disks: tuple[str, ...]  # those of them that are file systems of limited size
    temp: str
    shares_pids: bool  # the run has no pid namespace of its own

    @abstractmethod
    def start_plan(
        self, command: Sequence[str], environment: Mapping[str, str], control_fd: int
    ) -> tuple[list[str], dict[str, str], list[int]]:
        """Command line, environment and further descriptors of the process to start."""

    @abstractmethod
    def init_pid(self) -> int | None:
        """The process whose end ends all others, None where there is none or it is not known yet."""

    @abstractmethod
    def admit(self, tree: Tree) -> None:
        """Put the started tree under limits of the kernel, where there are any."""

    @abstractmethod
    def kernel_limit(self) -> str:
        """The limit that the kernel enforced, empty if none; after `leave`."""

    @abstractmethod
    def sweep(self, tree: Tree) -> None:
        """Kill what `Tree.kill` does not reach."""

    @abstractmethod
    async def leave(self) -> None:
        """Undo `admit`."""

    @abstractmethod
    def close(self) -> None:
        """Free what the box holds."""


class BubblewrapBox(Box):
    """Namespaces, a filter of system calls, and a user that owns nothing."""

    folders = (*bubblewrap.DISKS, "/proc")
    disks = bubblewrap.DISKS
    temp = bubblewrap.TEMP
    shares_pids = False

    def __init__(
        self,
        program: str,
        tools: Path,
        bases: Sequence[Path],
        cgroup_base: Path | None,
        limits: Limits,
        installed: Environment = NOTHING,
    ) -> None:
        self._program = program
        self._tools = tools
        self._bases = bases
        self._installed = installed
        self._cgroup_base = cgroup_base
        self._limits = limits
        self._cgroup: Cgroup | None = None
        self._limit_of_kernel = ""
        self._descriptors = Descriptors()
        self._status, self._status_write = os.pipe()
        os.set_blocking(self._status, False)
        self._init_pid: int | None = None

    @override
    def start_plan(
        self, command: Sequence[str], environment: Mapping[str, str], control_fd: int
    ) -> tuple[list[str], dict[str, str], list[int]]:
        python = f"{bubblewrap.ENVIRONMENT if self._installed.python else bubblewrap.TOOLS}/bin/python"
        places = {"{python}": python, "{tools}": bubblewrap.TOOLS, "{tmp}": bubblewrap.TEMP}
        uid = bubblewrap.payload_uid()
        plan: dict[str, object] = {
            "control_fd": control_fd,
            "workspace": bubblewrap.WORKSPACE,
            "folders": self.folders,
            "uid": uid,
            "nice": _NICE,
            "rlimits": _rlimits(self._limits, bubblewrap.tasks_counted_per_run(uid)),
            "command": [_fill(word, places) for word in command],
        }
        words = bubblewrap.command_line(
            self._program,
            self._tools,
            self._bases,
            plan,
            self._limits,
            {name: _fill(value, places) for name, value in environment.items()},
            self._status_write,
            self._descriptors,
            self._installed,
        )
        return words, {}, [*self._descriptors.fds, self._status_write]

    @override
    def init_pid(self) -> int | None:
        if self._init_pid is None:
            with suppress(BlockingIOError, ValueError, KeyError, IndexError):
                self._init_pid = int(json.loads(os.read(self._status, 4096).splitlines()[0])["child-pid"])
        return self._init_pid

    @override
    def admit(self, tree: Tree) -> None:
        self._descriptors.close()
        cgroup = Cgroup.create(self._cgroup_base, self._limits, len(self.disks))
        if cgroup is None or self._init_pid is None:
            return
        self._cgroup = cgroup
        children = Path(f"/proc/{self._init_pid}/task/{self._init_pid}/children").read_text().split()
        with suppress(OSError):  # not ours to move: the watchdog holds the limits alone
            for pid in (tree.leader.pid, self._init_pid, *map(int, children)):
                cgroup.add(pid)

    @override
    def kernel_limit(self) -> str:
        return self._limit_of_kernel

    @override
    def sweep(self, tree: Tree) -> None:
        pass  # nothing outlives the pid namespace

    @override
    async def leave(self) -> None:
        if self._cgroup is None:
            return
        self._limit_of_kernel = self._cgroup.limit_hit()
        for _ in range(_LEAVE_TRIES):
            if self._cgroup.remove():
                break
            await asyncio.sleep(_LEAVE_EVERY_S)
        self._cgroup = None

    @override
    def close(self) -> None:
        self._descriptors.close()
        os.close(self._status)
        os.close(self._status_write)


class UnsafeBox(Box):
    """A plain process in a folder of its own with a cleared environment: limits by best effort, no isolation.

    Disk is bounded per file only, and a process that makes itself a new session escapes.
    """

    disks: tuple[str, ...] = ()
    shares_pids = True

    def __init__(self, tools: Path, limits: Limits, installed: Environment = NOTHING) -> None:
        self._tools = tools
        self._installed = installed
        self._limits = limits
        self._folder = Path(tempfile.mkdtemp(prefix="orch-unsafe-"))
        self._home, self._workspace = self._folder / "home", self._folder / "workspace"
        self.temp = str(self._folder / "tmp")
        for folder in (self._home, self._workspace, Path(self.temp)):
            folder.mkdir()
        for place, modules in installed.node.items():
            (self._workspace / place).mkdir(parents=True, exist_ok=True)
            (self._workspace / place / "node_modules").symlink_to(modules)
        self.folders = (self.temp, "/proc") if sys.platform.startswith("linux") else (self.temp,)

    @override
    def start_plan(
        self, command: Sequence[str], environment: Mapping[str, str], control_fd: int
    ) -> tuple[list[str], dict[str, str], list[int]]:
        roots = [root for root in (self._installed.python, self._tools) if root]
        python = str(self._tools / "bin" / "python")
        places = {"{python}": str(roots[0] / "bin" / "python"), "{tools}": str(self._tools), "{tmp}": self.temp}
        plan = {
            "control_fd": control_fd,
            "workspace": str(self._workspace),
            "folders": self.folders,
            "uid": None,
            "nice": _NICE,
            "rlimits": _rlimits(self._limits),
            "command": [_fill(word, places) for word in command],
        }
        env = {
            "PATH": ":".join([*(str(root / "bin") for root in roots), "/usr/local/bin", "/usr/bin", "/bin"]),
            "HOME": str(self._home),
            "TMPDIR": self.temp,
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            **{name: _fill(value, places) for name, value in environment.items()},
        }
        init = str(Path(__file__).with_name("box_init.py"))
        return [python, "-I", "-S", init, json.dumps(plan)], env, []

    @override
    def init_pid(self) -> int | None:
        return None

    @override
    def admit(self, tree: Tree) -> None:
        pass  # no limits of the kernel beyond the process's own

    @override
    def kernel_limit(self) -> str:
        return ""

    @override
    def sweep(self, tree: Tree) -> None:
        if "/proc" not in self.folders:
            return
        proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
        try:
            for pid in sample(proc, tree.leader.pid).pids:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(int(pid), signal.SIGKILL)
        finally:
            os.close(proc)

    @override
    async def leave(self) -> None:
        pass

    @override
    def close(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def _rlimits(limits: Limits, counted_per_run: bool | None = None) -> dict[str, tuple[int, int]]:
    """Per process: backstops in the kernel under the watchdog's exact limits over the tree.

    Memory bounds data, not address space: Node, Go and the JVM reserve far more than they use. A fork bomb must
    end in the kernel, since a large one leaves the watchdog no time to run; `counted_per_run` tells whether the
    kernel counts the run's processes alone, None that they are the user's own.
    """
    cpu_s = int(limits.cpu_s) + 1
    memory = limits.memory_bytes * _HARD_MEMORY_FACTOR + _HARD_MEMORY_EXTRA_BYTES
    result = {
        "RLIMIT_CPU": (cpu_s, cpu_s + 1),
        "RLIMIT_DATA": (memory, memory),
        "RLIMIT_FSIZE": (limits.disk_bytes, limits.disk_bytes),
        "RLIMIT_NOFILE": (_OPEN_FILES, _OPEN_FILES),
        "RLIMIT_CORE": (0, 0),
    }
    if counted_per_run is not None:
        tasks = limits.processes + _SPARE_TASKS if counted_per_run else max(_SHARED_TASKS, limits.processes)
        result["RLIMIT_NPROC"] = (tasks, tasks)
    return result


def _fill(word: str, places: Mapping[str, str]) -> str:
    """`word` with a leading placeholder replaced."""
    for name, value in places.items():
        if word.startswith(name):
            return value + word[len(name) :]
    return word

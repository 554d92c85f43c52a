"""Runs generated code contained: no key, no network, no foreign file, no way past its limits."""

import asyncio
import errno
import os
import platform
import signal
import socket
import stat
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import PurePosixPath

from orchestrator.domain.errors import PrerequisiteError
from orchestrator.settings import Settings
from orchestrator.validators import bubblewrap, seccomp
from orchestrator.validators.boxes import Box, BubblewrapBox, UnsafeBox
from orchestrator.validators.cgroups import find_base
from orchestrator.validators.environments.environment import NOTHING, Environment
from orchestrator.validators.limits import Limits, SandboxRun
from orchestrator.validators.process import OutputCapture, Tree, receive_folders, send_files
from orchestrator.validators.tools import BASE, ToolEnvironment
from orchestrator.validators.watchdog import Watchdog

__all__ = ["Limits", "Sandbox", "SandboxRun"]

_LOOK_EVERY_S = 0.02
_START_TIMEOUT_S = 30.0
_DRAIN_TIMEOUT_S = 1.0
_COLLECT_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class _Ended:
    exit_code: int | None
    limit: str


class Sandbox:
    """Runs commands of the tool environment over files, one new sandbox per run.

    `kind` is `bubblewrap`, `unsafe` (a plain process, because the user asked for it) or empty where code is
    not run; then `reason` says why, with the fix.
    """

    def __init__(self, kind: str, tools: ToolEnvironment, program: str = "", reason: str = "") -> None:
        self.kind = kind
        self.reason = reason
        self._tools = tools
        self._program = program
        self._cgroup_base = find_base() if kind == "bubblewrap" else None

    @classmethod
    def detect(cls, settings: Settings, tools: ToolEnvironment) -> "Sandbox":
        """What can be used here; starts one empty sandbox to find out (tens of milliseconds, blocking)."""
        if settings.sandbox == "unsafe":
            return cls("unsafe", tools)
        if not sys.platform.startswith("linux") or not seccomp.supported():
            system = f"{sys.platform} on {platform.machine()}"
            return cls("", tools, reason=f"no sandbox for {system}; ORCH_SANDBOX=unsafe does without one")
        program = bubblewrap.find(settings.environment.get("PATH"))
        if program is None:
            return cls("", tools, reason="bubblewrap is not installed: install the package `bubblewrap`")
        reason = bubblewrap.probe(program)
        return cls("", tools, reason=reason) if reason else cls("bubblewrap", tools, program)

    async def run(
        self,
        command: Sequence[str],
        files: Mapping[str, bytes],
        limits: Limits,
        *,
        environment: Mapping[str, str] | None = None,
        collect: Sequence[str] = (),
        installed: Environment = NOTHING,
        tools: str = BASE,
    ) -> SandboxRun:
        """Run `command` in a workspace that holds `files` (relative paths) and nothing else.

        At the start of a word of the command and of a value in `environment`, `{python}`, `{tools}` and
        `{tmp}` stand for the interpreter (that of `installed`, where it has one, else the tools'), the environment
        of the tools (the set `tools` of them) and the run's /tmp. Packages of `installed` are there read-only.
        Files of /tmp named in `collect` come back, at most 8 MiB each. Nothing of the run is left when this returns
        or is cancelled. Raises PrerequisiteError where no sandbox can be started, ValueError for a path outside the
        workspace.
        """
        if not self.kind:
            raise PrerequisiteError(self.reason)
        for path in files:
            _require_relative(path)
        box = await self._box(limits, installed, tools)
        try:
            own = {path: content for path, content in files.items() if not installed.is_package_file(path)}
            return await _Run(box, limits, collect).perform(command, own, environment or {})
        finally:
            box.close()

    async def _box(self, limits: Limits, installed: Environment, kind: str) -> Box:
        tools = self._tools if kind == BASE else self._tools.others[kind]
        root = await tools.ensure()
        if self.kind == "unsafe":
            return UnsafeBox(root, limits, installed)
        return BubblewrapBox(self._program, root, tools.base_prefixes, self._cgroup_base, limits, installed)


class _Run:
    """One run from start to end."""

    def __init__(self, box: Box, limits: Limits, collect: Sequence[str]) -> None:
        self._box = box
        self._limits = limits
        self._collect = collect
        self._overflow = asyncio.Event()
        self._disks: tuple[int, ...] = ()
        self._temp: int | None = None

    async def perform(
        self, command: Sequence[str], files: Mapping[str, bytes], environment: Mapping[str, str]
    ) -> SandboxRun:
        async with AsyncExitStack() as stack:
            control, theirs = socket.socketpair()
            stack.callback(control.close)
            stack.callback(theirs.close)
            control.setblocking(False)
            output = OutputCapture(self._limits.output_bytes, self._overflow.set)
            stack.callback(output.close)
            words, env, fds = self._box.start_plan(command, environment, theirs.fileno())
            leader = await asyncio.create_subprocess_exec(
                *words,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output.write_ends[0],
                stderr=output.write_ends[1],
                env=env,
                pass_fds=(theirs.fileno(), *fds),
                start_new_session=True,
            )
            tree = Tree(leader)
            stack.push_async_callback(self._end, tree)
            theirs.close()
            output.close_write_ends()
            watchdog, problem = await self._hand_over(tree, control, files, stack, output)
            ended = problem or await self._watch(tree, watchdog)
            duration_s = watchdog.elapsed_s
            await self._end(tree)
            await output.drain(_DRAIN_TIMEOUT_S)
            ended = self._verdict(ended, watchdog)
            stdout, stderr = output.texts()
            return SandboxRun(
                exit_code=None if ended.limit else ended.exit_code,
                stdout=stdout,
                stderr=stderr,
                limit=ended.limit,
                duration_s=round(duration_s, 3),
                files=self._collected(),
            )

    async def _hand_over(
        self,
        tree: Tree,
        control: socket.socket,
        files: Mapping[str, bytes],
        stack: AsyncExitStack,
        output: OutputCapture,
    ) -> tuple[Watchdog, _Ended | None]:
        """Wait for the first program inside, give it the files; the command starts when it has them all."""
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                folders = await receive_folders(control, len(self._box.folders))
                for fd in folders:
                    stack.callback(os.close, fd)
                if len(folders) != len(self._box.folders):
                    await output.drain(_DRAIN_TIMEOUT_S)
                    raise PrerequisiteError(f"the sandbox did not start: {_last_line(output.texts()[1])}")
                tree.adopt(self._box.init_pid())
                self._box.admit(tree)
                watchdog = self._watchdog(tree, folders)
                problem = await send_files(control, files)
        except TimeoutError:
            raise PrerequisiteError(f"the sandbox did not start within {_START_TIMEOUT_S:.0f} s") from None
        if not problem:
            return watchdog, None
        if problem in (errno.ENOSPC, errno.EFBIG):
            return watchdog, _Ended(None, "disk")
        raise PrerequisiteError(f"the files cannot be put into the workspace: {os.strerror(problem)}")

    def _watchdog(self, tree: Tree, folders: Sequence[int]) -> Watchdog:
        named = dict(zip(self._box.folders, folders, strict=True))
        self._temp = named[self._box.temp]
        self._disks = tuple(fd for name, fd in named.items() if name in self._box.disks)
        session = tree.leader.pid if self._box.shares_pids else None
        return Watchdog(self._limits, named.get("/proc"), self._disks, session)

    async def _watch(self, tree: Tree, watchdog: Watchdog) -> _Ended:
        waiting = asyncio.ensure_future(tree.leader.wait())
        overflow = asyncio.ensure_future(self._overflow.wait())
        try:
            while True:
                done, _ = await asyncio.wait(
                    {waiting, overflow}, timeout=_LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED
                )
                if overflow in done:
                    return _Ended(None, "output")
                if waiting in done:
                    return _Ended(waiting.result(), "")
                if limit := watchdog.look():
                    return _Ended(None, limit)
        finally:
            waiting.cancel()
            overflow.cancel()

    def _verdict(self, ended: _Ended, watchdog: Watchdog) -> _Ended:
        """Adds what the watchdog could not see: limits that the kernel held, output read at the end."""
        code = ended.exit_code
        if code is not None and code < 0:
            code = 128 - code
        if ended.limit:
            return ended
        if limit := self._box.kernel_limit():
            return _Ended(None, limit)
        if self._overflow.is_set():
            return _Ended(None, "output")
        if code == 128 + signal.SIGXCPU:
            return _Ended(None, "cpu")
        if code and watchdog.disk_full():
            return _Ended(None, "disk")
        return _Ended(code, "")

    async def _end(self, tree: Tree) -> None:
        """Kill what is left and wait until it is gone; a second call does nothing."""
        if tree.closed:
            return
        tree.adopt(self._box.init_pid())
        tree.kill()
        self._box.sweep(tree)
        try:
            await asyncio.shield(asyncio.ensure_future(tree.gone()))
            await self._box.leave()
        finally:
            tree.close()

    def _collected(self) -> dict[str, bytes]:
        found = {name: _read_plain(name, self._temp) for name in self._collect}
        return {name: content for name, content in found.items() if content is not None}


def _read_plain(name: str, folder: int | None) -> bytes | None:
    """A regular file directly in `folder`; no link is followed, no pipe is waited for."""
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        with open(fd, "rb", closefd=False) as file:
            return file.read(_COLLECT_BYTES)
    finally:
        os.close(fd)


def _require_relative(path: str) -> None:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\0" in path:
        raise ValueError(f"not a path inside the workspace: {path!r}")


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:200] if lines else "it ended without a word"

"""Nothing outlives its run, whoever dies; and the same holds for an ordinary user."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.boxes import needs_bubblewrap, sandbox, tool_environment
from tests.sandbox.test_hostile import _processes_naming

REPOSITORY = Path(__file__).parents[2]
ORDINARY_UID = 54321
WORKER = """
import asyncio, sys
from tests.sandbox.boxes import SMALL, sandbox
source = b"import os, time\\nos.fork(); os.setsid() if os.getpid() != 2 else 0\\ntime.sleep(600)"
asyncio.run(sandbox().run(["{python}", "main.py", sys.argv[1]], {"main.py": source}, SMALL))
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter; pytest's own are closed."""
    with tempfile.TemporaryDirectory(prefix="orch-open-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def _wait_until(reached: bool, token: str) -> None:
    deadline = time.monotonic() + 20
    while bool(_sandboxed(token)) != reached:
        assert time.monotonic() < deadline, f"processes of {token}: {_sandboxed(token)}"
        time.sleep(0.02)


def _sandboxed(token: str) -> list[str]:
    """Processes that run the payload itself."""
    return [pid for pid in _processes_naming(token) if _command(pid)[1:2] == [b"main.py"]]


def _command(pid: str) -> list[bytes]:
    try:
        return Path("/proc", pid, "cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def test_a_killed_worker_leaves_nothing_running() -> None:
    sandbox()
    token = f"orch-orphan-{os.getpid()}-{time.monotonic_ns()}"
    worker = subprocess.Popen([sys.executable, "-c", WORKER, token], cwd=REPOSITORY)
    try:
        _wait_until(True, token)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    _wait_until(False, token)


def test_the_hostile_corpus_is_contained_for_an_ordinary_user(open_folder: Path) -> None:
    """Runs the corpus as a user id without rights, in a view of the file system where our interpreter is readable."""
    needs_bubblewrap()
    if os.geteuid() != 0:
        pytest.skip("already run by an ordinary user: the rest of this folder is the test")
    tools = tool_environment()
    cache = open_folder / "cache" / "tools"
    cache.mkdir(parents=True)
    (open_folder / "home").mkdir()
    os.chown(open_folder / "home", ORDINARY_UID, ORDINARY_UID)
    words = ["bwrap", "--cap-add", "ALL", "--die-with-parent", "--dev-bind", "/", "/"]
    for hidden in {Path(sys.prefix), Path(sys.base_prefix).resolve(), REPOSITORY}:
        words += _visible(hidden)
    words += ["--ro-bind", str(tools.root), str(cache / tools.root.name)]
    words += ["--setenv", "HOME", str(open_folder / "home"), "--setenv", "ORCHESTRATOR_CACHE_DIR", str(cache.parent)]
    words += ["--setenv", "PYTHONDONTWRITEBYTECODE", "1", "--chdir", str(REPOSITORY)]
    become = (
        f"import os, sys; os.setgroups([]); os.setresgid({ORDINARY_UID}, {ORDINARY_UID}, {ORDINARY_UID});"
        f"os.setresuid({ORDINARY_UID}, {ORDINARY_UID}, {ORDINARY_UID}); os.execv(sys.executable, sys.argv[1:])"
    )
    suite = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/sandbox/test_hostile.py"]
    suite += ["--basetemp", str(open_folder / "home" / "tmp")]
    done = subprocess.run(
        [*words, "--", sys.executable, "-c", become, *suite],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[:5000] + done.stderr[-3000:]
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout, done.stdout[-3000:]


def _visible(folder: Path) -> list[str]:
    """Bubblewrap's words that make `folder` readable at its own path, even below a closed home folder."""
    closed = [parent for parent in folder.parents if not parent.stat().st_mode & 0o001]
    if not closed:
        return []
    return ["--perms", "0755", "--tmpfs", str(closed[-1]), *_opened(folder, closed[-1])]


def _opened(folder: Path, top: Path) -> list[str]:
    words: list[str] = []
    for parent in reversed([parent for parent in folder.parents if parent.is_relative_to(top) and parent != top]):
        words += ["--perms", "0755", "--dir", str(parent)]
    return [*words, "--ro-bind", str(folder), str(folder)]

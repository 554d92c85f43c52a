"""Programs that try to get out, to take more than their share, or to stay: each is contained and named."""

import asyncio
import json
import os
import socket
import time
from pathlib import Path

import pytest

from orchestrator.validators.limits import MIB, Limits
from orchestrator.validators.sandbox import Sandbox
from tests.sandbox.boxes import SMALL, run_source, sandbox

SECRET = "sk-hostile-corpus-secret"


@pytest.fixture(scope="module")
def box() -> Sandbox:
    return sandbox()


def _with(**changes: float) -> Limits:
    return SMALL.model_copy(update=changes)


def _processes_naming(token: str) -> list[str]:
    """Processes of this machine whose command line or environment holds `token`."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                text = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
            except OSError:
                continue
            if token.encode() in text:
                found.append(folder.name)
    return found


def _wait_for_processes(token: str) -> None:
    deadline = time.monotonic() + 20
    while len(_processes_naming(token)) < 4:  # bubblewrap twice, the payload, and what it forked
        assert time.monotonic() < deadline, "the payload did not start"
        time.sleep(0.01)


def test_environment_holds_no_key(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    source = """
import os, pathlib
seen = repr(dict(os.environ))
for path in pathlib.Path('/proc').glob('[0-9]*'):
    for name in ('environ', 'cmdline'):
        try: seen += (path / name).read_text()
        except OSError: pass
print(seen)
"""
    run = run_source(box, source)
    assert run.exit_code == 0, run
    assert SECRET not in run.stdout
    assert "OPENAI_API_KEY" not in run.stdout


def test_no_descriptor_of_ours_is_inherited(box: Sandbox) -> None:
    run = run_source(box, "import os; print(sorted(os.listdir('/proc/self/fd')))")
    assert json.loads(run.stdout.replace("'", '"'))[:3] == ["0", "1", "2"]
    assert len(run.stdout.split(",")) == 4, run.stdout  # and the folder being listed


def test_outside_network_is_unreachable_and_own_loopback_works(box: Sandbox) -> None:
    source = """
import socket
try:
    socket.create_connection(('192.0.2.1', 80), timeout=3)
except OSError as error:
    print('outside', error.errno)
server = socket.create_server(('127.0.0.1', 0))
client = socket.create_connection(server.getsockname(), timeout=3)
server.accept()[0].sendall(b'own loopback')
print(client.recv(99).decode(), socket.gethostbyname('localhost'))
"""
    run = run_source(box, source)
    assert "outside 101" in run.stdout
    assert "own loopback 127.0.0.1" in run.stdout


def test_loopback_and_abstract_sockets_of_the_host_are_unreachable(box: Sandbox) -> None:
    name = f"\0orch-hostile-{os.getpid()}"
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(name)
        abstract.listen()
        source = f"""
import socket
for family, address in ((socket.AF_INET, {server.getsockname()!r}), (socket.AF_UNIX, {name!r})):
    try:
        socket.socket(family).connect(address)
        print('reached')
    except OSError as error:
        print('refused')
"""
        run = run_source(box, source)
    assert run.stdout.split() == ["refused", "refused"]


def test_nothing_outside_the_own_folders_can_be_written(box: Sandbox) -> None:
    source = """
import os
for path in ('/', '/usr', '/etc', '/opt', '/opt/orch-tools', '/home', '/root', '/dev', '/proc/sys/kernel'):
    name = path + ('/core_pattern' if path.startswith('/proc') else '/hostile')
    try:
        open(name, 'w').write('x')
        print('wrote', name)
    except OSError:
        pass
for path in (os.environ['HOME'], '/tmp', '.', '/dev/shm'):
    open(path + '/mine', 'w').write('x')
print('done')
"""
    assert run_source(box, source).stdout == "done\n"


def test_files_of_the_host_are_not_there(box: Sandbox, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    home = os.environ["HOME"]
    source = f"""
import os
for path in ('/etc/shadow', {str(secret)!r}, {home!r}, '/var', '/run', '/sys', '/work'):
    print(os.path.exists(path), path)
os.symlink({str(secret)!r}, 'link')
os.symlink('/proc/1/root{secret}', 'link2')
for link in ('link', 'link2'):
    try: print(open(link).read())
    except OSError: pass
"""
    run = run_source(box, source)
    assert "True" not in run.stdout
    assert SECRET not in run.stdout


def test_payload_is_nobody_to_the_kernel(box: Sandbox) -> None:
    source = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
status = open('/proc/self/status').read()
print(os.getuid() != 0, 'NoNewPrivs:\\t1' in status, 'CapEff:\\t0000000000000000' in status)
print(libc.unshare(0x10000000), libc.mount(b'none', b'/tmp', b'tmpfs', 0, None), libc.setuid(0))
print(libc.syscall(319 if os.uname().machine == 'x86_64' else 279, b'x', 0))
"""
    assert run_source(box, source).stdout.split() == ["True"] * 3 + ["-1"] * 4


def test_namespaces_cannot_be_nested(box: Sandbox) -> None:
    run = asyncio.run(box.run(["/usr/bin/unshare", "-Ur", "/bin/true"], {}, SMALL))
    assert run.exit_code not in (0, 127), run


FORK_BOMB = """
import os
while True:
    try: os.fork()
    except OSError: pass
"""
THREADS = """
import threading, time
for _ in range(500):
    threading.Thread(target=time.sleep, args=(60,)).start()
"""
FILL = """
import os
with open(os.path.expanduser('{folder}/big'), 'wb') as file:
    while True: file.write(bytes(1 << 16))
"""
EMPTY_FILES = """
import itertools
for number in itertools.count(): open(str(number), 'w').close()
"""
EAT = """
eaten = []
while True: eaten.append(bytearray(1 << 20))
"""
EAT_TOGETHER = """
import os, time
eaten = bytearray(40 << 20)
for _ in range(9):
    if os.fork() == 0:
        for index in range(0, len(eaten), 4096): eaten[index] = 1
        break
time.sleep(60)
"""
LOOP = "while True: pass"
DEAF = """
import signal, time
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
time.sleep(60)
"""
LOOP_TOGETHER = """
import os
os.fork(); os.fork()
while True: pass
"""


@pytest.mark.parametrize(
    ("limit", "source", "limits"),
    [
        pytest.param("processes", FORK_BOMB, SMALL, id="fork-bomb"),
        pytest.param("processes", THREADS, SMALL, id="threads"),
        pytest.param("disk", FILL.format(folder="."), SMALL, id="fill-workspace"),
        pytest.param("disk", FILL.format(folder="/tmp"), SMALL, id="fill-tmp"),
        pytest.param("disk", FILL.format(folder="~"), SMALL, id="fill-home"),
        pytest.param("disk", FILL.format(folder="/dev/shm"), SMALL, id="fill-shm"),
        pytest.param("disk", EMPTY_FILES, SMALL, id="empty-files"),
        pytest.param("memory", EAT, SMALL, id="eat"),
        pytest.param("memory", EAT_TOGETHER, SMALL, id="eat-together"),
        pytest.param("wall", LOOP, _with(wall_s=0.5), id="loop"),
        pytest.param("wall", DEAF, _with(wall_s=0.5), id="ignore-signals"),
        pytest.param("cpu", LOOP, _with(cpu_s=0.5), id="burn"),
        pytest.param("cpu", LOOP_TOGETHER, _with(cpu_s=0.8), id="burn-together"),
        pytest.param("output", "while True: print('x' * 1000)", SMALL, id="print"),
        pytest.param("output", "import os\nwhile True: os.write(2, bytes(100000))", SMALL, id="print-errors"),
        pytest.param("output", "print('x' * 100000)", SMALL, id="print-and-end"),
    ],
)
def test_limit_is_enforced_and_named(box: Sandbox, limit: str, source: str, limits: Limits) -> None:
    started = time.monotonic()
    run = run_source(box, source, limits)
    assert (run.limit, run.exit_code) == (limit, None), run
    assert time.monotonic() - started < 10
    assert len(run.stdout) + len(run.stderr) <= limits.output_bytes


def test_files_larger_than_the_workspace_are_the_disk_limit(box: Sandbox) -> None:
    run = asyncio.run(box.run(["/bin/true"], {"a": bytes(9 * MIB)}, SMALL))
    assert run.limit == "disk"


def test_use_within_the_limits_is_no_hit(box: Sandbox) -> None:
    source = """
import os, threading, time
x = bytearray(100 << 20)
for _ in range(5):
    if os.fork() == 0:
        time.sleep(0.3); os._exit(0)
open('f', 'wb').write(bytes(4 << 20))
[threading.Thread(target=time.sleep, args=(0.2,)).start() for _ in range(20)]
while True:
    try: os.wait()
    except ChildProcessError: break
"""
    run = run_source(box, source)
    assert (run.limit, run.exit_code) == ("", 0), run


def test_daemons_die_with_the_run(box: Sandbox) -> None:
    token = f"orch-daemon-{os.getpid()}-{time.monotonic_ns()}"
    source = f"""
import os, subprocess, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.close(1); os.close(2)
        os.execv(sys.executable, [sys.executable, '-c', 'import time; time.sleep(600)', {token!r}])
    os._exit(0)
os.wait()
print('left')
"""
    run = run_source(box, source)
    assert run.stdout == "left\n"
    assert _processes_naming(token) == []


def test_exit_code_and_signals_are_reported_like_a_shell_does(box: Sandbox) -> None:
    assert run_source(box, "raise SystemExit(7)").exit_code == 7
    assert run_source(box, "import os; os.kill(os.getpid(), 9)").exit_code == 137
    assert asyncio.run(box.run(["/nonexistent"], {}, SMALL)).exit_code == 127


def test_cancelling_ends_everything(box: Sandbox) -> None:
    token = f"orch-cancel-{os.getpid()}-{time.monotonic_ns()}"
    source = "import os, time\nos.fork(); os.setsid() if os.getpid() != 2 else 0\ntime.sleep(600)"

    async def cancelled() -> None:
        task = asyncio.create_task(box.run(["{python}", "main.py", token], {"main.py": source.encode()}, SMALL))
        await asyncio.to_thread(_wait_for_processes, token)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert _processes_naming(token) == []


def test_many_runs_leave_no_descriptor_and_no_child(box: Sandbox) -> None:
    async def many() -> tuple[int, int]:
        sources = {"main.py": b"print(1)"}
        await asyncio.gather(*(box.run(["{python}", "main.py"], sources, SMALL) for _ in range(4)))
        before = len(os.listdir("/proc/self/fd"))
        await asyncio.gather(*(box.run(["{python}", "main.py"], sources, SMALL) for _ in range(8)))
        with pytest.raises(ValueError, match="workspace"):
            await box.run(["/bin/true"], {"../x": b""}, SMALL)
        return before, len(os.listdir("/proc/self/fd"))

    before, after = asyncio.run(many())
    assert after == before
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    assert not [pid for pid in children if "bwrap" in Path(f"/proc/{pid}/comm").read_text()]


def test_links_instead_of_collected_files_are_not_followed(box: Sandbox) -> None:
    source = """
import os
os.symlink('/etc/hosts', '/tmp/link'); os.mkfifo('/tmp/pipe'); os.mkdir('/tmp/folder')
open('/tmp/plain', 'w').write('content')
"""
    names = ["link", "pipe", "folder", "plain", "absent"]
    run = asyncio.run(box.run(["{python}", "main.py"], {"main.py": source.encode()}, SMALL, collect=names))
    assert run.files == {"plain": b"content"}

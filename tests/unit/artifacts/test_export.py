"""Export: whole or not at all, inside the target only, and never over a user's work."""

import asyncio
import hashlib
import json
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.artifacts import exchange as exchange_module
from orchestrator.artifacts.backends import LocalBackend
from orchestrator.artifacts.exchange import exchange
from orchestrator.artifacts.export import check_target, export_manifest
from orchestrator.artifacts.manifest import Manifest, write_manifest
from orchestrator.artifacts.store import ArtifactError, ArtifactStore
from orchestrator.domain.errors import PrerequisiteError, UserInputError
from orchestrator.domain.refs import BlobRef, FileRef
from tests.unit.artifacts.samples import PROJECT, manifest_of
from tests.unit.artifacts.test_manifest import HOSTILE_SETS

FIRST = {"pkg/a.py": b"a = 1\n", "run.sh": b"#!/bin/sh\n", "tests/test_a.py": b""}
SECOND = {"pkg/a.py": b"a = 2\n", "docs/new.md": b"new"}


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore.open((tmp_path / "store").as_uri())


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "place").mkdir()
    return tmp_path / "place" / "out"


def export(store: ArtifactStore, target: Path, files: dict[str, bytes], project: str = PROJECT) -> Path:
    async def scenario() -> Path:
        return await export_manifest(store, await manifest_of(store, files), target, project)

    return asyncio.run(scenario())


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def software(folder: Path) -> dict[str, bytes]:
    found = contents(folder)
    assert found.pop("summary.json")
    assert found.pop("REPORT.md")
    assert found.pop("report.html")
    return found


def refusal(store: ArtifactStore, target: Path) -> str:
    """The message of the refusal, after which nothing has changed beside or below the target."""
    before = sorted(target.parent.rglob("*")) if target.parent.is_dir() else []
    with pytest.raises(UserInputError) as caught:
        export(store, target, SECOND)
    with pytest.raises(UserInputError):
        check_target(target, PROJECT)
    assert (sorted(target.parent.rglob("*")) if target.parent.is_dir() else []) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_files_land_with_their_modes(store: ArtifactStore, target: Path) -> None:
    old = os.umask(0o077)
    try:
        assert export(store, target, FIRST) == target
    finally:
        os.umask(old)
    assert software(target) == FIRST
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (target, *target.rglob("*"))}
    assert modes["run.sh"] == modes["pkg"] == modes["out"] == 0o755
    assert modes["a.py"] == modes["summary.json"] == 0o644
    assert os.listdir(target.parent) == ["out"]


def test_missing_parents_are_made_and_relative_paths_are_meant_from_here(store: ArtifactStore, tmp_path: Path) -> None:
    assert export(store, Path("results/deep/p1"), FIRST) == tmp_path / "results/deep/p1"
    assert software(tmp_path / "results/deep/p1") == FIRST


def test_an_empty_folder_is_filled(store: ArtifactStore, target: Path) -> None:
    target.mkdir()
    export(store, target, FIRST)
    assert software(target) == FIRST


def test_an_earlier_export_of_the_project_is_replaced(store: ArtifactStore, target: Path) -> None:
    export(store, target, FIRST)
    for cache in ("__pycache__", "pkg/__pycache__", ".pytest_cache/v", ".ruff_cache"):
        (target / cache).mkdir(parents=True)
        (target / cache / "x").write_text("left by a tool")
    (target / "run.sh").unlink()
    check_target(target, PROJECT)
    export(store, target, SECOND)
    assert software(target) == SECOND
    assert os.listdir(target.parent) == ["out"]


def add_file(target: Path) -> None:
    (target / "notes.txt").write_text("mine")


def add_hidden_file(target: Path) -> None:
    (target / "pkg" / ".env").write_text("mine")


def change_file(target: Path) -> None:
    (target / "pkg/a.py").write_text("mine")


def change_report(target: Path) -> None:
    (target / "REPORT.md").write_text("mine")


def change_summary(target: Path) -> None:
    summary = json.loads((target / "summary.json").read_text())
    (target / "summary.json").write_text(json.dumps({**summary, "notes": ["mine"]}))


def link_file(target: Path) -> None:
    shutil.copy(target / "pkg/a.py", target.parent / "elsewhere.py")
    (target / "pkg/a.py").unlink()
    (target / "pkg/a.py").symlink_to(target.parent / "elsewhere.py")


def link_folder(target: Path) -> None:
    (target / "linked").symlink_to(target.parent)


def add_named_pipe(target: Path) -> None:
    os.mkfifo(target / "pipe")


def pipe_for_summary(target: Path) -> None:
    (target / "summary.json").unlink()
    os.mkfifo(target / "summary.json")


def remove_summary(target: Path) -> None:
    (target / "summary.json").unlink()


EDITS = [
    add_file,
    add_hidden_file,
    change_file,
    change_report,
    change_summary,
    link_file,
    link_folder,
    add_named_pipe,
    pipe_for_summary,
    remove_summary,
]


@pytest.mark.parametrize("edit", EDITS)
def test_an_export_that_the_user_touched_is_kept(
    store: ArtifactStore, target: Path, edit: Callable[[Path], None]
) -> None:
    export(store, target, FIRST)
    edit(target)
    assert str(target) in refusal(store, target)


def test_the_export_of_another_project_is_kept(store: ArtifactStore, target: Path) -> None:
    export(store, target, FIRST)
    with pytest.raises(UserInputError, match=PROJECT):
        check_target(target, "p2")


@pytest.mark.parametrize("summary", ["{}", "[]", "not json", '{"project_id": "p1", "files": []}', "[" * 100_000])
def test_a_foreign_summary_is_no_export(store: ArtifactStore, target: Path, summary: str) -> None:
    target.mkdir()
    (target / "summary.json").write_text(summary)
    assert "not empty" in refusal(store, target)


def test_a_name_with_terminal_escapes_does_not_reach_the_terminal(store: ArtifactStore, target: Path) -> None:
    export(store, target, FIRST)
    (target / "\x1b[31m\nred").write_text("")
    assert "\x1b" not in refusal(store, target)


def test_files_and_links_are_not_folders(store: ArtifactStore, target: Path) -> None:
    target.write_text("mine")
    assert "not a folder" in refusal(store, target)
    target.unlink()
    (target.parent / "real").mkdir()
    target.symlink_to(target.parent / "real")
    assert "symbolic link" in refusal(store, target)
    target.unlink()
    target.symlink_to("nowhere")
    assert "symbolic link" in refusal(store, target)


def test_targets_that_cannot_be_are_refused(store: ArtifactStore, target: Path) -> None:
    (target.parent / "file").write_text("")
    assert "not a folder" in refusal(store, target.parent / "file" / "out")
    with pytest.raises(UserInputError, match="root folder"):
        check_target(Path("/"), PROJECT)
    assert "File name too long" in refusal(store, target.parent / ("x" * 300))


def test_links_above_the_target_are_followed(store: ArtifactStore, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert export(store, tmp_path / "link" / "out", FIRST) == tmp_path / "real" / "out"


AS_NOBODY = """
import os, sys
from pathlib import Path
from orchestrator.artifacts.export import check_target
if os.getuid() == 0:  # whom no mode of a folder stops
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    check_target(Path(sys.argv[1]), "p1")
except Exception as error:
    print(type(error).__name__, error)
"""


def test_a_parent_that_cannot_be_written_is_refused_in_one_line() -> None:
    with tempfile.TemporaryDirectory(prefix="orch-readonly-") as folder:
        os.chmod(folder, 0o555)
        arguments = [sys.executable, "-c", AS_NOBODY, f"{folder}/a/out"]
        run = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=True)
    place = os.path.realpath(folder)
    assert run.stdout.startswith(f"UserInputError output folder {place}/a/out: {place} cannot be written to")
    assert run.stdout.count("\n") == 1


@pytest.mark.parametrize("paths", HOSTILE_SETS)
def test_hostile_manifests_write_nothing(store: ArtifactStore, target: Path, paths: list[str]) -> None:
    async def scenario() -> None:
        blob = await store.put(b"evil")
        files = tuple(FileRef(path=path, sha256=blob.sha256, size=blob.size) for path in paths)
        with pytest.raises(ArtifactError):
            await export_manifest(store, await write_manifest(store, Manifest(files=files)), target, PROJECT)

    asyncio.run(scenario())
    assert os.listdir(target.parent) == []


def test_a_missing_blob_leaves_the_earlier_export(store: ArtifactStore, target: Path) -> None:
    export(store, target, FIRST)

    async def scenario() -> None:
        files = (FileRef(path="a", sha256="0" * 64, size=1),)
        with pytest.raises(ArtifactError, match="0" * 64):
            await export_manifest(store, await write_manifest(store, Manifest(files=files)), target, PROJECT)

    asyncio.run(scenario())
    assert software(target) == FIRST
    assert os.listdir(target.parent) == ["out"]


def test_a_full_disk_is_one_line_and_leaves_the_earlier_export(store: ArtifactStore, target: Path) -> None:
    import resource

    export(store, target, FIRST)
    manifest = asyncio.run(manifest_of(store, {"big": b"x" * 200_000}))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(PrerequisiteError) as caught:
            asyncio.run(export_manifest(store, manifest, target, PROJECT))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value)
    assert software(target) == FIRST
    assert os.listdir(target.parent) == ["out"]


def test_exports_at_the_same_time_end_with_one_of_them(store: ArtifactStore, target: Path) -> None:
    async def scenario() -> None:
        refs = [await manifest_of(store, files) for files in (FIRST, SECOND)]
        results = await asyncio.gather(
            *(export_manifest(store, refs[n % 2], target, PROJECT) for n in range(8)), return_exceptions=True
        )
        unexpected = [result for result in results if not isinstance(result, Path | PrerequisiteError)]
        assert not unexpected
        assert target in results

    asyncio.run(scenario())
    assert software(target) in (FIRST, SECOND)
    assert os.listdir(target.parent) == ["out"]


def test_leftovers_of_a_killed_export_are_cleaned(store: ArtifactStore, target: Path) -> None:
    prefix = f".orch-export-{hashlib.sha256(b'out').hexdigest()[:12]}-"
    stale, other = target.parent / f"{prefix}0123", target.parent / ".orch-export-of-something-else"
    for folder in (stale, other):
        folder.mkdir()
        (folder / "x").write_text("")
    export(store, target, FIRST)
    assert not stale.exists()
    assert other.exists()


class Interrupted(LocalBackend):
    """A store at work on a slow link: something else happens while the first file is read.

    The first read is that of the manifest.
    """

    def __init__(self, root: Path, meanwhile: Callable[[], Awaitable[object]]) -> None:
        super().__init__(root)
        self._meanwhile = meanwhile
        self._reads = 0

    async def read(self, name: str) -> bytes | None:
        self._reads += 1
        if self._reads == 2:
            await self._meanwhile()
        return await super().read(name)


def test_work_that_begins_during_an_export_is_kept(store: ArtifactStore, target: Path, tmp_path: Path) -> None:
    export(store, target, FIRST)
    manifest = asyncio.run(manifest_of(store, SECOND))

    async def edit() -> None:
        add_file(target)

    slow = ArtifactStore(Interrupted(tmp_path / "store", edit))
    with pytest.raises(UserInputError, match=r"notes\.txt"):
        asyncio.run(export_manifest(slow, manifest, target, PROJECT))
    assert software(target) == {**FIRST, "notes.txt": b"mine"}
    assert os.listdir(target.parent) == ["out"]


def test_an_export_leaves_alone_what_another_one_is_writing(store: ArtifactStore, target: Path, tmp_path: Path) -> None:
    async def scenario() -> None:
        first, second = [await manifest_of(store, files) for files in (FIRST, SECOND)]
        slow = ArtifactStore(Interrupted(tmp_path / "store", lambda: export_manifest(store, second, target, PROJECT)))
        await export_manifest(slow, first, target, PROJECT)

    asyncio.run(scenario())
    assert software(target) == FIRST
    assert os.listdir(target.parent) == ["out"]


def test_folders_swap_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    (first / "1").touch()
    (second / "2").touch()
    exchange(first, second)
    assert (os.listdir(first), os.listdir(second)) == (["2"], ["1"])
    monkeypatch.setattr(exchange_module, "_exchange_at_once", lambda *_: False)
    exchange(first, second)
    assert (os.listdir(first), os.listdir(second)) == (["1"], ["2"])
    with pytest.raises(FileNotFoundError):
        exchange(first, tmp_path / "missing")
    assert os.listdir(first) == ["1"]


EXPORTER = """
import asyncio, os, sys
from pathlib import Path
from orchestrator.artifacts.export import export_manifest
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.domain.refs import BlobRef

async def export_for_ever(url, target, *refs):
    store = ArtifactStore.open(url)
    print(os.getpid(), flush=True)
    while True:
        for ref in refs:
            await export_manifest(store, BlobRef.model_validate_json(ref), Path(target), "p1")

for _ in sys.stdin:
    pid = os.fork()
    if pid == 0:
        asyncio.run(export_for_ever(*sys.argv[1:]))
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


def test_a_kill_at_any_moment_leaves_one_whole_state(store: ArtifactStore, target: Path, tmp_path: Path) -> None:
    states = [{f"pkg/m{n}.py": f"{state} {n}".encode() * 50 for n in range(40 + state)} for state in range(2)]

    async def prepare() -> list[BlobRef]:
        return [await manifest_of(store, files) for files in states]

    refs = asyncio.run(prepare())
    arguments = [(tmp_path / "store").as_uri(), str(target), *(ref.model_dump_json() for ref in refs)]
    began = time.perf_counter()
    asyncio.run(export_manifest(store, refs[1], target, PROJECT))
    whole_s = time.perf_counter() - began
    chance = random.Random(7)
    leftovers = 0
    for beside in kill_repeatedly(arguments, 40, lambda: chance.uniform(0, 3 * whole_s), target):
        leftovers += len(beside)
        assert len(beside) <= 1
        assert software(target) in states
        check_target(target, PROJECT)
    assert leftovers > 0
    asyncio.run(export_manifest(store, refs[0], target, PROJECT))
    assert software(target) == states[0]
    assert os.listdir(target.parent) == ["out"]


def kill_repeatedly(arguments: list[str], times: int, delay_s: Callable[[], float], target: Path) -> Iterator[set[str]]:
    """Kills a process that exports without end, again and again; gives what lies beside the target then."""
    with subprocess.Popen(
        [sys.executable, "-c", EXPORTER, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        for _ in range(times):
            parent.stdin.write("\n")
            parent.stdin.flush()
            pid = int(parent.stdout.readline())
            time.sleep(delay_s())  # the moment of the kill is the random input of this test
            os.kill(pid, signal.SIGKILL)
            assert parent.stdout.readline() == "-9\n"
            yield set(os.listdir(target.parent)) - {"out"}
        parent.stdin.close()

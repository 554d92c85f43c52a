"""The tool environment and the cgroup of a run, apart from any sandbox."""

import asyncio
import os
from pathlib import Path

import pytest

from orchestrator.domain.errors import PrerequisiteError
from orchestrator.settings import load_settings
from orchestrator.validators.cgroups import Cgroup, find_base, remove_orphans
from orchestrator.validators.limits import MIB, Limits
from orchestrator.validators.tools import ToolEnvironment
from tests.sandbox.boxes import tool_environment


def test_environment_is_found_again_and_readable_by_all() -> None:
    tools = tool_environment()
    assert tools.is_ready()
    assert tools.root.stat().st_mode & 0o005 == 0o005
    assert (tools.root / "bin" / "ruff").stat().st_mode & 0o001
    assert asyncio.run(tools.ensure()) == tools.root


def test_failing_installer_is_told_with_the_fix(tmp_path: Path) -> None:
    uv = tmp_path / "uv"
    uv.write_text('#!/bin/sh\n[ -n "$OPENAI_API_KEY" ] && echo leaked >&2 && exit 1\necho no route >&2\nexit 1\n')
    uv.chmod(0o755)
    environment = {
        "HOME": str(tmp_path),
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        "ORCHESTRATOR_CACHE_DIR": str(tmp_path / "cache"),
        "OPENAI_API_KEY": "key",
    }
    tools = ToolEnvironment(load_settings(environment, tmp_path))
    with pytest.raises(PrerequisiteError, match=r"no route.*package index"):
        asyncio.run(tools.ensure())
    assert not tools.is_ready()


def test_unwritable_cache_is_told_with_the_fix(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    environment = {"HOME": str(tmp_path), "ORCHESTRATOR_CACHE_DIR": str(tmp_path / "file")}
    with pytest.raises(PrerequisiteError, match="ORCHESTRATOR_CACHE_DIR"):
        asyncio.run(ToolEnvironment(load_settings(environment, tmp_path)).ensure())


def test_requirements_name_no_index_and_pin_by_hash() -> None:
    text = (Path(__file__).parents[3] / "orchestrator/validators/tool-requirements.txt").read_text()
    assert "://" not in text
    assert "pytest==" in text
    assert "--hash=sha256:" in text


def _hierarchy(folder: Path, own: str, controllers: str) -> tuple[str, str]:
    (folder / "cg" / own).mkdir(parents=True)
    for path in (folder / "cg", folder / "cg" / own):
        (path / "cgroup.subtree_control").write_text(controllers if path.name == "cg" else "")
        (path / "cgroup.procs").write_text("")
    (folder / "own").write_text(f"1:name=systemd:/x\n0::/{own}\n")
    (folder / "mounts").write_text(f"cgroup2 {folder / 'cg'} cgroup2 rw 0 0\n")
    return str(folder / "own"), str(folder / "mounts")


def test_cgroup_base_needs_both_controllers(tmp_path: Path) -> None:
    assert find_base(*_hierarchy(tmp_path / "a", "scope", "cpu memory pids")) == tmp_path / "a" / "cg"
    assert find_base(*_hierarchy(tmp_path / "b", "scope", "cpu memory")) is None
    assert find_base(str(tmp_path / "absent"), str(tmp_path / "absent")) is None


def test_cgroup_holds_the_limits_and_tells_which_was_hit(tmp_path: Path) -> None:
    limits = Limits(memory_bytes=100 * MIB, disk_bytes=MIB, processes=10)
    cgroup = Cgroup.create(tmp_path, limits, disks=4)
    assert cgroup is not None
    (folder,) = tmp_path.iterdir()
    assert (folder / "memory.max").read_text() == str(104 * MIB)
    assert int((folder / "pids.max").read_text()) > 10
    assert cgroup.limit_hit() == ""
    (folder / "pids.events").write_text("max 3\n")
    assert cgroup.limit_hit() == "processes"
    (folder / "memory.events").write_text("low 0\noom 1\noom_kill 1\n")
    assert cgroup.limit_hit() == "memory"
    assert Cgroup.create(tmp_path / "absent", limits, disks=4) is None
    assert Cgroup.create(None, limits, disks=4) is None


def test_cgroups_of_dead_owners_are_removed(tmp_path: Path) -> None:
    dead, ours = tmp_path / "orch-sandbox-999999999-0", tmp_path / f"orch-sandbox-{os.getpid()}-0"
    dead.mkdir()
    ours.mkdir()
    remove_orphans(tmp_path)
    assert (dead.exists(), ours.exists()) == (False, True)

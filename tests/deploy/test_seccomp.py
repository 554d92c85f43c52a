"""The system calls of tool workers: enough for bubblewrap, none that a sandbox of ours needs not have."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.settings import load_settings
from orchestrator.validators.sandbox import Sandbox
from orchestrator.validators.tools import ToolEnvironment
from tests.deploy.files import SECCOMP

NO_LIBRARY = 3
PROFILE = json.loads(SECCOMP.read_text(encoding="utf-8"))
NEEDED = {"clone", "clone3", "unshare", "mount", "umount2", "pivot_root", "sethostname", "prctl", "seccomp"}
DANGEROUS = {"bpf", "init_module", "kexec_load", "perf_event_open", "ptrace", "keyctl", "io_uring_setup", "userfaultfd"}


def denied() -> set[str]:
    return {name for rule in PROFILE["syscalls"] for name in rule["names"]}


def test_it_denies_what_attacks_the_kernel_and_nothing_that_bubblewrap_needs() -> None:
    assert denied() >= DANGEROUS
    assert not denied() & NEEDED


def probe(profile: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "tests.deploy.confined_probe", str(profile)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ), timeout=60)


@pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed")
def test_bubblewrap_works_under_it_without_any_capability(tmp_path: Path) -> None:
    settings = load_settings()
    if Sandbox.detect(settings, ToolEnvironment(settings)).kind != "bubblewrap":
        pytest.skip("no sandbox can be made here at all")
    done = probe(SECCOMP)
    if done.returncode == NO_LIBRARY:
        pytest.skip("libseccomp is not installed")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    without = tmp_path / "profile.json"
    without.write_text(json.dumps({**PROFILE, "syscalls": [{**PROFILE["syscalls"][0], "names": ["mount"]}]}))
    assert "cannot make a sandbox" in probe(without).stdout, (
        "the profile must be in force for the first probe to mean anything"
    )

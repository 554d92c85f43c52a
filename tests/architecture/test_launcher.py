"""./orch-cli on a copy of its folder, with stand-ins for uv and Python: nothing is installed."""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT

# Makes a Python that says how it was called and whose pip fails; `uv pip` fails where the test says so.
UV = """#!/bin/sh
echo "$*" >>"$CALLS"
case $1 in
    venv)
        for venv do :; done
        mkdir -p "$venv/bin"
        printf '%s\\n' '#!/bin/sh' 'case $* in -c*|*--version) exit ;; "-m pip install"*) exit 1 ;; esac' \\
            'printf "%s|" "$PWD" "$@"' >"$venv/bin/python"
        chmod +x "$venv/bin/python"
        ;;
    pip) [ ! -e "$CALLS.fail" ] ;;
esac
"""


@dataclass(frozen=True)
class Clone:
    """A copy of the launcher and what it reads; `calls` records what was asked of uv."""

    folder: Path
    calls: Path
    environment: dict[str, str]

    def command(self, *arguments: str) -> list[str]:
        return [str(self.folder / "orch-cli"), *arguments]

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            env=self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def asked(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    folder = tmp_path / "a clone with spaces"
    tools = tmp_path / "tools"
    folder.mkdir()
    tools.mkdir()
    for name in ("orch-cli", "requirements.lock", "requirements-dev.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    for name, text in {"uv": UV, "bwrap": "#!/bin/sh\n"}.items():
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    calls = tmp_path / "calls"
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    return Clone(folder, calls, dict(os.environ) | {"PATH": path, "CALLS": str(calls)})


def test_first_use_installs_from_the_hashed_lock_and_says_so(clone: Clone) -> None:
    done = clone.run("start", "--project", "two words")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{Path.cwd()}|-P|-m|cli.main|start|--project|two words|"
    assert "first use: making the Python environment" in done.stderr
    venv, packages, ourselves = clone.asked()
    assert venv.startswith("venv ")
    assert "--require-hashes" in packages
    assert "requirements.lock" in packages
    assert "--no-deps --no-build-isolation --offline -e" in ourselves


def test_later_calls_are_silent_and_quick(clone: Clone) -> None:
    clone.run()
    asked = clone.asked()
    started = time.perf_counter()
    done = clone.run("status")
    assert time.perf_counter() - started < 0.1
    assert done.stderr == ""
    assert clone.asked() == asked


def test_links_lead_to_the_clone(clone: Clone, tmp_path: Path) -> None:
    clone.run()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/direct").symlink_to(clone.folder / "orch-cli")
    (tmp_path / "bin/relative").symlink_to("direct")
    done = subprocess.run(
        [str(tmp_path / "bin/relative"), "list"],
        env=clone.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith("|-P|-m|cli.main|list|")
    assert done.stderr == ""


def test_a_changed_lock_is_installed(clone: Clone) -> None:
    clone.run()
    with (clone.folder / "requirements.lock").open("a") as lock:
        lock.write("# newer\n")
    done = clone.run()
    assert "bringing .venv in line with requirements.lock" in done.stderr
    assert len(clone.asked()) == 5


def test_a_failed_installation_counts_for_nothing(clone: Clone) -> None:
    failing = Path(f"{clone.calls}.fail")
    failing.touch()
    done = clone.run()
    assert done.returncode == 1
    assert done.stdout == ""
    assert "the installation failed" in done.stderr
    failing.unlink()
    done = clone.run("list")
    assert done.returncode == 0
    assert "first use" in done.stderr


def test_a_moved_clone_gets_a_new_environment(clone: Clone) -> None:
    clone.run()
    moved = clone.folder.rename(clone.folder.with_name("moved"))
    done = Clone(moved, clone.calls, clone.environment).run()
    assert done.returncode == 0
    assert "first use" in done.stderr
    assert clone.asked()[3].startswith("venv ")


def test_first_calls_at_once_install_once(clone: Clone) -> None:
    running = [
        subprocess.Popen(clone.command(str(i)), env=clone.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for i in range(6)
    ]
    outputs = [process.communicate(timeout=60)[0].decode() for process in running]
    assert [process.returncode for process in running] == [0] * 6
    assert [output.split("|")[-2] for output in outputs] == list("012345")
    assert len(clone.asked()) == 3


def test_tools_of_development_come_on_request(clone: Clone) -> None:
    done = clone.run(ORCH_LAUNCHER="dev")
    assert done.returncode == 0
    assert done.stdout == ""
    assert [call for call in clone.asked() if "requirements-dev.lock" in call]
    assert clone.run().stderr == ""


def few_tools(folder: Path, **stand_ins: str) -> str:
    """A PATH that holds what the launcher is written with, uv, Python and these stand-ins: no bubblewrap."""
    folder.mkdir()
    for name in ("sh", "cat", "cmp", "head", "mv", "rm", "mkdir", "chmod", "uname", "env"):
        found = shutil.which(name)
        assert found
        (folder / name).symlink_to(found)
    python = f'#!/bin/sh\nexec "{sys.executable}" "$@"\n'
    for name, text in {"uv": UV, "python3": python, **stand_ins}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return str(folder)


@pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is for Linux")
@pytest.mark.parametrize(
    ("user", "sudo", "expected"),
    [(0, 1, "apt-get -o DPkg::Lock::Timeout=60 install -y bubblewrap"), (1000, 0, "sudo"), (1000, 1, "")],
)
def test_bubblewrap_is_installed_once_where_it_may(
    clone: Clone, tmp_path: Path, user: int, sudo: int, expected: str
) -> None:
    record = '#!/bin/sh\necho "${0##*/} $*" >>"$CALLS.packages"\nexit '
    path = few_tools(
        tmp_path / "few tools",
        **{"id": f"#!/bin/sh\necho {user}\n", "sudo": f"{record}{sudo}\n", "apt-get": f"{record}0\n"},
    )
    first = clone.run(PATH=path)
    assert first.returncode == 0, first.stderr
    assert ("installing bubblewrap" if expected else "please install the package 'bubblewrap'") in first.stderr
    packages = Path(f"{clone.calls}.packages")
    assert expected in packages.read_text()
    asked = packages.read_text()
    (clone.folder / "requirements.lock").write_text("# other\n")
    again = clone.run(PATH=path)
    assert "bubblewrap" not in again.stderr
    assert packages.read_text() == asked


@pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is for Linux")
def test_a_failing_package_manager_does_not_stop_the_launch(clone: Clone, tmp_path: Path) -> None:
    failing = {"id": "#!/bin/sh\necho 0\n", "apt-get": "#!/bin/sh\necho no network >&2\nexit 100\n"}
    done = clone.run("list", PATH=few_tools(tmp_path / "few tools", **failing))
    assert done.returncode == 0
    assert done.stdout.endswith("list|")
    assert "that did not work" in done.stderr
    assert "no network" in (clone.folder / ".venv/.bubblewrap.log").read_text()


def test_without_a_python_it_says_what_is_needed(clone: Clone, tmp_path: Path) -> None:
    path = few_tools(tmp_path / "few tools", python3="#!/bin/sh\nexit 1\n")
    done = clone.run(PATH=path)
    assert done.returncode == 1
    assert "Python 3.11 or later is needed" in done.stderr

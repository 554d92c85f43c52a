"""Environments of checked code, installed from an index on loopback."""

import asyncio
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from orchestrator.domain.apps import DependencyPolicy
from orchestrator.domain.errors import PrerequisiteError
from orchestrator.domain.findings import CheckStatus
from orchestrator.settings import load_settings
from orchestrator.validators.environments.cache import remove_unused
from orchestrator.validators.environments.ensure import Environments
from orchestrator.validators.environments.environment import Environment
from orchestrator.validators.environments.installer import folder_lock
from orchestrator.validators.limits import MIB, Limits
from orchestrator.validators.registry import check_files
from orchestrator.validators.tools import ToolEnvironment
from tests.sandbox.boxes import SMALL, sandbox
from tests.unit.validators.local_index import LocalIndex, archive, local_index, wheel

ANYTHING = DependencyPolicy()


@pytest.fixture(scope="module")
def index() -> Iterator[LocalIndex]:
    with local_index() as opened:
        opened.add(wheel("tinydep", "1.0", {"tinydep.py": "VALUE = 7\n"}))
        opened.add(wheel("tinydep", "1.5", {"tinydep.py": "VALUE = 8\n"}))
        opened.add(wheel("needy", "2.0", {"needy.py": "import tinydep\n"}, ("tinydep>=1",)))
        opened.add(wheel("PyYAML", "6.9", {"yaml/__init__.py": "NAME = 'yaml'\n"}))
        opened.add(wheel("clash", "1.0", {"clash.py": ""}, ("tinydep<1.2",)))
        opened.add(
            wheel(
                "speaker", "1.0", {"speaker.py": "", "bin/speak": "#!python\nimport sys\nprint('said', sys.prefix)\n"}
            )
        )
        yield opened


@pytest.fixture(scope="module")
def uv() -> str:
    """The folder of uv; empty where it cannot be had here."""
    tools = ToolEnvironment(load_settings(folder=Path("/nonexistent")), "installer")
    try:
        return str(asyncio.run(tools.ensure()) / "bin")
    except PrerequisiteError:
        return ""


def environments(folder: Path, index_url: str, uv: str, **extra: str) -> Environments:
    """Environments with a cache of their own that know no other index."""
    path = os.pathsep.join(part for part in (uv, "/usr/local/bin", "/usr/bin", "/bin") if part)
    environment = {
        "HOME": str(folder),
        "PATH": path,
        "ORCHESTRATOR_CACHE_DIR": str(folder / "cache"),
        "PIP_INDEX_URL": f"{index_url}/simple/",
        "PIP_RETRIES": "0",
        "UV_HTTP_RETRIES": "0",
        "UV_CACHE_DIR": str(folder / "uv-cache"),
        "npm_config_registry": index_url,
        "npm_config_cache": str(folder / "npm-cache"),
        "npm_config_fetch_retries": "0",
        **extra,
    }
    (folder / "cache").mkdir(exist_ok=True)
    (folder / "cache" / "tools").symlink_to(ToolEnvironment(load_settings(folder=Path("/nonexistent"))).root.parent)
    return Environments(load_settings(environment, folder))


def ensure(made: Environments, files: Mapping[str, str], policy: DependencyPolicy = ANYTHING) -> Environment:
    return asyncio.run(made.ensure({path: text.encode() for path, text in files.items()}, policy))


def told(environment: Environment) -> list[tuple[str, int, str]]:
    return [(finding.path, finding.line, finding.rule) for finding in environment.findings]


def test_files_that_need_nothing_get_nothing(tmp_path: Path) -> None:
    made = environments(tmp_path, "http://127.0.0.1:9", "")
    files = {"a.py": "import os, b\nfrom . import c\nimport pytest\n", "b.py": "", "requirements.txt": "pytest\n"}
    assert ensure(made, files) == Environment()
    assert not (tmp_path / "cache" / "environments").exists()


@pytest.mark.parametrize("way", ["uv", "pip"])
def test_declared_packages_are_there_for_tests_and_programs(
    tmp_path: Path, index: LocalIndex, uv: str, way: str
) -> None:
    if way == "uv" and not uv:
        pytest.skip("uv is not to be had here")
    made = environments(tmp_path, index.url, uv if way == "uv" else "")
    if way == "pip":
        (tmp_path / "cache" / "tools").unlink()  # uv is in no index that this one knows
    files = {
        "pyproject.toml": "[project]\nname='app'\ndependencies=['needy']\n[dependency-groups]\ndev=['speaker']\n",
        "test_app.py": "import needy, tinydep\ndef test_it():\n    assert tinydep.VALUE == 8\n",
    }
    found = ensure(made, files)
    assert (found.findings, found.unavailable) == ((), "")
    assert found.packages["tinydep"] == "1.5"
    assert found.python
    encoded = {path: text.encode() for path, text in files.items()}
    result = asyncio.run(check_files(encoded, frozenset(), ["pytest"], sandbox(), environment=found))[0]
    assert result.status is CheckStatus.PASSED, result
    run = asyncio.run(sandbox().run(["speak"], {}, _limits(), installed=found))
    assert (run.exit_code, run.stdout) == (0, "said /opt/orch-environment\n"), run
    before = len(index.asked)
    assert ensure(made, files) == found
    assert len(index.asked) == before


def _limits() -> Limits:
    return SMALL.model_copy(update={"memory_bytes": 512 * MIB})


@pytest.fixture
def made(tmp_path: Path, index: LocalIndex, uv: str) -> Environments:
    return environments(tmp_path, index.url, uv)


def test_distributions_that_do_not_exist_are_named_and_the_others_are_installed(made: Environments) -> None:
    found = ensure(made, {"requirements.txt": "# ours\nno-such-thing==1\ntinydep\n\nneedy>=9\n"})
    assert told(found) == [
        ("requirements.txt", 2, "no-such-distribution"),
        ("requirements.txt", 5, "no-such-version"),
    ]
    assert "no-such-thing" in found.findings[0].message
    assert set(found.packages) == {"tinydep"}
    again = ensure(made, {"requirements.txt": "# ours\nno-such-thing==1\ntinydep\n\nneedy>=9\n"})
    assert told(again) == told(found)


def test_requirements_that_cannot_go_together_are_told(made: Environments) -> None:
    found = ensure(made, {"requirements.txt": "clash\ntinydep>=1.5\n"})
    assert [finding.rule for finding in found.findings] == ["conflict"]
    assert found.python is None


def test_policy_decides(made: Environments) -> None:
    files = {"requirements.txt": "tinydep>=1.2\nPyYAML\nneedy\n"}
    policy = DependencyPolicy(denied=("pyyaml",), allowed=("tinydep", "PyYAML"), pinned={"tinydep": "1.5"})
    found = ensure(made, files, policy)
    assert told(found) == [("requirements.txt", 2, "denied"), ("requirements.txt", 3, "not-allowed")]
    assert found.packages == {"tinydep": "1.5"}
    pinned = ensure(made, files, DependencyPolicy(pinned={"tinydep": "1.0"}))
    assert told(pinned) == [("requirements.txt", 1, "pinned")]
    assert pinned.packages["tinydep"] == "1.0"


def test_what_is_denied_does_not_come_along_with_others(made: Environments) -> None:
    found = ensure(made, {"requirements.txt": "needy\n"}, DependencyPolicy(denied=("tinydep",)))
    assert [finding.rule for finding in found.findings] == ["denied"]
    assert found.python is None


def test_imports_are_resolved_by_the_list_and_never_guessed(made: Environments, index: LocalIndex) -> None:
    index.add(wheel("zorkmid", "6.6", {"zorkmid.py": "raise SystemExit('guessed')\n"}))
    files = {
        "app.py": "import yaml\nimport zorkmid.sub\ntry:\n    import guarded\nexcept ImportError:\n    pass\n",
        "helper.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import only_types\nimport app\n",
    }
    found = ensure(made, files)
    assert told(found) == [("app.py", 2, "unknown-import")]
    assert found.resolved.python == ("PyYAML>=6.9",)
    assert [finding.rule for finding in found.verdict().findings] == ["unknown-import", "undeclared"]
    assert [finding.path for finding in found.undeclared] == ["app.py"]
    owned = ensure(made, {"src/app.py": "import yaml\n", "pyproject.toml": "[project]\nname = 'app'\n"})
    assert [finding.path for finding in owned.verdict(frozenset(["pyproject.toml"])).findings] == ["pyproject.toml"]
    assert owned.verdict(frozenset(["src/app.py"])).status is CheckStatus.PASSED
    assert not [path for path in index.asked if "zorkmid" in path]


def test_what_a_declared_package_brings_along_needs_no_declaration(made: Environments, index: LocalIndex) -> None:
    needs = ("PyYAML>=1", "tinydep; extra == 'more'", "no-such-thing; python_version < '3'")
    index.add(wheel("bringer", "1.0", {"bringer.py": ""}, needs))
    files = {"requirements.txt": "bringer\n", "app.py": "import bringer, yaml\n"}
    found = ensure(made, files)
    assert (found.findings, found.undeclared, found.resolved.python) == ((), (), ())
    assert "pyyaml" in found.packages


def test_a_declared_package_may_bring_modules_of_any_name(made: Environments, index: LocalIndex) -> None:
    index.add(wheel("odd-name", "1.0", {"quite_another.py": ""}))
    found = ensure(made, {"requirements.txt": "odd-name\n", "a.py": "import quite_another\n"})
    assert found.findings == ()


def test_what_is_no_plain_requirement_is_refused(made: Environments, index: LocalIndex, tmp_path: Path) -> None:
    hostile = [
        "--index-url https://me:hunter2@evil.invalid/simple", "-e .", "-f /etc", ".", "./local", "/etc/passwd",
        "git+https://evil.invalid/x.git", "tinydep @ https://evil.invalid/x.whl", "https://evil.invalid/x.tar.gz",
        "--extra-index-url=https://evil.invalid", "x.whl", "tinydep; os.system('touch x')", "-rrequirements.txt",
    ]  # fmt: skip
    found = ensure(made, {"requirements.txt": "\n".join(hostile) + "\n"})
    assert [finding.line for finding in found.findings] == list(range(1, len(hostile) + 1))
    assert {finding.rule for finding in found.findings} <= {"refused-option", "refused-address", "invalid-requirement"}
    assert found.python is None
    assert "hunter2" not in repr(found)
    assert not (tmp_path / "cache" / "environments").exists()


def test_no_code_of_a_package_runs_when_it_is_installed(made: Environments, index: LocalIndex, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    setup = f"open({str(marker)!r}, 'w').close()\nfrom setuptools import setup\nsetup(name='evil', version='1.0')\n"
    source = archive({"setup.py": setup, "PKG-INFO": "Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n"}, "evil-1.0")
    index.add(("evil-1.0.tar.gz", source))
    found = ensure(made, {"requirements.txt": "evil\n"})
    assert told(found) == [("requirements.txt", 1, "no-wheel")]
    assert not marker.exists()


@pytest.mark.parametrize("way", ["uv", "pip"])
def test_outage_is_no_defect_of_the_files(tmp_path: Path, uv: str, way: str) -> None:
    if way == "uv" and not uv:
        pytest.skip("uv is not to be had here")
    made = environments(tmp_path, "http://me:hunter2@127.0.0.1:9", uv if way == "uv" else "")
    if way == "pip":
        (tmp_path / "cache" / "tools").unlink()
    files = {"requirements.txt": "tinydep\n", "test_a.py": "import tinydep\n"}
    found = ensure(made, files)
    assert found.unavailable
    assert found.findings == ()
    assert "hunter2" not in repr(found)
    assert found.verdict().status is CheckStatus.UNCHECKED
    encoded = {path: text.encode() for path, text in files.items()}
    result = asyncio.run(check_files(encoded, frozenset(), ["pytest"], sandbox(), environment=found))[0]
    assert result.status is CheckStatus.UNCHECKED
    assert "packages could not be installed" in result.reason


def test_installers_get_no_key_of_ours(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    fake = tmp_path / "bin"
    fake.mkdir()
    for name in ("uv", "npm"):
        program = fake / name
        program.write_text(f"#!/bin/sh\nenv >> {seen}\nexit 2\n")
        program.chmod(0o755)
    made = environments(tmp_path, "http://127.0.0.1:9", str(fake), OPENAI_API_KEY="sk-1", AWS_SECRET_ACCESS_KEY="x")
    found = ensure(made, {"requirements.txt": "tinydep\n", "package.json": '{"dependencies": {"left-pad": "1"}}'})
    assert found.unavailable
    names = {line.partition("=")[0] for line in seen.read_text().splitlines()}
    assert "PIP_INDEX_URL" in names
    assert not names & {"OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "ORCHESTRATOR_CACHE_DIR"}


def test_two_that_ask_at_once_install_once(tmp_path: Path, index: LocalIndex, uv: str) -> None:
    first = environments(tmp_path, index.url, uv)
    (tmp_path / "cache" / "tools").unlink()
    second = environments(tmp_path, index.url, uv)
    index.add(wheel("fresh", "1.0", {"fresh.py": ""}))
    before = len(index.asked)

    async def both() -> list[Environment]:
        files = {"requirements.txt": b"fresh\n"}
        return list(await asyncio.gather(first.ensure(files, ANYTHING), second.ensure(files, ANYTHING)))

    one, other = asyncio.run(both())
    assert one == other
    assert one.python
    assert index.asked[before:].count("/simple/fresh/") == 1


def test_what_nobody_used_for_weeks_is_removed_and_what_is_built_stays(tmp_path: Path) -> None:
    for name in ("python-old", "python-old.new", "node-new", "python-held", "python-held.new"):
        (tmp_path / name / "lib").mkdir(parents=True)
    month_ago_s = time.time() - 30 * 86_400
    for name in ("python-old", "python-old.new", "python-held", "python-held.new"):
        os.utime(tmp_path / name, (month_ago_s, month_ago_s))

    async def hold() -> None:
        async with folder_lock(tmp_path / "python-held.lock"):
            remove_unused(tmp_path)

    asyncio.run(hold())
    left = sorted(path.name for path in tmp_path.iterdir() if path.is_dir())
    assert left == ["node-new", "python-held", "python-held.new"]


def test_an_unusable_cache_is_told_with_the_fix(tmp_path: Path, index: LocalIndex, uv: str) -> None:
    made = environments(tmp_path, index.url, uv)
    (tmp_path / "cache" / "environments").write_text("")
    found = ensure(made, {"requirements.txt": "tinydep\n"})
    assert "ORCHESTRATOR_CACHE_DIR" in found.unavailable


needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")


@needs_npm
def test_packages_of_node_are_installed_without_their_scripts(
    made: Environments, index: LocalIndex, tmp_path: Path
) -> None:
    marker = tmp_path / "ran"
    index.add_node("tiny", "1.2.0", {"index.js": "module.exports = 7"}, scripts={"postinstall": f"touch {marker}"})
    index.add_node("clsx", "2.0.0", {"index.js": "module.exports = () => ''"})
    files = {
        "web/package.json": '{\n"dependencies": {\n"tiny": "^1",\n"evil": "git+https://x.invalid/x",\n"gone": "1"}}',
        "web/a.js": "const clsx = require('clsx');\nimport x from 'nowhere-else/part';\nimport './b'",
        "web/node_modules/tiny/index.js": "module.exports = 'mine'",
        "web/run.js": "console.log(require('tiny'))",
    }
    found = ensure(made, files)
    assert sorted(told(found)) == [
        ("web/a.js", 2, "unknown-import"),
        ("web/package.json", 4, "refused-address"),
        ("web/package.json", 5, "no-such-distribution"),
    ]
    assert found.resolved.node == ("clsx@^2.0.0",)
    assert not marker.exists()
    run = asyncio.run(
        sandbox().run(
            ["node", "web/run.js"], {path: text.encode() for path, text in files.items()}, _limits(), installed=found
        )
    )
    assert (run.exit_code, run.stdout) == (0, "7\n"), run
    assert not [path for path in index.asked if "nowhere-else" in path]


@needs_npm
def test_outage_of_the_registry_is_no_defect_of_the_files(tmp_path: Path) -> None:
    found = ensure(
        environments(tmp_path, "http://127.0.0.1:9", ""), {"package.json": '{"dependencies": {"tiny": "1"}}'}
    )
    assert "npm cannot install" in found.unavailable
    assert found.findings == ()


@needs_npm
def test_policy_decides_over_packages_of_node(made: Environments, index: LocalIndex) -> None:
    index.add_node("tiny", "1.2.0", {"index.js": ""})
    files = {"package.json": '{"dependencies": {"tiny": "1", "other": "2"}}'}
    found = ensure(made, files, DependencyPolicy(denied=("tiny",), allowed=("tiny",)))
    assert [finding.rule for finding in found.findings] == ["denied", "not-allowed"]
    assert found.node == {}

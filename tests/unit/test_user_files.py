"""The user's own files: taken from beside the project file, and from nowhere else."""

import os
from pathlib import Path

import pytest

from orchestrator.client.project_file import ProjectFile, load_project_file
from orchestrator.client.user_files import MAX_FILES
from orchestrator.domain.errors import UserInputError

SECRET = "not for models"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "outside.txt").write_text(SECRET)
    folder = tmp_path / "project"
    (folder / "data/deep").mkdir(parents=True)
    (folder / "data/a.csv").write_text("a")
    (folder / "data/deep/b.bin").write_bytes(b"\x00\xff")
    (folder / "data/.hidden").write_text(SECRET)
    (folder / "data/__pycache__").mkdir()
    (folder / "data/__pycache__/x.pyc").write_text(SECRET)
    (folder / "data/link").symlink_to(folder.parent / "outside.txt")
    (folder / "link").symlink_to(folder.parent / "outside.txt")
    (folder / "linked").symlink_to(folder.parent)
    (folder / ".env").write_text(SECRET)
    (folder / "Data.txt").write_text("1")
    (folder / "large").write_bytes(b"x" * (1024 * 1024 + 1))
    (folder / ".env.local").write_text(SECRET)
    (folder / ".env.example").write_text("KEY=")
    (folder / ".ssh").mkdir()
    (folder / ".ssh/config").write_text(SECRET)
    (folder / "deploy").mkdir()
    (folder / "deploy/id_rsa").write_text(SECRET)
    (folder / "deploy/tls.key").write_text(SECRET)
    (folder / ".github").mkdir()
    (folder / ".github/ci.yml").write_text("on: push")
    os.mkfifo(folder / "pipe")
    return folder


def load(folder: Path, files: str) -> ProjectFile:
    path = folder / "project.yaml"
    path.write_text(f"project: p\nfiles: {files}\n", encoding="utf-8")
    return load_project_file(path, lambda name: name)


def test_hidden_files_that_hold_no_keys_are_taken_by_name(folder: Path) -> None:
    assert load(folder, "[.env.example, .github/ci.yml]").files == {
        ".env.example": b"KEY=",
        ".github/ci.yml": b"on: push",
    }


def test_files_and_folders_keep_or_change_their_path(folder: Path) -> None:
    found = load(folder, "[data/, Data.txt, {path: src/x.csv, source: data/a.csv}, {path: all, source: data}]")
    assert found.files == {
        "data/a.csv": b"a",
        "data/deep/b.bin": b"\x00\xff",
        "Data.txt": b"1",
        "src/x.csv": b"a",
        "all/a.csv": b"a",
        "all/deep/b.bin": b"\x00\xff",
    }


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("../outside.txt", "'..' in the path"),
        ("data/../../outside.txt", "'..' in the path"),
        ("/etc/passwd", "absolute path"),
        ("~/.netrc", "absolute path"),
        ("link", "leads out of the folder"),
        ("linked/outside.txt", "leads out of the folder"),
        ("data/link", "leads out of the folder"),
        (".env", "'.env' may hold keys"),
        (".env.local", "may hold keys"),
        (".ssh/config", "'.ssh/config' may hold keys"),
        (".ssh", "may hold keys"),
        ("deploy", "'deploy/id_rsa' may hold keys"),
        ("{path: k.txt, source: deploy/tls.key}", "'deploy/tls.key' may hold keys"),
        ("pipe", "'pipe' is no file"),
        ("large", "'large' is larger than 1048576 bytes"),
        ("nothing", "'nothing' cannot be read: No such file"),
        ("{path: ../x, source: data}", "'..' in the path"),
        ("{path: CON, source: data/a.csv}", "special on other systems"),
        ("{path: data/A.CSV, source: data/a.csv}", "clashes with another path"),
        ("{path: data/a.csv/x, source: data/a.csv}", "clashes with another path"),
        ('"a\\u202eb"', "control or format characters"),
    ],
)
def test_what_is_not_to_be_read_is_refused(folder: Path, entry: str, says: str) -> None:
    with pytest.raises(UserInputError) as caught:
        load(folder, f"[data/a.csv, {entry}]")
    message = str(caught.value)
    assert "project.yaml:2:" in message and "files[1]" in message
    assert says in message
    assert SECRET not in message


def test_there_is_a_limit_of_files(folder: Path) -> None:
    (folder / "many").mkdir()
    for number in range(MAX_FILES + 1):
        (folder / "many" / str(number)).touch()
    with pytest.raises(UserInputError, match=f"more than {MAX_FILES} files"):
        load(folder, "[many]")

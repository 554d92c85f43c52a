"""What a command line about schedules can get wrong: one line, exit code 2, before anything is started."""

from pathlib import Path

import pytest

from cli.main import run

PROJECT = "project: Convert Celsius\ncriteria: Tests pass\nbudget: 1.0\n"


@pytest.mark.parametrize(
    "options, why",
    [
        ((), "--cron, --every or --calendar"),
        (("--cron", "0 2"), "--cron: must have five fields"),
        (("--every", "1h", "--timezone", "Mars/Olympus"), "--timezone: unknown time zone"),
        (("--every", "1h", "--overlap", "queue"), "--overlap: must be skip, buffer, allow, cancel"),
        (("--every", "1h", "--budget-per-month", "much"), "--budget-per-month: must be a number"),
        (("--every", "1h", "--budget-per-run", "0.5"), "budget of $1.00 is above the $0.50"),
        (("--every", "1h", "--output-dir", "results/%Q"), "--output-dir: '%Q' is no part of a date"),
        (("--every", "1h", "--webhook", "mailto:me"), "--webhook: must be an http"),
        (("--every", "1h", "--webhook", "https://example.com"), "set ORCH_WEBHOOK_SECRET"),
        (("--every", "1h", "--on-finish", "sh -c id"), "--on-finish: must begin with the absolute path"),
        (("--every", "1h", "--on-finish", "/bin/true"), "name it in ORCH_HOOK_COMMANDS"),
    ],
)
def test_a_mistake_is_one_line(
    options: tuple[str, ...],
    why: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "project.yaml").write_text(PROJECT, encoding="utf-8")
    monkeypatch.setenv("ORCH_HOME", str(tmp_path / "home"))
    assert run(["schedule", "create", "nightly", "--file", "project.yaml", *options]) == 2
    said = capsys.readouterr()
    assert not said.out
    assert len(said.err.splitlines()) == 1 and why in said.err
    assert not (tmp_path / "home" / "temporal").exists()


def test_a_name_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schedule", "show", "Nightly Run"]) == 2
    assert "small letters" in capsys.readouterr().err

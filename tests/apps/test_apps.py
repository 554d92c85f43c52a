"""Each application, from a sentence to software that installs into a clean environment, passes its tests and starts."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.apps.corpus import APPS, KNOWN, App
from tests.e2e.theatre import Theatre, summary
from tests.scaffolds.rig import Software, get

CHECKS_S = 600.0
_SAMPLE = ("landing_page",)
_CASES = [pytest.param(app, id=app.name, marks=[] if app.name in _SAMPLE else [pytest.mark.long]) for app in APPS]


def built(theatre: Theatre, app: App) -> dict[str, Any]:
    """The result of the run; it must be a success."""
    theatre.play(app.script.reply)
    command = theatre.installation.begin(
        "start", "--project", app.project, "--criteria", app.criteria, "--budget", "20", "--new-project",
        "--output-dir", str(theatre.installation.folder / app.name), "--json", "--no-input",
    )  # fmt: skip
    outcome = command.wait(CHECKS_S)
    assert outcome.code == 0, f"{outcome.object.get('reason')}\n{outcome.err[-3000:]}"
    assert summary(outcome.object)["status"] == "SUCCESS"
    return outcome.object


@pytest.mark.parametrize("app", _CASES)
def test_it_installs_passes_its_tests_and_starts(theatre: Theatre, app: App) -> None:
    result = built(theatre, app)
    folder = Path(result["output_dir"])
    software = Software(folder, {})
    software.install()
    for section in ("Build", "Test"):
        for command in software.commands(section):
            software.run(command)
    for command in software.commands("Run"):
        if app.script.architecture.app_type in ("cli", "script", "data_pipeline"):
            assert "usage:" in software.run(command, "--help")
        else:
            with software.serving(command) as address:
                _looks_right(app, address)


def _looks_right(app: App, address: str) -> None:
    match app.name:
        case "jwt_service":
            assert json.loads(get(f"{address}/health")[1]) == {"status": "ok"}
            assert get(f"{address}/me")[0] in (401, 403)
        case "url_shortener":
            assert '<form id="form">' in get(f"{address}/")[1]
        case _:
            assert "Mill Bakery" in get(f"{address}/")[1]


@pytest.mark.long
@pytest.mark.parametrize("name", KNOWN)
def test_simulated_models_build_it_too(theatre: Theatre, name: str) -> None:
    outcome = theatre.installation.run(
        "start", "--project", KNOWN[name], "--criteria", "all tests pass, ruff clean", "--new-project",
        "--output-dir", str(theatre.installation.folder / f"simulated-{name}"), "--json", "--no-input",
        extra=dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY"), ""),
    )  # fmt: skip
    assert outcome.code == 0, outcome.err[-3000:]
    assert outcome.object["simulated"] is True
    software = Software(Path(outcome.object["output_dir"]), {})
    software.install()
    software.add(".", "pytest")  # the simulated plan has a manifest of its own, which leaves the test runner out
    software.run("python -m pytest -q")

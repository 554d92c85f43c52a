"""The work of `orch-cli report`."""

import webbrowser
from pathlib import Path

from cli.console import say, show, show_json
from cli.session import checked_id, run_async, settings_for
from orchestrator.client.facade import OrchClient
from orchestrator.domain.errors import PrerequisiteError


def show_report(project_id: str, *, open_page: bool, json_output: bool, profile: str | None) -> int:
    """Write the page below the state folder, print its path, and open it if asked to; 0 once it is written."""
    settings = settings_for(profile)
    page = settings.home / "reports" / f"{checked_id(project_id)}.html"

    async def command() -> int:
        client = await OrchClient.connect(settings, say)
        _write(page, await client.report(project_id))
        if json_output:
            show_json({"project_id": project_id, "report": str(page)})
        else:
            show(str(page))
        if open_page and not webbrowser.open(page.as_uri()):
            say(f"no web browser could be started; open {page} in one")
        return 0

    return run_async(command())


def _write(page: Path, content: bytes) -> None:
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        draft = page.with_suffix(".new")
        draft.write_bytes(content)
        draft.replace(page)
    except OSError as error:
        raise PrerequisiteError(f"cannot write the report {page}: {error.strerror}") from error

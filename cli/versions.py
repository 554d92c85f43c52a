"""The work of `worker promote|versions`."""

from datetime import UTC, datetime

from cli.console import columns, say, show, show_json
from cli.session import operator, run_async, settings_for
from orchestrator.client.connection import connect
from orchestrator.client.versions import WorkerVersion, promote, worker_versions
from orchestrator.domain.errors import UserInputError
from orchestrator.settings import Settings


def promote_version(build_id: str, profile: str | None) -> int:
    """New runs go to this version. Raises UserInputError, PrerequisiteError."""
    settings = _of_a_cluster(profile)

    async def work() -> int:
        await promote(await connect(settings, say, start_services=False), build_id, operator())
        say(f"new runs go to version {build_id}; 'orch-cli worker versions' tells when older ones are drained")
        return 0

    return run_async(work())


def show_versions(profile: str | None, *, json_output: bool) -> int:
    """All versions, the latest first. Raises UserInputError, PrerequisiteError."""
    settings = _of_a_cluster(profile)

    async def work() -> int:
        versions = await worker_versions(await connect(settings, say, start_services=False))
        if json_output:
            show_json({"versions": [version.model_dump(mode="json") for version in versions]})
        elif versions:
            for line in columns([("version", "state", "first seen"), *(_row(version) for version in versions)], ""):
                show(line)
        else:
            say("workers run without versions; 'orch-cli worker run --build-id ID' begins with them")
        return 0

    return run_async(work())


def _row(version: WorkerVersion) -> tuple[str, ...]:
    seen = datetime.fromtimestamp(version.created_s, UTC)
    return version.build_id, version.state.value, f"{seen:%Y-%m-%d %H:%M} UTC"


def _of_a_cluster(profile: str | None) -> Settings:
    settings = settings_for(profile)
    if settings.embedded:
        raise UserInputError("versions are for workers of a cluster; the local worker is replaced with its code")
    return settings

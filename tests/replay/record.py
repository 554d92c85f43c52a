"""Records one history per behaviour: `python -m tests.replay.record [scene ...]` (all by default).

Histories of released versions stay: a workflow that cannot replay them breaks runs that are under way. A scene
is recorded again only where its history could not have been left by a release.
"""

import asyncio
import os
import re
import socket
import sys
import tempfile
from pathlib import Path

from temporalio.client import WorkflowHistory

from orchestrator.artifacts.store import ArtifactStore
from orchestrator.client.server import ServerInfo, ensure_server, stop_server
from orchestrator.domain.refs import BlobRef
from orchestrator.settings import Settings, load_settings
from tests.client.conftest import installed_temporal
from tests.replay.batch_scenes import BATCH_SCENES, one
from tests.replay.delivery_scenes import DELIVERY_SCENES
from tests.replay.pipeline_scenes import PIPELINE_SCENES
from tests.replay.recorded import HISTORIES, STORE, external_refs
from tests.replay.scenes import SCENES
from tests.workflow.harness import house
from tests.workflow.pipeline_house import Cast, pipeline_house

MAX_BYTES = 300_000
_BATCHES = {**BATCH_SCENES, **DELIVERY_SCENES}


def main() -> None:
    """Run every scene against a server of its own, and keep what it left."""
    known = [*SCENES, *PIPELINE_SCENES, *_BATCHES]
    names = sys.argv[1:] or known
    unknown = sorted(set(names) - set(known))
    if unknown:
        sys.exit(f"no such scene: {', '.join(unknown)}; there are {', '.join(known)}")
    with tempfile.TemporaryDirectory(prefix="orch-record-") as folder:
        settings = _settings(Path(folder))
        server = ensure_server(settings, lambda line: None)
        try:
            for name in names:
                asyncio.run(_record(settings, server, name))
        finally:
            stop_server(settings)


async def _record(settings: Settings, server: ServerInfo, name: str) -> None:
    if name in PIPELINE_SCENES:
        cast = Cast()
        async with pipeline_house(settings, server, cast) as home:
            found = await PIPELINE_SCENES[name](home, cast)
            await _keep(home.store, await found.histories(), name)
        return
    if name in _BATCHES:
        play = one()
        async with house(settings, server, play) as home:
            batch = await _BATCHES[name](home, play)
            await _keep(home.store, await batch.histories(), name)
        return
    scene, make_play = SCENES[name]
    play = make_play()
    async with house(settings, server, play) as opened:
        run = await scene(opened, play)
        await _keep(opened.store, await run.histories(), name)


async def _keep(store: ArtifactStore, histories: list[WorkflowHistory], name: str) -> None:
    for old in (*HISTORIES.glob(f"{name}.json"), *HISTORIES.glob(f"{name}-[0-9].json")):
        old.unlink()
    for number, history in enumerate(histories, start=1):
        leaf = f"{name}-{number}.json" if len(histories) > 1 else f"{name}.json"
        text = _checked(history, leaf)
        (HISTORIES / leaf).write_text(f"{text}\n", encoding="utf-8")
        for ref in external_refs(history):
            await _copy(store, ref)
        sys.stdout.write(f"{leaf}: {len(history.events)} events, {len(text):,} bytes\n")


def _checked(history: WorkflowHistory, leaf: str) -> str:
    """The history as JSON, which must tell nothing about this machine: stack traces name its folders."""
    text = re.sub(r'^(\s*"stackTrace": )"(?:[^"\\]|\\.)+"', r'\1""', history.to_json(), flags=re.MULTILINE)
    for private in (socket.gethostname(), tempfile.gettempdir(), os.path.expanduser("~")):
        # Payloads are base64: a short name may occur inside one by chance.
        assert not re.search(rf"(?<![\w+/=]){re.escape(private)}(?![\w+/=])", text), f"{leaf} names {private}"
    assert len(text) < MAX_BYTES, f"{leaf} is too large: {len(text)} bytes"
    return text


async def _copy(store: ArtifactStore, ref: BlobRef) -> None:
    await ArtifactStore.open(STORE.as_uri()).put(await store.get(ref))


def _settings(folder: Path) -> Settings:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ORCH_", "TEMPORAL_"))}
    own = {"ORCH_HOME": str(folder / "home"), "ORCH_TEMPORAL_BIN": installed_temporal()}
    return load_settings(kept | own, folder=folder)


if __name__ == "__main__":
    main()

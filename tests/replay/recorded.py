"""The recorded histories, and the payloads that they refer to."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from temporalio.client import WorkflowHistory

from orchestrator.domain.refs import BlobRef

HISTORIES = Path(__file__).parent / "histories"
STORE = HISTORIES / "store"  # an artifact store with the payloads that are kept outside of histories


def load(path: Path) -> WorkflowHistory:
    """A history, under the id of its workflow."""
    text = path.read_text(encoding="utf-8")
    started = json.loads(text)["events"][0]["workflowExecutionStartedEventAttributes"]
    return WorkflowHistory.from_json(started["workflowId"], text)


def external_refs(history: WorkflowHistory) -> Iterator[BlobRef]:
    """Blobs that stand behind payloads of the history."""
    for event in history.events:
        yield from _refs(MessageToDict(event))


def _refs(node: Any) -> Iterator[BlobRef]:
    """Claims of our storage driver: payloads that are references hold them as JSON."""
    if isinstance(node, list):
        for item in node:
            yield from _refs(item)
    elif isinstance(node, dict) and "externalPayloads" in node:
        claim = json.loads(base64.b64decode(node["data"]))["claimData"]
        yield BlobRef(sha256=claim["sha256"], size=int(claim["size"]))
    elif isinstance(node, dict):
        for value in node.values():
            yield from _refs(value)

"""What the fake vendor server remembers of each request, and what the requests cost together."""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from orchestrator.domain.model import ModelSpec
from orchestrator.domain.money import Usage, cost_micro
from orchestrator.testing.vendor_script import VendorRequest


@dataclass
class RequestRecord:
    """One request and how far its answer got. Times are seconds since the epoch."""

    seq: int
    request: VendorRequest
    started_s: float = field(default_factory=time.time)
    ended_s: float | None = None
    status: int | None = None  # None until headers were sent
    usage: Usage = field(default_factory=Usage)  # of what was produced so far; the vendor's own count
    sent: str = ""  # the text that was sent so far
    complete: bool = False  # the answer was handed to the network to its end
    disconnected: bool = False  # the client went away before that

    @property
    def digest(self) -> str:
        """Names the question: equal for two requests that ask one model the same."""
        parts = (self.request.vendor, self.request.model, self.request.system, self.request.prompt)
        return sha256(json.dumps(parts).encode()).hexdigest()

    def log_line(self, event: str) -> str:
        """A JSON line without texts: `event` is `received`, `streaming` or `finished`."""
        shown: dict[str, Any] = {
            "event": event,
            "seq": self.seq,
            "vendor": self.request.vendor,
            "model": self.request.model,
            "stage": self.request.stage,
            "n": self.request.n,
            "digest": self.digest,
            "status": self.status,
            "complete": self.complete,
            "disconnected": self.disconnected,
            "started_s": self.started_s,
            "ended_s": self.ended_s,
            "usage": self.usage.model_dump(),
        }
        return json.dumps(shown)


class VendorLog:
    """The log file of a fake vendor server, read as it grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._events: list[dict[str, Any]] = []
        self._read_bytes = 0

    def events(self) -> list[dict[str, Any]]:
        """All events so far, in order; a line that is still being written is left out."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            file.seek(self._read_bytes)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._events += [json.loads(line) for line in whole.splitlines()]
        self._read_bytes += len(whole)
        return list(self._events)


def billed_micro(records: Iterable[RequestRecord], catalog: Iterable[ModelSpec]) -> int:
    """What `records` cost at the catalog's prices, in micro-USD, rounded up per request.

    An answer that broke off counts with what was sent of it. Raises KeyError for a model that is not in the
    catalog.
    """
    specs = tuple(catalog)
    return sum(_price(record.request.vendor, record.request.model, record.usage, specs) for record in records)


def log_billed_micro(events: Iterable[dict[str, Any]], catalog: Iterable[ModelSpec]) -> int:
    """The same for the `finished` events of a log."""
    specs = tuple(catalog)
    return sum(
        _price(event["vendor"], event["model"], Usage.model_validate(event["usage"]), specs)
        for event in events
        if event["event"] == "finished"
    )


def _price(vendor: str, model: str, usage: Usage, catalog: tuple[ModelSpec, ...]) -> int:
    if usage == Usage():
        return 0
    prices = {spec.id: spec.prices for spec in catalog}
    return cost_micro(usage, prices[f"{vendor}:{model}"])

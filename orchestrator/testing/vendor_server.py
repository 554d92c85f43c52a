"""A fake of the vendors: real HTTP on a free loopback port, scripted answers, requests that can be inspected.

In a test: `with FakeVendorServer(script) as server: ...`. As a process of its own, so that it outlives
workers that are killed: `python -m orchestrator.testing.vendor_server --port-file F [--script F] [--log F]`.
"""

import argparse
import asyncio
import json
import signal
import ssl
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from orchestrator.domain.model import ModelSpec
from orchestrator.settings.vendors import VENDORS
from orchestrator.testing.vendor_answers import send_answer
from orchestrator.testing.vendor_connection import Connection, Incoming
from orchestrator.testing.vendor_desk import OAUTH_PATH, VendorDesk
from orchestrator.testing.vendor_dialects import refusal
from orchestrator.testing.vendor_records import RequestRecord, billed_micro
from orchestrator.testing.vendor_script import Reply, Script, VendorRequest, from_rules, load_script
from orchestrator.testing.vendor_wire import Route, parse, route

_LOOPBACK = "127.0.0.1"
_BACKLOG = 1024
_CREDENTIALS = ("authorization", "x-api-key", "x-goog-api-key")
_NO_TOKEN = Reply(status=401, error_message="Token has expired")


class FakeVendorServer:
    """Every vendor at one port. `script` chooses the answers; it may be replaced while the server runs.

    `requests` are the records of all requests for a completion so far, in order of arrival; `desk` answers the other
    ones. `connections_made` counts connections. With `tls` the server speaks HTTPS.
    """

    def __init__(
        self, script: Script | None = None, log: Path | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self.script: Script = script or from_rules(())
        self.desk = VendorDesk()
        self.connections_made = 0
        self._tls = tls
        self.requests: list[RequestRecord] = []
        self.port = 0
        self._log_path = log
        self._log: TextIO | None = None
        self._counts: Counter[tuple[str, str]] = Counter()
        self._changed = threading.Condition()
        self._connections: set[Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._listener: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="fake-vendors", daemon=True)

    def __enter__(self) -> "FakeVendorServer":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen on a free port of the loopback interface."""
        if self._log_path is not None:
            self._log = self._log_path.open("a", encoding="utf-8")
        self._thread.start()
        self.accept()

    def stop(self) -> None:
        """Close the port and all connections."""
        self.refuse()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        if self._log is not None:
            self._log.close()

    def forget(self) -> None:
        """Drop all records and counts, as if nothing had been asked yet."""
        self.requests = []
        self.connections_made = 0
        self.desk.forget()
        self._counts.clear()

    def refuse(self) -> None:
        """From now on connections are refused; those that are open are reset."""
        asyncio.run_coroutine_threadsafe(self._refuse(), self._loop).result()

    def accept(self) -> None:
        """Listen (again), on the same port as before."""
        asyncio.run_coroutine_threadsafe(self._accept(), self._loop).result()

    @property
    def url(self) -> str:
        """The address without a path."""
        return f"http://{_LOOPBACK}:{self.port}"

    def base_url(self, vendor: str) -> str:
        """The base URL that makes a client of `vendor` come here."""
        return base_url(self.port, vendor)

    def environment(self, vendors: Iterable[str] = ("openai", "anthropic", "google")) -> dict[str, str]:
        """Variables that give each of `vendors` a key and this address."""
        return environment(self.port, vendors)

    def billed_micro(self, catalog: Iterable[ModelSpec]) -> int:
        """What all requests so far cost at the catalog's prices, in micro-USD."""
        return billed_micro(list(self.requests), tuple(catalog))

    def wait_for(self, condition: Callable[["FakeVendorServer"], bool], timeout_s: float = 10.0) -> None:
        """Block until `condition` holds; it is looked at whenever a record changes. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: condition(self), timeout_s):
                raise TimeoutError(f"not within {timeout_s} s; {len(self.requests)} requests so far")

    async def _accept(self) -> None:
        self._listener = await self._loop.create_server(
            self._connection, _LOOPBACK, self.port, reuse_address=True, backlog=_BACKLOG, ssl=self._tls
        )
        self.port = self._listener.sockets[0].getsockname()[1]

    def _connection(self) -> Connection:
        self.connections_made += 1
        return Connection(self._handle, self._connections)

    async def _refuse(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        gone = [connection.gone for connection in self._connections]
        for connection in tuple(self._connections):
            connection.reset()
        await asyncio.gather(*(event.wait() for event in gone))

    async def _handle(self, incoming: Incoming, connection: Connection) -> None:
        if self.desk.serve(incoming, connection):
            return
        where = route(incoming.path.split("?", 1)[0])
        body = _json_object(incoming.body)
        if where is None or body is None:
            connection.respond(404, {}, b'{"error": {"message": "no such path", "type": "not_found_error"}}')
            return
        record = self._record(where, body, incoming)
        self._note(record, "received")
        try:
            reply = self._reply(where, record, incoming)
            await send_answer(connection, where, reply, record, lambda: self._note(record, "streaming"))
        finally:
            record.disconnected = connection.lost and not record.complete
            record.ended_s = time.time()
            self._note(record, "finished")

    def _reply(self, where: Route, record: RequestRecord, incoming: Incoming) -> Reply:
        if where.family == "gigachat" and not self.desk.accepts(incoming.headers.get("authorization", "")):
            return _NO_TOKEN
        request = record.request
        return refusal(request.vendor, request.model, request.body) or self.script(request)

    def _record(self, where: Route, body: dict[str, Any], incoming: Incoming) -> RequestRecord:
        parsed = parse(where, body)
        self._counts[where.vendor, parsed.model] += 1
        first_line = parsed.system.split("\n", 1)[0]
        request = VendorRequest(
            vendor=where.vendor,
            model=parsed.model,
            stage=first_line.removeprefix("stage:").strip() if first_line.startswith("stage:") else "",
            system=parsed.system,
            prompt=parsed.prompt,
            max_tokens=parsed.max_tokens,
            stream=parsed.stream or where.stream,
            n=self._counts[where.vendor, parsed.model],
            body=body,
            headers={k: v for k, v in incoming.headers.items() if k not in _CREDENTIALS},
        )
        record = RequestRecord(seq=len(self.requests) + 1, request=request)
        self.requests.append(record)
        return record

    def _note(self, record: RequestRecord, event: str) -> None:
        if self._log is not None:
            self._log.write(record.log_line(event) + "\n")
            self._log.flush()
        with self._changed:
            self._changed.notify_all()


def base_url(port: int, vendor: str, scheme: str = "http") -> str:
    """The base URL of `vendor`, built in or declared, at the fake server on `port`."""
    root = f"{scheme}://{_LOOPBACK}:{port}"
    family = VENDORS[vendor].family if vendor in VENDORS else "openai_compatible"
    if family == "gigachat":
        return f"{root}/gigachat/api/v1"
    if family != "openai_compatible":
        return root
    return f"{root}/v1" if vendor == "openai" else f"{root}/{vendor}/v1"


def environment(port: int, vendors: Iterable[str], scheme: str = "http") -> dict[str, str]:
    """Variables that give each of `vendors` a key and the address of the fake server on `port`."""
    variables: dict[str, str] = {}
    for definition in (VENDORS[vendor] for vendor in vendors):
        for key_name in definition.key_names[:1]:
            variables[key_name] = f"test-key-of-{definition.name}-0123456789"
        variables[definition.base_url_name] = base_url(port, definition.name, scheme)
        if definition.family == "gigachat":
            variables["GIGACHAT_AUTH_URL"] = f"{scheme}://{_LOOPBACK}:{port}{OAUTH_PATH}"
        if definition.family == "yandex":
            variables["YANDEX_FOLDER_ID"] = "folder-of-tests"
    return variables


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def main(arguments: list[str]) -> None:
    """Run until a signal says stop; the port is written to `--port-file` once the server listens."""
    parser = argparse.ArgumentParser(prog="python -m orchestrator.testing.vendor_server")
    parser.add_argument("--port-file", type=Path, required=True)
    parser.add_argument("--script", type=Path, help="JSON list of rules, or Python with reply(request) -> Reply")
    parser.add_argument("--log", type=Path, help="JSON lines of what happened to each request")
    options = parser.parse_args(arguments)
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    with FakeVendorServer(load_script(options.script) if options.script else None, options.log) as server:
        whole = options.port_file.with_suffix(".new")
        whole.write_text(f"{server.port}\n", encoding="utf-8")
        whole.replace(options.port_file)
        signal.sigwait(signals)


if __name__ == "__main__":
    main(sys.argv[1:])

"""The store in a bucket, over real HTTP against a small S3 of our own."""

import asyncio
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import pytest

from orchestrator.artifacts.journal import Fresh, Journal
from orchestrator.artifacts.store import ArtifactError, ArtifactStore, ArtifactUnavailableError
from orchestrator.artifacts.sweeping import blobs_among, clock_s, reachable, sweep
from orchestrator.contracts.calls import CallKey
from orchestrator.domain.refs import BlobRef
from orchestrator.domain.tasks import Stage

SECRET = "not-to-be-shown"
KEY = CallKey(namespace="default", project="p1", task="t1", stage=Stage.PLAN)


class Bucket(ThreadingHTTPServer):
    """Objects by path. `lose_replies` puts are kept but answered with 500; `deny` answers everything with 403."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects: dict[str, bytes] = {}
        self.lose_replies = 0
        self.deny = False
        self.clock_s = time.time()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Bucket

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.deny:
            self.answer(403)
        elif self.headers["If-None-Match"] == "*" and self.path in self.server.objects:
            self.answer(412)
        else:
            self.server.objects[self.path] = content
            lost, self.server.lose_replies = self.server.lose_replies > 0, self.server.lose_replies - 1
            self.answer(500 if lost else 200)

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if self.server.deny:
            self.answer(403)
        elif "list-type=2" in parts.query:
            self.answer(200, self.listing(parse_qs(parts.query).get("prefix", [""])[0]))
        elif self.path in self.server.objects:
            self.answer(200, self.server.objects[self.path])
        else:
            self.answer(404)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        """Removes the listed objects."""
        wanted = ET.fromstring(self.rfile.read(int(self.headers["Content-Length"])))
        keys = [str(found.text) for found in wanted.iter() if found.tag.rpartition("}")[2] == "Key"]
        for path in [path for path in self.server.objects if unquote(path).removeprefix("/bucket/") in keys]:
            del self.server.objects[path]
        rows = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
        self.answer(200, f"<DeleteResult>{rows}</DeleteResult>".encode())

    def listing(self, prefix: str) -> bytes:
        keys = [unquote(path).removeprefix("/bucket/") for path in self.server.objects]
        written = datetime.fromtimestamp(self.server.clock_s, UTC)
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>1</Size><ETag>x</ETag>"
            f"<LastModified>{written:%Y-%m-%dT%H:%M:%SZ}</LastModified></Contents>"
            for key in keys
            if key.startswith(prefix)
        )
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>".encode()

    def answer(self, status: int, content: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("ETag", '"x"')
        self.send_header("Last-Modified", formatdate(self.server.clock_s, usegmt=True))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    with Bucket() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        yield server
        server.shutdown()


@pytest.fixture
def store(bucket: Bucket) -> ArtifactStore:
    return ArtifactStore.open("s3://bucket/prefix")


def test_old_content_that_nothing_names_is_removed(store: ArtifactStore, bucket: Bucket) -> None:
    async def scenario() -> None:
        kept, gone = await store.put(b"kept" * 20), await store.put(b"gone" * 20)
        bucket.clock_s += 3600
        blobs = blobs_among(await store.entries())
        marked = await reachable(store, {kept.sha256}, blobs)
        doomed = [entry for digest, entry in blobs.items() if digest not in marked]
        before_s = await clock_s(store)
        assert (await sweep(store, doomed, before_s)).blobs == 0  # the server calls everything young
        assert (await sweep(store, doomed, before_s + 1)).blobs == 1
        assert await store.get(kept)
        with pytest.raises(ArtifactError, match="missing"):
            await store.get(gone)

    asyncio.run(scenario())


def test_blobs_and_named_objects(store: ArtifactStore, bucket: Bucket) -> None:
    async def scenario() -> None:
        ref = await store.put(b"content")
        assert await store.put(b"content") == ref
        assert await store.get(ref) == b"content"
        assert await store.read_named("a/b") is None
        assert await store.create_named("a/b%2Fc", b"1")
        assert not await store.create_named("a/b%2Fc", b"2")
        await store.write_named("a/d", b"3")
        assert await store.list_named("a") == ["a/b%2Fc", "a/d"]
        assert {entry.name for entry in await store.entries()} >= {"a/b%2Fc", "a/d"}
        await store.delete_named("a/d")
        await store.delete_named("a/d")
        assert await store.list_named("a") == ["a/b%2Fc"]
        assert await store.read_named("a/b%2Fc") == b"1"
        with pytest.raises(ArtifactError):
            await store.get(BlobRef(sha256="0" * 64, size=1))

    asyncio.run(scenario())
    assert all(path.startswith("/bucket/prefix/") for path in bucket.objects)


def test_of_concurrent_begins_exactly_one_is_fresh(store: ArtifactStore) -> None:
    async def scenario() -> None:
        begins = await asyncio.gather(*(Journal(store, str(n)).begin(KEY, "d") for n in range(12)))
        assert sum(isinstance(begin, Fresh) for begin in begins) == 1

    asyncio.run(scenario())


def test_an_intent_whose_reply_was_lost_is_still_ours(store: ArtifactStore, bucket: Bucket) -> None:
    bucket.lose_replies = 1
    assert asyncio.run(Journal(store, "us").begin(KEY, "d")) == Fresh()
    assert bucket.lose_replies == 0


def test_a_refusal_is_unavailable_and_shows_no_key(store: ArtifactStore, bucket: Bucket) -> None:
    bucket.deny = True
    with pytest.raises(ArtifactUnavailableError) as caught:
        asyncio.run(store.put(b"x"))
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)

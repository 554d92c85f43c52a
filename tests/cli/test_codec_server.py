"""`codec-server` as its users meet it: Temporal's command line and Web UI, and everybody else."""

import asyncio
import base64
import http.client
import json
import random
import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from google.protobuf import json_format
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.converter import DataConverter

from cli.main import run
from orchestrator.artifacts.sealing import Sealer
from orchestrator.client.codec import OrchCodec
from orchestrator.client.plugin import STORE_FROM_BYTES, data_converter
from orchestrator.settings.encryption import parse_encryption_keys
from orchestrator.testing.installation import Command, Installation
from tests.e2e.theatre import said

TOKEN = "0123456789abcdef-token"
ORIGIN = "http://localhost:8233"
KEYS = {name: f"{name}:{base64.b64encode(name.encode() * 32).decode()}" for name in "ab"}
BEARER = {"authorization": f"Bearer {TOKEN}"}


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    text: str


class Served:
    """A codec server under way."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.command: Command = installation.begin("codec-server", "--address", "127.0.0.1:0", "--ui-origin", ORIGIN)
        found = re.search(r"http://127\.0\.0\.1:(\d+)\n", said(self.command, "codec server at "))
        assert found, self.command.err
        self.port = int(found[1])

    @property
    def converter(self) -> DataConverter:
        return data_converter(self.installation.settings)

    def ask(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, told, answer.read().decode())
        finally:
            connection.close()

    def post(self, path: str, payloads: list[Payload], headers: dict[str, str] | None = None) -> Answer:
        body = json_format.MessageToJson(Payloads(payloads=payloads)).encode()
        return self.ask("POST", path, body, BEARER if headers is None else headers)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    variables = {"ORCH_ENCRYPTION_KEYS": ",".join(KEYS.values()), "ORCH_CODEC_TOKEN": TOKEN}
    server = Served(Installation(tmp_path_factory.mktemp("codec"), variables))
    yield server
    server.command.kill()


def payloads_of(answer: Answer) -> list[Payload]:
    assert answer.status == 200, answer
    return list(json_format.Parse(answer.text, Payloads()).payloads)


def encoded(served: Served, *values: object) -> list[Payload]:
    return asyncio.run(served.converter.encode(values))


def decoded(payloads: list[Payload]) -> list[object]:
    return [json.loads(payload.data) for payload in payloads]


@pytest.mark.parametrize("path", ["/decode", "/download", "/some/namespace/decode"])
def test_payloads_are_decoded_small_compressed_and_external(served: Served, path: str) -> None:
    values = ["small", "large " * 10_000, random.Random(0).randbytes(STORE_FROM_BYTES).hex()]
    given = encoded(served, *values)
    assert b"ExternalStorageReference" in given[2].metadata["messageType"]
    assert decoded(payloads_of(served.post(path, given))) == values


def test_plain_payloads_pass_and_what_the_ui_sends_is_encrypted(served: Served) -> None:
    plain = Payload(metadata={"encoding": b"json/plain"}, data=b'"hello"')
    assert payloads_of(served.post("/decode", [plain])) == [plain]
    (sealed,) = payloads_of(served.post("/encode", [plain]))
    assert b"hello" not in sealed.SerializeToString()
    assert asyncio.run(served.converter.decode([sealed], [str])) == ["hello"]


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer wrong"}, {"authorization": TOKEN}, {"cookie": f"orch_codec={TOKEN}"}]
)
@pytest.mark.parametrize("path", ["/encode", "/decode", "/download"])
def test_without_the_token_nothing_is_told(served: Served, path: str, headers: dict[str, str]) -> None:
    answer = served.post(path, encoded(served, "secret"), headers)
    assert answer.status == 401
    assert "secret" not in answer.text


def test_a_browser_signs_in_once(served: Served) -> None:
    page = served.ask("GET", "/")
    assert 'type="password"' in page.text
    assert served.ask("POST", "/session", b"token=wrong").status == 401
    signed = served.ask("POST", "/session", f"token={TOKEN}".encode())
    assert signed.status == 303
    cookie, *attributes = signed.headers["set-cookie"].lower().split("; ")
    assert {"httponly", "samesite=strict"} <= set(attributes)
    assert TOKEN not in cookie
    assert decoded(payloads_of(served.post("/decode", encoded(served, "shown"), {"cookie": cookie}))) == ["shown"]
    assert 'type="password"' not in served.ask("GET", "/", headers={"cookie": cookie}).text


def test_pages_of_the_web_ui_alone_may_read_the_answers(served: Served) -> None:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "content-type,x-namespace"}
    preflight = served.ask("OPTIONS", "/decode", headers={"origin": ORIGIN, **asked})
    assert preflight.status == 200
    assert preflight.headers["access-control-allow-origin"] == ORIGIN
    assert preflight.headers["access-control-allow-credentials"] == "true"
    assert {"content-type", "x-namespace", "authorization"} <= set(
        preflight.headers["access-control-allow-headers"].lower().split(", ")
    )
    given = encoded(served, "x")
    assert served.post("/decode", given, {**BEARER, "origin": ORIGIN}).headers["access-control-allow-origin"] == ORIGIN
    for other in ("http://localhost:9999", "https://localhost:8233", "null", f"{ORIGIN}.example.com"):
        assert served.ask("OPTIONS", "/decode", headers={"origin": other, **asked}).status == 400
        told = served.post("/decode", given, {**BEARER, "origin": other}).headers
        assert "access-control-allow-origin" not in told


def test_what_cannot_be_decoded_is_told_in_one_line(served: Served) -> None:
    elsewhere = Sealer(parse_encryption_keys(f"c:{base64.b64encode(b'c' * 32).decode()}"))
    given = asyncio.run(OrchCodec(elsewhere).encode([Payload(data=b"x")]))
    answer = served.post("/decode", given)
    assert (answer.status, answer.text) == (
        400,
        "this data is sealed with encryption key 'c'; ORCH_ENCRYPTION_KEYS holds only a, b\n",
    )
    assert served.ask("POST", "/decode", b"\xff no JSON", BEARER).status == 400


@pytest.mark.parametrize(
    ("arguments", "token", "told"),
    [
        (("--ui-origin", ORIGIN), "", "set ORCH_CODEC_TOKEN, for instance to what 'openssl rand -hex 32' prints"),
        (("--ui-origin", ORIGIN), "short", "ORCH_CODEC_TOKEN: needs at least 16 ASCII characters"),
        (("--ui-origin", "*"), TOKEN, "--ui-origin: give scheme and host"),
        (("--ui-origin", f"{ORIGIN}/namespaces"), TOKEN, "--ui-origin: give scheme and host"),
        (("--ui-origin", ORIGIN, "--address", "8081"), TOKEN, "--address: give host:port"),
        (("--ui-origin", ORIGIN, "--tls-cert", "missing.pem"), TOKEN, "--tls-cert and --tls-key belong together"),
    ],
)
def test_what_will_not_do_is_told_at_once(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    token: str,
    told: str,
) -> None:
    monkeypatch.setenv("ORCH_CODEC_TOKEN", token)
    assert run(["codec-server", *arguments]) == 2
    assert capsys.readouterr().err.startswith(f"error: {told}")

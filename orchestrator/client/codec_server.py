"""The codec server: decodes payloads for Temporal's Web UI and command line, which have no keys.

It speaks the protocol of Temporal's codec servers: `POST .../encode`, `.../decode` and `.../download` below any prefix,
with a Payloads message as JSON. Who asks shows the token, as `Authorization: Bearer` (command line, proxies) or by a
cookie: the Web UI cannot send a token of its own, so a person gives it once, on the page at `/`.
"""

import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import parse_qs

from google.protobuf import json_format
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.sdk.v1.external_storage_pb2 import ExternalStorageReference
from temporalio.converter import StorageDriverClaim, StorageDriverRetrieveContext

from orchestrator.artifacts.sealing import Sealer
from orchestrator.client.codec import OrchCodec
from orchestrator.client.plugin import ArtifactDriver
from orchestrator.domain.errors import OrchError
from orchestrator.domain.text import one_line
from orchestrator.settings import Settings

MAX_BODY_BYTES = 32 * 1024 * 1024

_COOKIE = "orch_codec"
_HEADERS = ("content-type", "x-namespace", "authorization")
_REFERENCE = ExternalStorageReference.DESCRIPTOR.full_name.encode()
_PAGE_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "cache-control": "no-store",
}
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Codec server</title>
<style>body{{font:16px system-ui;margin:4rem auto;max-width:32rem}}input{{width:100%;margin:.5rem 0}}</style>
<h1>Codec server</h1>{}</html>"""
_FORM = """<form method="post" action="session"><label>Token (ORCH_CODEC_TOKEN)
<input type="password" name="token" autofocus autocomplete="off"></label><button>Sign in</button></form>"""
_SIGNED_IN = "<p>This browser may decode. In the Web UI, tick “Include cross-origin credentials” for this server.</p>"

_Work = Callable[[Sequence[Payload]], Awaitable[list[Payload]]]


def codec_app(settings: Settings, token: str, origins: Sequence[str]) -> Starlette:
    """The server, for the keys and the store of `settings`. Pages of `origins` alone may read its answers."""
    codec = OrchCodec(Sealer(settings.encryption))
    driver = ArtifactDriver(settings)

    async def whole(payloads: Sequence[Payload]) -> list[Payload]:
        return await codec.decode([await _fetched(driver, payload) for payload in payloads])

    routes = [
        Route("/livez", _alive),
        Route("/", _page(token)),
        Route("/session", _session(token), methods=["POST"]),
    ]
    for name, work in (("encode", codec.encode), ("decode", whole), ("download", whole)):
        routes += [
            Route(path, _endpoint(work, token), methods=["POST"]) for path in (f"/{name}", f"/{{prefix:path}}/{name}")
        ]
    cors = Middleware(
        CORSMiddleware,
        allow_origins=list(origins),
        allow_methods=["POST"],
        allow_headers=_HEADERS,
        allow_credentials=True,
        allow_private_network=True,
    )
    return Starlette(routes=routes, middleware=[cors])


def _endpoint(work: _Work, token: str) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        if not _may(request, token):
            return PlainTextResponse("a token is needed: sign in at / or send it as Bearer\n", status_code=401)
        body = await _body(request)
        if body is None:
            return PlainTextResponse(f"more than {MAX_BODY_BYTES} bytes\n", status_code=413)
        try:
            given = json_format.Parse(body, Payloads(), ignore_unknown_fields=True)
        except (json_format.ParseError, UnicodeDecodeError):
            return PlainTextResponse("the body is no Payloads message in JSON\n", status_code=400)
        try:
            done = Payloads(payloads=await work(given.payloads))
        except OrchError as error:
            return PlainTextResponse(f"{one_line(str(error))}\n", status_code=400)
        return JSONResponse(json_format.MessageToDict(done), headers={"cache-control": "no-store"})

    return answer


async def _fetched(driver: ArtifactDriver, payload: Payload) -> Payload:
    """The payload behind a reference to our store; any other one as it is."""
    if payload.metadata.get("messageType") != _REFERENCE:
        return payload
    try:
        reference = json_format.Parse(payload.data, ExternalStorageReference())
    except (json_format.ParseError, UnicodeDecodeError):
        return payload
    if reference.driver_name != driver.name():
        return payload
    claim = StorageDriverClaim(dict(reference.claim_data))
    return (await driver.retrieve(StorageDriverRetrieveContext(), [claim]))[0]


async def _body(request: Request) -> bytes | None:
    """The body, None where it is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return None
    return bytes(body)


def _may(request: Request, token: str) -> bool:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    bearer = scheme.lower() == "bearer" and _same(given.strip(), token)
    return bearer or _same(request.cookies.get(_COOKIE, ""), _cookie(token))


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _cookie(token: str) -> str:
    """What a browser that was shown the token keeps: it opens this server, and tells nothing about the token."""
    return hashlib.sha256(f"{_COOKIE}:{token}".encode()).hexdigest()


def _page(token: str) -> Callable[[Request], Awaitable[Response]]:
    async def page(request: Request) -> Response:
        return HTMLResponse(_PAGE.format(_SIGNED_IN if _may(request, token) else _FORM), headers=_PAGE_HEADERS)

    return page


def _session(token: str) -> Callable[[Request], Awaitable[Response]]:
    async def session(request: Request) -> Response:
        body = await _body(request) or b""
        given = parse_qs(body.decode("ascii", errors="replace")).get("token", [""])[0]
        if not _same(given.strip(), token):
            return HTMLResponse(_PAGE.format(f"<p>Wrong token.</p>{_FORM}"), status_code=401, headers=_PAGE_HEADERS)
        answer = RedirectResponse(".", status_code=303)
        answer.set_cookie(
            _COOKIE, _cookie(token), httponly=True, samesite="strict", secure=request.url.scheme == "https"
        )
        return answer

    return session


async def _alive(_: Request) -> Response:
    return PlainTextResponse(json.dumps({"alive": True}), media_type="application/json")

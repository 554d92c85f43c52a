"""A Temporal as companies and Temporal Cloud run it: TLS with a CA of one's own, client certificates, API keys."""

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = dt.timedelta(days=1)
_PREFACE_BYTES = 24  # what an HTTP/2 connection begins with
_HEADERS_FRAME = 1
# The codes of RFC 7541, appendix B, for the few characters that our API keys are made of: a client compresses them.
_CODES = {
    **dict(zip("012aceiost", (f"{code:05b}" for code in range(10)), strict=True)),
    " ": "010100",
    "r": "101100",
    "B": "1011101",
}


@dataclass
class Issued:
    """A certificate and its key, in PEM files."""

    cert: Path
    key: Path


class Authority:
    """A CA; `folder` gets its certificate and what it issues."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = _subject(name)
        built = _builder(self._subject, self._subject, self._key, expired=False)
        own = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.cert = folder / f"{name}.pem"
        self.cert.write_bytes(_pem(own.sign(self._key, hashes.SHA256())))

    def issue(self, name: str, *, expired: bool = False) -> Issued:
        """A certificate for `localhost` and 127.0.0.1, or for a client."""
        key = ec.generate_private_key(ec.SECP256R1())
        built = _builder(_subject(name), self._subject, key, expired=expired)
        hosts = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.DNSName("cloud.example")])
        issued = Issued(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        issued.cert.write_bytes(_pem(built.add_extension(hosts, critical=False).sign(self._key, hashes.SHA256())))
        issued.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return issued


@asynccontextmanager
async def frontend(
    upstream: str, server: Issued, *, clients_of: Authority | None = None, api_key: str = ""
) -> AsyncIterator[str]:
    """TLS before the plain server at `upstream`; gives `localhost:port`.

    With `clients_of` a certificate of that CA is demanded; with `api_key` each connection must show it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.cert, server.key)
    context.set_alpn_protocols(["h2"])
    if clients_of:
        context.load_verify_locations(clients_of.cert)
        context.verify_mode = ssl.CERT_REQUIRED
    taken: list[_Front] = []

    def accept() -> _Front:
        taken.append(_Front(upstream, api_key))
        return taken[-1]

    listening = await asyncio.get_running_loop().create_server(accept, "127.0.0.1", 0, ssl=context)
    async with listening:
        yield f"localhost:{listening.sockets[0].getsockname()[1]}"
    for front in taken:
        await front.end()


class _Front(asyncio.Protocol):
    """A client's connection, joined to one of its own to the server behind once the client may."""

    def __init__(self, upstream: str, api_key: str) -> None:
        self._upstream = upstream
        self._wanted = compressed(f"Bearer {api_key}") if api_key else b""
        self._opening = b""
        self._joining: asyncio.Task[None] | None = None
        self._back: asyncio.Transport | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        assert self.transport
        if self._back:
            self._back.write(data)
            return
        self._opening += data
        stream = _first_stream(self._opening)
        if stream is None or self._joining:
            return
        if self._wanted in self._opening:
            self._joining = asyncio.create_task(self._join())
        else:
            self.transport.write(_refusal(stream))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._back:
            self._back.abort()

    async def _join(self) -> None:
        host, _, port = self._upstream.rpartition(":")
        self._back, _ = await asyncio.get_running_loop().create_connection(lambda: _Back(self), host, int(port))
        self._back.write(self._opening)

    async def end(self) -> None:
        """Breaks both connections off."""
        if self._joining:
            await self._joining
        for transport in (self.transport, self._back):
            if transport and not transport.is_closing():
                transport.abort()
        await asyncio.sleep(0)  # the loop takes note of it


class _Back(asyncio.Protocol):
    def __init__(self, front: _Front) -> None:
        self._front = front

    def data_received(self, data: bytes) -> None:
        assert self._front.transport
        self._front.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        assert self._front.transport
        self._front.transport.close()


def compressed(text: str) -> bytes:
    """`text` as an HTTP/2 client sends it in a header."""
    bits = "".join(_CODES[char] for char in text)
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def _first_stream(opening: bytes) -> int | None:
    """The number of the first request's stream, None as long as its headers have not all come."""
    at = _PREFACE_BYTES
    while len(opening) >= at + 9:
        head, at = opening[at : at + 9], at + 9 + int.from_bytes(opening[at : at + 3], "big")
        if head[3] == _HEADERS_FRAME and len(opening) >= at:
            return int.from_bytes(head[5:], "big")
    return None


def _refusal(stream: int) -> bytes:
    """The answer UNAUTHENTICATED to the request of this stream."""
    fields = {"content-type": "application/grpc", "grpc-status": "16", "grpc-message": "Request unauthorized."}
    block = b"\x88" + b"".join(
        b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
        for name, value in fields.items()
    )
    headers = len(block).to_bytes(3, "big") + bytes([_HEADERS_FRAME, 0x05]) + stream.to_bytes(4, "big") + block
    return bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]) + headers


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, *, expired: bool
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    begins, ends = (now - 3 * _DAY, now - _DAY) if expired else (now - _DAY, now + _DAY)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
    )


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)

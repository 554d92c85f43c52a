"""A package index for Python and a registry for Node on loopback, so that installing needs no network."""

import base64
import hashlib
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from typing_extensions import override


def wheel(name: str, version: str, modules: Mapping[str, str], requires: tuple[str, ...] = ()) -> tuple[str, bytes]:
    """File name and content of a wheel with these modules; `bin/x` among them becomes a program."""
    plain = name.replace("-", "_")
    info = f"{plain}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
    files = {path: text for path, text in modules.items() if not path.startswith("bin/")}
    files |= {
        f"{plain}-{version}.data/scripts/{path[4:]}": text for path, text in modules.items() if path[:4] == "bin/"
    }
    files[f"{info}/METADATA"] = metadata
    files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for path, text in files.items():
            member = zipfile.ZipInfo(path)
            member.external_attr = (0o100755 if ".data/scripts/" in path else 0o100644) << 16
            archive.writestr(member, text)
    return f"{plain}-{version}-py3-none-any.whl", data.getvalue()


def archive(files: Mapping[str, str], folder: str) -> bytes:
    """A gzipped tar of files below one folder: a source distribution, or a package of Node."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as packed:
        for path, text in files.items():
            member = tarfile.TarInfo(f"{folder}/{path}")
            member.size = len(text.encode())
            packed.addfile(member, io.BytesIO(text.encode()))
    return data.getvalue()


class LocalIndex:
    """What is served, and which paths were asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}  # of Python distributions, by file name
        self.packages: dict[str, dict[str, Any]] = {}  # of Node, by name
        self.asked: list[str] = []
        self.url = ""

    def add(self, file: tuple[str, bytes]) -> None:
        """Serve a distribution of Python."""
        self.files[file[0]] = file[1]

    def add_node(self, name: str, version: str, files: Mapping[str, str], **manifest: object) -> None:
        """Serve a package of Node."""
        described = {"name": name, "version": version, **manifest}
        content = archive({"package.json": json.dumps(described), **files}, "package")
        path = f"npm-files/{name.replace('/', '-')}-{version}.tgz"
        self.files[path] = content
        digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
        dist = {"tarball": f"{self.url}/{path}", "integrity": f"sha512-{digest}"}
        self.packages[name] = {
            "name": name,
            "dist-tags": {"latest": version},
            "versions": {version: {**described, "dist": dist}},
        }

    def answer(self, path: str) -> bytes | None:
        """The body of an answer, None for 404."""
        self.asked.append(path)
        parts = path.strip("/").split("/")
        if parts[0] == "simple" and len(parts) == 2:
            wanted = [name for name in self.files if _distribution(name) == parts[1]]
            links = "".join(f'<a href="/files/{name}">{name}</a>' for name in wanted)
            return f"<!doctype html><html><body>{links}</body></html>".encode() if wanted else None
        if parts[0] == "files":
            return self.files.get("/".join(parts[1:]))
        if parts[0] == "npm-files":
            return self.files.get("/".join(parts))
        package = self.packages.get("/".join(parts).replace("%2f", "/"))
        return json.dumps(package).encode() if package else None


def _distribution(file: str) -> str:
    return file.split("-")[0].replace("_", "-").lower() if "/" not in file else ""


@contextmanager
def local_index() -> Iterator[LocalIndex]:
    """An index that answers until the block ends."""
    index = LocalIndex()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = index.answer(self.path)
            kind = "text/html" if self.path.startswith("/simple") else "application/octet-stream"
            self.send_response(200 if body is not None else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body or b"")

        do_HEAD = do_GET

        @override
        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    index.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield index
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

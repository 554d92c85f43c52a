"""A local server that takes webhooks."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class Receiver:
    """What a local server was sent, and what it answers: each of `statuses` once, the last one for ever."""

    def __init__(self) -> None:
        self.statuses = [204]
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.url = ""

    def next_status(self) -> int:
        """What the next request is answered with."""
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a free port; its address carries what nobody else should see."""
    given = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            given.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(given.next_status())
            self.send_header("location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    given.url = f"http://127.0.0.1:{server.server_address[1]}/hook?token=hidden"
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield given
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

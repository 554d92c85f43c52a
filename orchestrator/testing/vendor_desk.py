"""What the fake vendors answer besides completions: tokens of GigaChat, lists of models."""

import json
import re
import time
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import NamedTuple
from urllib.parse import parse_qs

from orchestrator.testing.vendor_connection import Connection, Incoming

OAUTH_PATH = "/gigachat/api/v2/oauth"

_LISTS = re.compile(r"^(/[a-z0-9_-]+)?(/api)?(/v\d\w*)?/(models|tags)$")
_TOKENIZE = "/foundationModels/v1/tokenize"


class TokenRequest(NamedTuple):
    """A request for a token: the scheme of its credentials, its scope, and its id."""

    scheme: str
    scope: str
    request_id: str


@dataclass
class VendorDesk:
    """Hands out tokens and answers what is free of charge.

    `status` is the status of both: another one than 200 refuses. `installed` are the models of Ollama.
    """

    status: int = 200
    token_life_s: float = 1800.0
    clock_offset_s: float = 0.0  # how far the vendor's clock is ahead
    gateway: bool = False  # answers with the shorter names of a gateway
    installed: tuple[str, ...] = ("llama-of-tests",)
    token_requests: list[TokenRequest] = field(default_factory=list)
    free_requests: list[str] = field(default_factory=list)
    _valid: set[str] = field(default_factory=set)

    def forget(self) -> None:
        """Drop the records; tokens stay valid."""
        self.token_requests = []
        self.free_requests = []

    def revoke(self) -> None:
        """No token that was handed out so far is taken any more."""
        self._valid.clear()

    def accepts(self, authorization: str) -> bool:
        """Whether the header has a token that is valid."""
        return authorization.removeprefix("Bearer ") in self._valid

    def serve(self, incoming: Incoming, connection: Connection) -> bool:
        """Answer, if this is not a request for a completion."""
        path = incoming.path.split("?", 1)[0]
        if path == OAUTH_PATH:
            self._token(incoming, connection)
        elif _LISTS.match(path) or path == _TOKENIZE:
            self.free_requests.append(path)
            names = [{"name": name, "id": name} for name in self.installed]
            connection.respond(self.status, {}, json.dumps({"models": names, "data": names}).encode())
        else:
            return False
        return True

    def _token(self, incoming: Incoming, connection: Connection) -> None:
        form = parse_qs(incoming.body.decode())
        scheme = incoming.headers.get("authorization", "").split(" ", 1)[0]
        self.token_requests.append(TokenRequest(scheme, form.get("scope", [""])[0], incoming.headers.get("rquid", "")))
        now_s = time.time() + self.clock_offset_s
        token, ends_s = f"token-{len(self.token_requests)}", now_s + self.token_life_s
        self._valid.add(token)
        body: dict[str, object] = {"access_token": token, "expires_at": int(ends_s * 1000)}
        if self.gateway:
            body = {"tok": token, "exp": int(ends_s)}
        answer = json.dumps(body if self.status == 200 else {}).encode()
        connection.respond(self.status, {"date": formatdate(now_s, usegmt=True)}, answer)

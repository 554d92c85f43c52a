"""The links: short code to address, and how often each was followed."""

import secrets
import string
import threading
from dataclasses import dataclass

_ALPHABET = string.ascii_letters + string.digits
_LENGTH = 6


@dataclass
class Link:
    """A short code and where it leads."""

    code: str
    url: str
    visits: int = 0


class Links:
    """All links, in memory."""

    def __init__(self) -> None:
        self._links: dict[str, Link] = {}
        self._lock = threading.Lock()

    def add(self, url: str) -> Link:
        """A new link; the same address gets the same code."""
        with self._lock:
            known = next((link for link in self._links.values() if link.url == url), None)
            if known:
                return known
            link = Link(code=self._free_code(), url=url)
            self._links[link.code] = link
            return link

    def follow(self, code: str) -> Link | None:
        """The link, its visit counted; None where there is none."""
        with self._lock:
            link = self._links.get(code)
            if link:
                link.visits += 1
            return link

    def all(self) -> list[Link]:
        """Every link, oldest first."""
        with self._lock:
            return list(self._links.values())

    def _free_code(self) -> str:
        while True:
            code = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
            if code not in self._links:
                return code

"""One exchange with a vendor: the HTTP client, the limits of the current request, and how far that got."""

import logging
import ssl
from contextvars import ContextVar
from dataclasses import dataclass

import httpx2

from orchestrator.providers.base import Timeouts
from orchestrator.providers.connections import SharedConnections, proxy_of
from orchestrator.settings import VendorSettings

_log = logging.getLogger(__name__)


@dataclass
class Exchange:
    """How far the request of the current task got."""

    timeouts: Timeouts
    sent: bool = False
    response: httpx2.Response | None = None


exchange_of_task: ContextVar[Exchange] = ContextVar("exchange")


def http_client(settings: VendorSettings) -> httpx2.AsyncClient:
    """A client that obeys the limits of the current request. A redirect, which would carry the key, fails."""
    if not settings.verify_ssl:
        _log.warning("%s: certificates are not checked (%s)", settings.vendor, settings.definition.verify_ssl_name)
    if settings.verify_ssl and settings.ca_bundle is not None:
        trusted = ssl.create_default_context(cafile=settings.ca_bundle)
    else:
        trusted = httpx2.create_ssl_context(verify=settings.verify_ssl)
    return httpx2.AsyncClient(
        transport=SharedConnections(trusted, proxy_of(settings.base_url or "")),
        follow_redirects=False,
        event_hooks={"request": [_before_request], "response": [_after_response]},
    )


async def _before_request(request: httpx2.Request) -> None:
    exchange = exchange_of_task.get()
    exchange.sent = True
    # Whatever the SDK asked for. Reading is limited around the stream too: a stream may send signs of life that
    # the SDK does not show, and a limit on reading alone would never end it.
    limits = exchange.timeouts
    request.extensions["timeout"] = {
        "connect": limits.connect_s,
        "pool": limits.connect_s,
        "write": limits.first_byte_s,
        "read": max(limits.first_byte_s, limits.between_chunks_s),
    }


async def _after_response(response: httpx2.Response) -> None:
    exchange_of_task.get().response = response

"""The connections to one vendor: kept open and shared by all requests, in pools that stay small.

The HTTP library looks at every idle connection of a pool for every request. One pool of 300 spends milliseconds of
each call on that, so there are as many pools of a few connections as requests at once need.
"""

import ssl
from collections.abc import AsyncIterator
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx2

POOL_SIZE = 4
_KEEPALIVE_S = 30.0


class SharedConnections(httpx2.AsyncBaseTransport):
    """A transport over small pools. A request takes the first pool that has room, so that few requests need one.

    There is no limit on requests at once: that is the caller's affair, and here they would wait where no one sees it.
    """

    def __init__(self, trusted: ssl.SSLContext, proxy: str | None) -> None:
        self._trusted = trusted
        self._proxy = proxy
        self._pools: list[_Pool] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Part of AsyncBaseTransport."""
        pool = next((pool for pool in self._pools if pool.busy < POOL_SIZE), None)
        if pool is None:
            pool = _Pool(self._trusted, self._proxy)
            self._pools.append(pool)
        pool.busy += 1
        try:
            response = await pool.transport.handle_async_request(request)
        except BaseException:
            pool.busy -= 1
            raise
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _Stream(response.stream, pool)
        return response

    async def aclose(self) -> None:
        """Close all connections."""
        for pool in self._pools:
            await pool.transport.aclose()


class _Pool:
    """A few connections, and how many requests use them."""

    def __init__(self, trusted: ssl.SSLContext, proxy: str | None) -> None:
        self.busy = 0
        self.transport = httpx2.AsyncHTTPTransport(
            verify=trusted,
            proxy=proxy,
            limits=httpx2.Limits(
                max_connections=None, max_keepalive_connections=POOL_SIZE, keepalive_expiry=_KEEPALIVE_S
            ),
        )


class _Stream(httpx2.AsyncByteStream):
    """The body of a response, which gives its place in the pool back when it is closed."""

    def __init__(self, inner: httpx2.AsyncByteStream, pool: _Pool) -> None:
        self._inner = inner
        self._pool = pool
        self._closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._inner:
            yield chunk

    async def aclose(self) -> None:
        """Part of AsyncByteStream."""
        if not self._closed:
            self._closed = True
            self._pool.busy -= 1
            await self._inner.aclose()


def proxy_of(url: str) -> str | None:
    """The proxy that the environment (HTTPS_PROXY, NO_PROXY and so on) wants for `url`."""
    parts = urlsplit(url)
    if not parts.hostname or proxy_bypass(parts.hostname):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"

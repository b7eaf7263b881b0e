"""Files from the open internet, for requests that name them: public addresses only, bounded in size and time.

A client's request decides the URL, so it must not be a way into the network ccproxy stands in. The address is checked
where the connection is made (`public_socket`), after every name lookup and on every redirect: what a name meant before
does not count. No credential and no cookie goes along.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urljoin, urlsplit

from ccproxy.egress import keepalive
from ccproxy.egress.transport import Timeouts, Transport, UpstreamRequest, UpstreamResponse
from ccproxy.errors import BadRequest, CCProxyError, UpstreamError
from ccproxy.exchange.http import Headers
from ccproxy.lightllm.compression import decode
from ccproxy.util.address import parse_address

_MOST_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


def is_public(address: str) -> bool:
    """Whether an IP address can be reached by everybody: not this machine, not a private network, not reserved."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        # Addresses that carry an IPv4 address are as public as that one.
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if inner is None and found in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast


def public_socket(address: Iterable[Any]) -> socket.socket:
    """A socket for an entry of `getaddrinfo`. Raises OSError if the address is not public."""
    entry = tuple(address)
    if not is_public(str(entry[4][0])):
        raise PermissionError(errno.EACCES, "not a public address")
    return keepalive.new_socket(entry)


class PublicFiles:
    """Fetches files.

    Args:
        transport: one whose connections go to public addresses only.
        seconds: for one file, redirects included.
    """

    def __init__(self, transport: Transport, *, seconds: float = 20.0) -> None:
        self._transport = transport
        self._seconds = seconds

    async def get(self, url: str, *, accept: Callable[[str], bool], limit: int) -> tuple[str, bytes]:
        """Media type and content of the file at `url`.

        Args:
            accept: whether a media type (lower case, without parameters) is wanted.
            limit: most bytes.

        Raises BadRequest that names the URL and what is wrong with it or with what is there.
        """
        shown = url if len(url) <= 200 else f"{url[:200]}..."
        try:
            async with asyncio.timeout(self._seconds):
                return await self._follow(url, shown, accept, limit)
        except TimeoutError:
            raise BadRequest(f"{shown} could not be fetched within {self._seconds:g} seconds") from None
        except UpstreamError as error:
            raise BadRequest(f"{shown} could not be fetched: {error.message}") from None

    async def close(self) -> None:
        """Closes the connections."""
        await self._transport.close()

    async def _follow(self, url: str, shown: str, accept: Callable[[str], bool], limit: int) -> tuple[str, bytes]:
        for _ in range(_MOST_REDIRECTS + 1):
            response = await self._transport.send(_request(url, shown, self._seconds))
            try:
                if response.status in _REDIRECTS:
                    url = _joined(url, response.headers.text(b"location"), shown)
                    continue
                return await _read(response, shown, accept, limit)
            finally:
                await response.close()
        raise BadRequest(f"{shown} redirects more than {_MOST_REDIRECTS} times")


def _request(url: str, shown: str, seconds: float) -> UpstreamRequest:
    url = url.partition("#")[0]
    try:
        address = parse_address(url)
    except ValueError as error:
        raise BadRequest(f"{shown} cannot be fetched: {error}") from None
    target = (urlsplit(url).path or "/").encode("ascii") + (b"?" + address.query if address.query else b"")
    return UpstreamRequest(
        method="GET",
        scheme=address.scheme,
        host=address.host,
        port=address.port,
        target=target,
        headers=Headers([(b"accept", b"image/*"), (b"accept-encoding", b"identity")]),
        timeouts=Timeouts(connect=seconds, first_byte=seconds, idle=seconds),
    )


def _joined(url: str, location: str, shown: str) -> str:
    if not location:
        raise BadRequest(f"{shown} redirects to nowhere")
    try:
        return urljoin(url, location)
    except ValueError:
        raise BadRequest(f"{shown} redirects to what is no URL") from None


async def _read(response: UpstreamResponse, shown: str, accept: Callable[[str], bool], limit: int) -> tuple[str, bytes]:
    if response.status != 200:
        raise BadRequest(f"{shown} could not be fetched: it answers with status {response.status}")
    kind = response.headers.text(b"content-type").partition(";")[0].strip().lower()
    if not accept(kind):
        raise BadRequest(f"{shown} is of type {kind or 'unknown'}, which is not taken")
    pieces, size = [], 0
    async for chunk in response.chunks():
        pieces.append(chunk)
        size += len(chunk)
        if size > limit:
            raise BadRequest(f"{shown} is larger than {limit} bytes")
    try:
        return kind, decode(b"".join(pieces), response.headers.text(b"content-encoding"), limit)
    except CCProxyError as error:
        raise BadRequest(f"{shown} cannot be read: {error.message}") from None

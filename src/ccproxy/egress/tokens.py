"""Small requests to token endpoints, over the way that everything else takes: proxy, trust and time limits included."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ccproxy import __version__
from ccproxy.auth.call import TokenAnswer, TokenRequest
from ccproxy.egress.transport import Timeouts, Transport, UpstreamRequest
from ccproxy.errors import UpstreamError, UpstreamTimeout
from ccproxy.exchange.http import Headers
from ccproxy.lightllm.compression import decode
from ccproxy.util.address import parse_address

_LARGEST = 1024 * 1024


class TokenPost:
    """A `Post` of credential sources.

    Args:
        transport: gives the transport to use now; another configuration may bring another.
    """

    def __init__(self, transport: Callable[[], Transport]) -> None:
        self._transport = transport

    async def __call__(self, request: TokenRequest) -> TokenAnswer:
        """Sends it. Raises UpstreamError, which names the endpoint's host and nothing of the request."""
        try:
            address = parse_address(request.url)
        except ValueError as error:
            raise UpstreamError(f"the token endpoint has no usable address: {error}") from None
        query = b"?" + address.query if address.query else b""
        upstream = UpstreamRequest(
            method="POST",
            scheme=address.scheme,
            host=address.host,
            port=address.port,
            target=(address.path or "/").encode() + query,
            headers=Headers(
                [
                    (b"Accept", b"application/json"),
                    (b"Accept-Encoding", b"identity"),
                    (b"Content-Type", request.content_type.encode()),
                    (b"User-Agent", f"ccproxy/{__version__}".encode()),
                ]
            ),
            body=request.body,
            timeouts=Timeouts(request.timeout, request.timeout, request.timeout),
        )
        try:
            async with asyncio.timeout(request.timeout):
                return await self._send(upstream, address.host)
        except TimeoutError:
            raise UpstreamTimeout(
                f"the token endpoint at {address.host} did not answer within {request.timeout:g} seconds"
            ) from None

    async def _send(self, request: UpstreamRequest, host: str) -> TokenAnswer:
        response = await self._transport().send(request)
        body = bytearray()
        try:
            async for chunk in response.chunks():
                body += chunk
                if len(body) > _LARGEST:
                    raise UpstreamError(f"the answer of the token endpoint at {host} is too large")
        finally:
            await response.close()
        encoding = response.headers.text(b"content-encoding")
        return TokenAnswer(
            response.status, decode(bytes(body), encoding, _LARGEST, error=UpstreamError) if encoding else bytes(body)
        )

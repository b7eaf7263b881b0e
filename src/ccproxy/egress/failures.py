"""What can go wrong on the way to a provider, said for people: exceptions of asyncio, ssl, aiohttp and websockets in,
ours out.

Messages name the provider's `host:port` and nothing of the request, whose target and fields may hold a key. Texts of
libraries are used only where they come from the operating system or from OpenSSL.
"""

from __future__ import annotations

import os
import socket
import ssl

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from ccproxy.errors import UpstreamCut, UpstreamError, UpstreamTimeout

#: The most a field of an answer may have, and the most fields.
MAX_LINE = 64 * 1024
MAX_FIELDS = 500


def cannot_connect(error: BaseException, where: str, proxy: str = "") -> UpstreamError:
    """No connection came about.

    Args:
        error: from the connector; TimeoutError is `connect_timeout`'s.
        where: the provider's `host:port`.
        proxy: the proxy's `host:port`, or "".
    """
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return proxy_refused(error.status, where, proxy)
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return no_proxy(error, proxy)
    if isinstance(error, aiohttp.InvalidURL):
        return UpstreamError(f"cannot connect to {where}: not a host name or address")
    if isinstance(error, aiohttp.ClientConnectorDNSError | socket.gaierror):
        # With a proxy it is the proxy's name that is looked up here.
        return UpstreamError(
            f"cannot find the address of {_host(proxy or where)}: {_reason(error)}",
            hint="see egress.proxy" if proxy else "check the host name and the network",
        )
    if (failed := _tls_error(error)) is not None:
        return _tls(failed, where)
    return UpstreamError(f"cannot connect to {where}: {_reason(error)}")


def no_proxy(error: BaseException, proxy: str) -> UpstreamError:
    """There is no connection to the proxy itself."""
    if isinstance(error, socket.gaierror):
        return cannot_connect(error, proxy, proxy)
    return UpstreamError(f"cannot connect to the proxy {proxy}: {_reason(error)}", hint="see egress.proxy")


def proxy_broken(proxy: str) -> UpstreamError:
    """What the proxy answered CONNECT with is no answer."""
    return UpstreamError(f"the proxy {proxy} did not answer in HTTP", hint="see egress.proxy")


def proxy_refused(status: int, where: str, proxy: str) -> UpstreamError:
    """The proxy answered CONNECT with something else than success."""
    hint = "put user and password into egress.proxy" if status == 407 else "ask whoever runs the proxy"
    return UpstreamError(f"the proxy {proxy} refused to connect to {where} (status {status})", hint=hint)


def connect_timeout(where: str, seconds: float, *, proxy: str = "", full: int = 0) -> UpstreamTimeout:
    """`full` is the number of connections if all of them were in use, else 0."""
    if full:
        return UpstreamTimeout(
            f"no connection to {where} became free within {seconds:g} seconds: all {full} are in use",
            hint="see egress.max_connections",
        )
    via = f" through the proxy {proxy}" if proxy else ""
    return UpstreamTimeout(
        f"cannot connect to {where}{via} within {seconds:g} seconds", hint="see egress.connect_seconds"
    )


def no_answer_in_time(where: str, seconds: float, *, sending: bool) -> UpstreamTimeout:
    """`sending`: the request was not yet fully sent when the provider stopped taking it."""
    if sending:
        return UpstreamTimeout(f"{where} took no more of the request for {seconds:g} seconds")
    return UpstreamTimeout(
        f"{where} did not begin to answer within {seconds:g} seconds", hint="see egress.first_byte_seconds"
    )


def silence(where: str, seconds: float, received: int) -> UpstreamTimeout:
    """The answer paused for too long."""
    return UpstreamTimeout(
        f"{where} sent nothing for {seconds:g} seconds, after {received} bytes of the answer",
        hint="see egress.idle_seconds",
    )


def cut(where: str, received: int) -> UpstreamCut:
    """The answer ended before it was complete."""
    return UpstreamCut(f"{where} closed the connection in the middle of the answer, after {received} bytes")


def no_answer(error: BaseException, where: str) -> UpstreamError:
    """The connection ended, or broke the protocol, before there was a head."""
    if isinstance(error, HttpProcessingError):
        return not_http(error, where)
    if (failed := _tls_error(error)) is not None:
        return _tls(failed, where)
    if isinstance(error, OSError) and error.errno:
        return UpstreamError(f"{where} broke the connection without an answer: {_reason(error)}")
    return UpstreamError(f"{where} closed the connection without an answer")


def not_http(error: BaseException, where: str) -> UpstreamError:
    """What came is no HTTP/1.1 answer, or one over the limits."""
    cause = error.__cause__ or error
    if isinstance(cause, LineTooLong):
        return UpstreamError(f"{where} answered with a header field of more than {MAX_LINE} bytes")
    if "Too many headers" in str(cause):
        return UpstreamError(f"{where} answered with more than {MAX_FIELDS} header fields")
    return UpstreamError(
        f"{where} did not answer in HTTP/1.1", hint="check host, port and scheme: is it https, or another service?"
    )


def broken_body(where: str, received: int) -> UpstreamError:
    """The framing of the answer's body is wrong."""
    return UpstreamCut(f"{where} broke the framing of the answer, after {received} bytes")


def _tls_error(error: BaseException) -> ssl.SSLError | None:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        error = error.certificate_error
    elif isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ssl.SSLError):
        error = error.os_error
    return error if isinstance(error, ssl.SSLError) else None


def _tls(error: ssl.SSLError, where: str) -> UpstreamError:
    if isinstance(error, ssl.SSLCertVerificationError):
        why = getattr(error, "verify_message", "") or "not trusted"
        return UpstreamError(
            f"the TLS certificate of {where} is not accepted: {why.rstrip('.')}",
            hint="name the authority's file in egress.ca_file, or set verify: false for a test server's provider",
        )
    why = (getattr(error, "reason", "") or error.strerror or "handshake failed").replace("_", " ").lower()
    hint = "does it speak https?" if "wrong version" in why or "record layer" in why else ""
    return UpstreamError(f"no TLS connection to {where}: {why}", hint=hint)


def _reason(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        error = error.os_error
    if isinstance(error, socket.gaierror):
        return (error.strerror or "unknown").lower()
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    if isinstance(error, OSError) and "refused" in str(error).lower():
        return "connection refused"  # several addresses, one text
    return "the connection failed"


def _host(where: str) -> str:
    return where.rpartition(":")[0].strip("[]")

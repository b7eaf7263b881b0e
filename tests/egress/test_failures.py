"""The sentences. That the right one is chosen for what a network does is tested in test_pooled and test_response."""

from __future__ import annotations

import errno
import socket
import ssl

import aiohttp
import pytest
from aiohttp.http_exceptions import BadHttpMessage, HttpProcessingError, LineTooLong

from ccproxy.egress import failures
from ccproxy.errors import UpstreamCut, UpstreamError, UpstreamTimeout

WHERE = "api.example:443"
CANARY = "sk-canary"


def certificate_error(message: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = message
    return error


@pytest.mark.parametrize(
    ("error", "proxy", "text"),
    [
        (
            ConnectionRefusedError(errno.ECONNREFUSED, CANARY),
            "",
            "cannot connect to api.example:443: connection refused",
        ),
        (OSError(errno.ENETUNREACH, CANARY), "", "cannot connect to api.example:443: network is unreachable"),
        (
            OSError("Multiple exceptions: [Errno 111] Connect call failed, [Errno 111] Connection refused"),
            "",
            "cannot connect to api.example:443: connection refused",
        ),
        (RuntimeError(CANARY), "", "cannot connect to api.example:443: the connection failed"),
        (aiohttp.InvalidURL(CANARY), "", "cannot connect to api.example:443: not a host name or address"),
        (
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            "",
            "cannot find the address of api.example: name or service not known (check the host name and the network)",
        ),
        (
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            "proxy.corp:3128",
            "cannot find the address of proxy.corp: name or service not known (see egress.proxy)",
        ),
        (
            certificate_error("self-signed certificate"),
            "",
            "the TLS certificate of api.example:443 is not accepted: self-signed certificate (name the authority's file"
            " in egress.ca_file, or set verify: false for a test server's provider)",
        ),
        (ssl.SSLError(1, "handshake failure"), "", "no TLS connection to api.example:443: handshake failure"),
    ],
)
def test_no_connection(error: Exception, proxy: str, text: str) -> None:
    failure = failures.cannot_connect(error, WHERE, proxy)

    assert str(failure) == text
    assert failure.status == 502
    assert CANARY not in str(failure)


def test_a_proxy_that_refuses() -> None:
    assert failures.proxy_refused(407, WHERE, "p:1").hint == "put user and password into egress.proxy"
    assert str(failures.proxy_refused(403, WHERE, "p:1")) == (
        "the proxy p:1 refused to connect to api.example:443 (status 403) (ask whoever runs the proxy)"
    )


def test_time_limits() -> None:
    limits = [
        failures.connect_timeout(WHERE, 10.0),
        failures.connect_timeout(WHERE, 2.5, proxy="p:1"),
        failures.connect_timeout(WHERE, 10.0, full=1000),
        failures.no_answer_in_time(WHERE, 600.0, sending=False),
        failures.no_answer_in_time(WHERE, 600.0, sending=True),
        failures.silence(WHERE, 300.0, 17),
    ]

    assert [limit.message for limit in limits] == [
        "cannot connect to api.example:443 within 10 seconds",
        "cannot connect to api.example:443 through the proxy p:1 within 2.5 seconds",
        "no connection to api.example:443 became free within 10 seconds: all 1000 are in use",
        "api.example:443 did not begin to answer within 600 seconds",
        "api.example:443 took no more of the request for 600 seconds",
        "api.example:443 sent nothing for 300 seconds, after 17 bytes of the answer",
    ]
    assert all(isinstance(limit, UpstreamTimeout) and limit.status == 504 for limit in limits)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (aiohttp.ServerDisconnectedError(), "api.example:443 closed the connection without an answer"),
        (
            aiohttp.ClientOSError(errno.ECONNRESET, CANARY),
            "api.example:443 broke the connection without an answer: connection reset by peer",
        ),
        (certificate_error("certificate has expired"), "certificate has expired"),
        (HttpProcessingError(code=400, message=CANARY), "api.example:443 did not answer in HTTP/1.1"),
    ],
)
def test_no_answer(error: Exception, text: str) -> None:
    failure = failures.no_answer(error, WHERE)

    assert text in failure.message
    assert CANARY not in str(failure)


def test_an_answer_over_the_limits() -> None:
    outer = HttpProcessingError(code=400)

    outer.__cause__ = LineTooLong(CANARY.encode(), 65536)
    assert (
        failures.not_http(outer, WHERE).message
        == "api.example:443 answered with a header field of more than 65536 bytes"
    )
    outer.__cause__ = BadHttpMessage("Too many headers received")
    assert failures.not_http(outer, WHERE).message == "api.example:443 answered with more than 500 header fields"


def test_an_answer_that_breaks_off() -> None:
    for failure in (failures.cut(WHERE, 5), failures.broken_body(WHERE, 5)):
        assert isinstance(failure, UpstreamCut)
        assert isinstance(failure, UpstreamError)
        assert failure.message.endswith("after 5 bytes")

"""How the interceptor hands a request to the gateway: the request as it is, with one field more.

The field says where the request was going and who sent it, and proves by a secret, made anew for each process, that the
interceptor says so: a client that writes the field itself proves nothing. It goes no further than the gateway.
"""

from __future__ import annotations

import hmac
import json

import msgspec
from msgspec import Struct

from ccproxy.exchange.http import Headers

FIELD = b"x-ccproxy-handoff"


class Handoff(Struct, kw_only=True):
    """Where an intercepted request was going, and from whom.

    Attributes:
        scheme, host, port: the origin that the client meant.
        http_version: what the client spoke.
        run: the id of the run whose jail it comes from, or "".
        address, source_port: the client's, as the interceptor saw it.
        process: what sent it: `1234 git fetch < 1200 bash`, or "".
    """

    scheme: str
    host: str
    port: int
    http_version: str = "1.1"
    run: str = ""
    address: str = ""
    source_port: int = 0
    process: str = ""


class _Signed(Struct):
    secret: str
    handoff: Handoff


_decode = msgspec.json.Decoder(_Signed).decode


def field(handoff: Handoff, secret: str) -> bytes:
    """The value of the field: JSON within ASCII."""
    return json.dumps(msgspec.to_builtins(_Signed(secret, handoff))).encode()


def take(headers: Headers, secret: str) -> Handoff | None:
    """Takes the field out of `headers` and returns what it says; None if it is not there, or proves nothing.

    Args:
        secret: the process's own; "" accepts nothing.
    """
    value = headers.get(FIELD)
    if value is None:
        return None
    headers.pairs = headers.without((FIELD,)).pairs
    try:
        signed = _decode(value)
    except msgspec.MsgspecError:
        return None
    if not secret or not hmac.compare_digest(signed.secret.encode(), secret.encode()):
        return None
    return signed.handoff

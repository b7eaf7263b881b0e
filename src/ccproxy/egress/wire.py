"""The bytes of a request head, exactly as it stands: names, values, order and repeats are those of the request.

Added are Host (first, if there is none) and what frames the body. The framing of a message is the sender's own
business, so it is made to fit the body that is really sent: a wrong Content-Length is corrected where it stands, a
Transfer-Encoding is dropped or made. What would change the meaning of the message (line breaks in a value, a space in
the target) is refused, wherever it came from.
"""

from __future__ import annotations

import re

from ccproxy.egress.transport import UpstreamRequest
from ccproxy.errors import BadRequest

#: RFC 9110 5.6.2: what a method or field name is made of.
_NOT_TOKEN = re.compile(rb"[^!#$%&'*+.^_`|~0-9A-Za-z-]")
_BAD_TARGET = re.compile(rb"[\x00-\x20\x7f]")
_BAD_VALUE = re.compile(rb"[\x00\r\n]")

CHUNKED = -1


def encode_head(
    request: UpstreamRequest, host: bytes, *, absolute: bytes = b"", proxy_authorization: bytes = b""
) -> tuple[bytes, int]:
    """The request line and fields up to and including the empty line, and the length of the body.

    Args:
        request: what to send.
        host: the value for a Host field, used if the request has none.
        absolute: `http://host:port` for an absolute target, as an HTTP proxy wants it.
        proxy_authorization: the value for Proxy-Authorization, or b"".

    Returns the head and how many bytes of body follow; CHUNKED if that is not known.
    Raises BadRequest if the request cannot be put on the wire as one message.
    """
    method = request.method.encode("latin-1", "replace")
    target = request.target or b"/"
    if not method or _NOT_TOKEN.search(method) or method == b"CONNECT":
        raise BadRequest("the request method cannot be forwarded", status=501)
    if _BAD_TARGET.search(target):
        raise BadRequest("the request target holds spaces or control characters", hint="percent-encode them")
    if absolute:
        target = absolute if target == b"*" else absolute + target

    given_length: bytes | None = None
    length_at = 0
    named_host = False
    names: list[bytes] = []
    values: list[bytes] = []
    for name, value in request.headers.pairs:
        match name.lower():
            case b"transfer-encoding":
                continue
            case b"content-length" if given_length is not None:
                if value != given_length:
                    raise BadRequest("the request has two different Content-Length fields")
                continue
            case b"content-length":
                given_length = value
                length_at = len(names)
            case b"host":
                named_host = True
        names.append(name)
        values.append(value)
    if not all(names) or _NOT_TOKEN.search(b"".join(names)):
        raise BadRequest("a header field's name is not a token (RFC 9110 5.6.2)")
    if _BAD_VALUE.search(b"".join(values)):
        raise BadRequest("a header field's value holds a line break or a NUL")

    length = body_length(request, given_length)
    if given_length is not None:
        values[length_at] = b"%d" % length
    lines = [method + b" " + target + b" HTTP/1.1"]
    if not named_host:
        lines.append(b"Host: " + host)
    lines.extend([name + b": " + value for name, value in zip(names, values, strict=True)])
    if given_length is None and request.body is not None:
        lines.append(b"Transfer-Encoding: chunked" if length == CHUNKED else b"Content-Length: %d" % length)
    if proxy_authorization:
        lines.append(b"Proxy-Authorization: " + proxy_authorization)
    lines.append(b"\r\n")
    return b"\r\n".join(lines), length


def body_length(request: UpstreamRequest, given: bytes | None) -> int:
    """How many bytes of body will be sent, or CHUNKED. `given` is the Content-Length of the request.

    Raises BadRequest if `given` is not a number, or announces a body that does not exist.
    """
    body = request.body
    if isinstance(body, bytes):
        return len(body)
    if given is None:
        return 0 if body is None else CHUNKED
    if not given.isdigit():
        raise BadRequest("the request's Content-Length is not a number")
    length = int(given)
    if body is None and length:
        raise BadRequest(f"the request announces {length} bytes of body and has none")
    return length

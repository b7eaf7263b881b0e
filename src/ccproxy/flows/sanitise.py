"""A second look for secrets, at what is about to leave the store for a file or another person.

The store holds no credential of an exchange (see `redact`), but prompts and answers as they were: a key that a tool read
from a file, an MCP server's token in a tool definition. Here everything that looks like a secret goes, by its name or its
shape, in heads, targets and bodies, compressed ones too. In a body it is overwritten with asterisks of the same length,
so that lengths and JSON stay as they were. What is overwritten too much can be had with `--with-secrets`: then a flow
leaves as it is stored, which is all that can be had.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from ccproxy.exchange.hooks import HookResult
from ccproxy.flows import coding
from ccproxy.flows.model import Flow, Message, Pairs, RequestRecord, WebSocketMessage
from ccproxy.lightllm.ir.losses import Loss
from ccproxy.util.redact import (
    ELLIPSIS,
    is_secret_parameter,
    mask,
    redact_header,
    redact_text,
    redact_url,
    replace_keys,
)

_LONG = 24
#: Of a value that belongs to a member called just `token`.
_SHORTEST_TOKEN = 16
_SENTINEL = "sk-ant-oat-ccproxy-"

#: What stands between a JSON member's name and its value, the name, and the value: that of JSON that is a string of other
#: JSON has its quotes escaped.
_COLON = re.compile(r"\"\s{0,3}:\s{0,3}(?=\\*\")")
_NAME = re.compile(
    r"(?P<word>api[-_]?key|secret|passw(?:or)?d|authorization|cookie|credential|token(?!s))(?P<more>[\w-]{0,24})\\*\Z",
    re.IGNORECASE,
)
_LONGEST_NAME = 60
_VALUE = re.compile(r"\"(?P<value>[^\"\\]*(?:\\.[^\"\\]*)*)|\\+\"(?P<inner>[^\"\\]+)")
#: `NAME=value` as in shells and .env files.
_VARIABLE = re.compile(
    r"(?P<lead>\b[A-Z][A-Z0-9_]*(?:KEY|SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIALS?)=(?:\\*[\"'])?)"
    r"(?P<value>[^\s\"'\\$<>]{6,})"
)
_SCHEMED = re.compile(r"(?P<lead>\b(?:bearer|basic)\s+)(?P<value>[A-Za-z0-9._~+/=-]{16,})", re.IGNORECASE)
#: Header fields as they stand in command lines and logs.
_FIELD = re.compile(
    r"(?P<lead>(?:api[-_]?key|authorization|cookie)\s?:\s{0,3}(?:(?:bearer|basic)\s+)?)(?P<value>[^\s\"'\\{}\[\]]{8,})",
    re.IGNORECASE,
)
_FIELD_HINTS = ("key:", "key :", "authorization:", "authorization :", "cookie:", "cookie :")
_URL = re.compile(r"://[^\s\"'<>\\]{1,4096}")
_USERINFO = re.compile(r"(?P<lead>://)(?P<value>[^/?#@]{1,512})(?=@)")
_PARAMETER = re.compile(r"(?P<lead>(?:^|[?&;#])(?P<name>[^=&;#?]{1,128})=)(?P<value>[^&;#]+)")

_MEMBER_HINTS = ("apikey", "api_key", "api-key", "secret", "passw", "authorization", "cookie", "credential", "token")
_VARIABLE_HINTS = ("KEY=", "SECRET=", "TOKEN=", "PASSWORD=", "PASSWD=", "CREDENTIAL")


def sanitised(flow: Flow) -> Flow:
    """A copy of `flow` without what looks like a secret."""
    changes: dict[str, object] = {
        "request": _request(flow.request),
        "forwarded": None if flow.forwarded is None else _request(flow.forwarded),
        "response": None if flow.response is None else _message(flow.response),
        "answer": None if flow.answer is None else _message(flow.answer),
        "error": redact_text(flow.error),
        "user_agent": _keys(flow.user_agent),
        "process": redact_text(flow.process),
        "hooks": [_hook(hook) for hook in flow.hooks],
        "losses": [_loss(loss) for loss in flow.losses],
    }
    if flow.forwarded is not None and flow.forwarded.body is flow.request.body:  # most are, and large ones cost
        head = msgspec.structs.replace(flow.forwarded, body=b"")
        changes["forwarded"] = msgspec.structs.replace(
            _request(head), body=_request_body(changes["request"]), redacted=_redacted(changes["request"])
        )
    if (record := flow.websocket) is not None:
        messages = [_websocket(message) for message in record.messages]
        redacted = record.redacted or any(new is not old for new, old in zip(messages, record.messages, strict=True))
        changes["websocket"] = msgspec.structs.replace(record, messages=messages, redacted=redacted)
    return msgspec.structs.replace(flow, **changes)


def body(data: bytes, content_encoding: str = "", content_type: str = "") -> bytes:
    """A body without what looks like a secret; the same object if there is nothing of the kind. One whose coding is
    unknown is left as it is."""
    decoded = coding.decode(data, content_encoding)
    if decoded is None or not decoded.data:
        return data
    plain = decoded.data.decode("latin-1")
    cleaned = text(plain)
    if "form-urlencoded" in content_type:
        cleaned = _PARAMETER.sub(_parameter, cleaned)
    if cleaned == plain:
        return data
    return coding.encode(cleaned.encode("latin-1"), content_encoding)


def text(plain: str) -> str:
    """Free text or JSON, with secrets overwritten in their length."""
    lower = plain.lower()
    if any(map(lower.__contains__, _MEMBER_HINTS)):
        plain = _members(plain)
    if any(map(plain.__contains__, _VARIABLE_HINTS)):
        plain = _VARIABLE.sub(_value, plain)
    if any(map(lower.__contains__, _FIELD_HINTS)):
        plain = _FIELD.sub(_value, plain)
    if "bearer" in lower or "basic" in lower:
        plain = _SCHEMED.sub(_value, plain)
    if "://" in plain:
        plain = _URL.sub(_url, plain)
    return replace_keys(plain, _stars)


def _request(request: RequestRecord) -> RequestRecord:
    target = request.target if ELLIPSIS in request.target else redact_url(request.target)
    return msgspec.structs.replace(_message(request), target=_keys(target))


def _message[M: Message](message: M) -> M:
    cleaned = body(message.body, message.header("content-encoding"), message.header("content-type"))
    redacted = message.redacted or cleaned is not message.body
    return msgspec.structs.replace(message, headers=_headers(message.headers), body=cleaned, redacted=redacted)


def _headers(headers: Iterable[tuple[str, str]]) -> Pairs:
    # A value with an ellipsis was masked before: what is left of it is to stay.
    return [(name, _keys(value if ELLIPSIS in value else redact_header(name, value))) for name, value in headers]


def _websocket(message: WebSocketMessage) -> WebSocketMessage:
    cleaned = body(message.body)
    return message if cleaned is message.body else msgspec.structs.replace(message, body=cleaned)


def _hook(hook: HookResult) -> HookResult:
    return msgspec.structs.replace(
        hook, error=redact_text(hook.error), notes=[redact_text(note) for note in hook.notes]
    )


def _loss(loss: Loss) -> Loss:
    return msgspec.structs.replace(loss, source=text(loss.source), target=text(loss.target))


def _request_body(request: object) -> bytes:
    assert isinstance(request, RequestRecord)
    return request.body


def _redacted(request: object) -> bool:
    assert isinstance(request, RequestRecord)
    return request.redacted


def _keys(value: str) -> str:
    return replace_keys(value, mask)


def _members(plain: str) -> str:
    """JSON with the values of members overwritten that are secret by their name."""
    pieces: list[str] = []
    done = 0
    for colon in _COLON.finditer(plain):
        begin = colon.start()
        if begin < done or (name := _NAME.search(plain, max(done, begin - _LONGEST_NAME), begin)) is None:
            continue
        found = _VALUE.match(plain, colon.end())
        if found is None:
            continue
        group = "inner" if found["value"] is None else "value"
        value = found[group]
        # The tokens of a model are called `token` too: words, not secrets.
        word = name["word"].lower() == "token" and not name["more"] and (len(value) < _SHORTEST_TOKEN or " " in value)
        if value and not word and not value.startswith(_SENTINEL):
            pieces += (plain[done : found.start(group)], _stars(value))
            done = found.end(group)
    return "".join((*pieces, plain[done:])) if pieces else plain


def _value(match: re.Match[str]) -> str:
    value = match["value"]
    return match[0] if value.startswith(_SENTINEL) else f"{match['lead']}{_stars(value)}"


def _url(match: re.Match[str]) -> str:
    url = _USERINFO.sub(_userinfo, match[0]) if "@" in match[0] else match[0]
    return _PARAMETER.sub(_parameter, url) if "=" in url else url


def _userinfo(match: re.Match[str]) -> str:
    return f"{match['lead']}{'*' * len(match['value'])}"


def _parameter(match: re.Match[str]) -> str:
    return _value(match) if is_secret_parameter(match["name"]) else match[0]


def _stars(value: str) -> str:
    """Asterisks of the same length; the last four characters stay of a long value. What is overwritten stays as it is."""
    length = len(value)
    if length < _LONG or "\\" in value:
        return "*" * length
    return "*" * (length - 4) + value[-4:]

"""What went wrong, as a value that every dialect can read and write.

`decode_error` of a dialect makes one from a provider's answer, `encode_error` writes one in a client's form, and
`Failed` carries one through a stream. Kinds are the words below; a dialect maps its own words to them and back, so a
provider's error keeps its meaning, its status and its message in every dialect.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from ccproxy.errors import CCProxyError

type ErrorKind = Literal[
    "invalid_request",
    "authentication",
    "billing",
    "permission",
    "not_found",
    "conflict",
    "too_large",
    "rate_limit",
    "quota",
    "api",
    "timeout",
    "overloaded",
    "cut",
    "unsupported",
]

#: The HTTP status of a kind when the provider gave none.
STATUS: dict[ErrorKind, int] = {
    "invalid_request": 400,
    "authentication": 401,
    "billing": 402,
    "permission": 403,
    "not_found": 404,
    "conflict": 409,
    "too_large": 413,
    "rate_limit": 429,
    "quota": 429,
    "api": 500,
    "timeout": 504,
    "overloaded": 503,
    "cut": 502,
    "unsupported": 501,
}

_KINDS: dict[int, ErrorKind] = {
    400: "invalid_request",
    401: "authentication",
    402: "billing",
    403: "permission",
    404: "not_found",
    405: "invalid_request",
    408: "timeout",
    409: "conflict",
    413: "too_large",
    422: "invalid_request",
    429: "rate_limit",
    499: "timeout",
    501: "unsupported",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}


#: Codes of z.ai for limits that waiting a little does not lift, whatever dialect it speaks (docs.z.ai, Error codes).
ZAI_QUOTA = frozenset({"1113", "1304", "1308", "1309", "1310"})


class ErrorInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error of a provider or of ours.

    Attributes:
        kind: what it means.
        message: for a person, as the provider wrote it.
        status: the HTTP status, or 0 when it came inside a stream without one.
        code: the provider's own word for it (`insufficient_quota`, `RESOURCE_EXHAUSTED`), or "". With no dialect it is a
            word of ours (`credential_error`), which stays where a client's dialect has a place for such words.
        param: which field of the request it blames, or "".
        request_id: the provider's id of the request, or "".
        retry_after: seconds to wait, as the body says; None when it does not.
        dialect: whose words `code` and `details` are.
        details: further fields of the provider's error object, verbatim.
    """

    kind: ErrorKind
    message: str
    status: int = 0
    code: str = ""
    param: str = ""
    request_id: str = ""
    retry_after: float | None = None
    dialect: str = ""
    details: dict[str, Any] = {}

    @property
    def http_status(self) -> int:
        """The status to answer with when nothing was sent yet."""
        return self.status or STATUS[self.kind]


def kind_of_status(status: int) -> ErrorKind:
    """What an HTTP status means when the body does not say."""
    if status in _KINDS:
        return _KINDS[status]
    return "invalid_request" if 400 <= status < 500 else "api"


def info_of(problem: CCProxyError) -> ErrorInfo:
    """One of our own errors as a value."""
    kind = kind_of_status(problem.status)
    if problem.kind == "upstream_cut":
        kind = "cut"
    elif problem.kind == "upstream_error" or (kind == "overloaded" and problem.kind != "overloaded"):
        kind = "api"  # a 503 of ours is not a provider that is full
    return ErrorInfo(kind, str(problem), problem.status, code=problem.kind, param=problem.param)


def cut(detail: str = "") -> ErrorInfo:
    """The provider's stream ended before its answer did."""
    return ErrorInfo("cut", detail or "the provider's stream was cut before the answer was complete", 502)


def malformed(detail: str) -> ErrorInfo:
    """The provider sent what its own protocol does not allow."""
    return ErrorInfo("api", f"the provider's answer cannot be read: {detail}", 502)


def plain_text_error(status: int, body: bytes) -> ErrorInfo:
    """An error whose body is in no known shape (HTML of a middle box, plain text, nothing): its text is the message.
    FastAPI's `{"detail": ...}` is looked into."""
    from ccproxy.lightllm.jsontext import dumps_text, loads_or_none

    value = loads_or_none(body)
    text = ""
    if isinstance(value, dict):
        found = value.get("message") or value.get("detail") or value.get("error") or value
        text = found if isinstance(found, str) else dumps_text(found)
    elif isinstance(value, str):
        text = value
    if not text:
        text = " ".join(body.decode("utf-8", "replace").split())
    text = text[:2000] or f"the provider answered with status {status} and no message"
    return ErrorInfo(kind_of_status(status), text, status)

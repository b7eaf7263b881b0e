"""Credentials in a request: finding the sentinel key, and taking every credential out.

A sentinel `sk-ant-oat-ccproxy-NAME` stands where a client puts its API key and selects `providers[NAME]`. Where the
gateway asks for a client key, the key may follow the name after a dot: `sk-ant-oat-ccproxy-NAME.KEY`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from ccproxy.errors import BadRequest
from ccproxy.exchange.http import Headers

PREFIX = b"sk-ant-oat-ccproxy-"

#: Header fields that carry a credential, in the order in which they are looked at.
CREDENTIAL_FIELDS = (b"x-api-key", b"authorization", b"x-goog-api-key", b"api-key")

#: Every field that says who asks; none of them goes to a provider that has a credential of its own.
CREDENTIAL_NAMES = frozenset({*CREDENTIAL_FIELDS, b"cookie", b"x-goog-user-project", b"chatgpt-account-id"})
_KEY = b"key="
#: A sentinel among other text.
_SENTINEL = re.compile(re.escape(PREFIX) + rb"[\w-]*(?:\.[^\s\"'&,;]+)?")
#: Header fields that never leave.
_INTERNAL = b"x-ccproxy-"


@dataclass(frozen=True, slots=True)
class Presented:
    """What a request presents.

    Attributes:
        sentinel: the provider name of the sentinel key, or None.
        client_key: the client key that followed the name, or "".
        secrets: every credential value in the request, to be removed from what is recorded.
    """

    sentinel: str | None
    client_key: str
    secrets: tuple[str, ...]

    @property
    def own_credential(self) -> bool:
        """Whether the client sent a credential of its own."""
        return self.sentinel is None and bool(self.secrets)


def presented(headers: Headers, query: bytes) -> Presented:
    """Looks in every place a credential can stand; a sentinel counts also elsewhere in the head, if there is none in
    such a place. Raises BadRequest when two sentinels name different providers."""
    values = [_bare(value) for field in CREDENTIAL_FIELDS for value in headers.all(field)]
    values += [unquote_to_bytes(part[len(_KEY) :]) for part in query.split(b"&") if part.startswith(_KEY)]
    names: dict[str, str] = {}
    secrets: list[str] = []
    if not any(value.startswith(PREFIX) for value in values) and (stray := _stray(headers, query)):
        values.append(stray)
    for value in values:
        if value.startswith(PREFIX):
            name, _, key = value[len(PREFIX) :].decode("latin-1").partition(".")
            names[name] = key or names.get(name, "")
            if key:
                secrets.append(key)
        elif value:
            secrets.append(value.decode("latin-1"))
    if len(names) > 1:
        raise BadRequest(f"the request holds sentinel keys of several providers: {', '.join(sorted(names))}")
    sentinel = next(iter(names), None)
    return Presented(sentinel, names.get(sentinel, "") if sentinel is not None else "", tuple(secrets))


def _stray(headers: Headers, query: bytes) -> bytes:
    """The first sentinel that stands where no credential is looked for, or b"". Passed over, it would go on to an
    upstream, and a client key with it."""
    for name, value in headers:
        if PREFIX in value and not name.lower().startswith(_INTERNAL):
            break
    else:
        value = unquote_to_bytes(query)
    found = _SENTINEL.search(value)
    return found[0] if found else b""


def strip_credentials(headers: Headers) -> Headers:
    """A copy without any field that holds a credential, or a sentinel wherever it stands."""
    return Headers(pair for pair in headers if pair[0].lower() not in CREDENTIAL_NAMES and PREFIX not in pair[1])


def strip_key(query: bytes) -> bytes:
    """The query without its `key` parameter and without any parameter that holds a sentinel; all else untouched."""
    if _KEY not in query and PREFIX not in query and b"%" not in query:
        return query
    return b"&".join(part for part in query.split(b"&") if not _is_credential(part))


def _is_credential(part: bytes) -> bool:
    return part.startswith(_KEY) or PREFIX in (unquote_to_bytes(part) if b"%" in part else part)


def _bare(value: bytes) -> bytes:
    """A header value without its `Bearer` scheme; of a sentinel without whatever scheme a client puts before it."""
    words = value.split(None, 1)
    if len(words) == 2 and (words[0].lower() == b"bearer" or words[1].startswith(PREFIX)):
        return words[1].strip()
    # A client with an empty key sends the scheme alone.
    return b"" if value.strip().lower() == b"bearer" else value.strip()

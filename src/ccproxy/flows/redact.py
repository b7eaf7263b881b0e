"""Taking secrets out of what is recorded: header fields, targets, error texts and bodies.

Header fields and parameters are judged by their names; the secrets an exchange is known to hold (the client's key, the
injected credential) are removed wherever they stand; the tokens in the traffic of OAuth endpoints by their JSON key or
form name. In a body a secret is overwritten with asterisks of the same length (the last four characters stay from 24
on), so that framing, lengths and everything around it remain as they were.

Plain bodies, heads and texts are cleaned where a flow is made; bodies with a content coding by `prepare.clean`. Both
happen before anything is written, to the journal or to the database.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from urllib.parse import quote

from ccproxy.exchange.http import Headers
from ccproxy.flows import coding
from ccproxy.flows.model import Pairs
from ccproxy.util.redact import (
    SHORTEST_SECRET,
    is_secret_name,
    mask,
    redact_header,
    redact_text,
    redact_url,
    redact_value,
)

_LONG = 24
_MAX_NAMES = 2048
_MAX_KEPT = 2048
_LONGEST_KEPT = 256
_PLAIN = re.compile(r"[A-Za-z0-9._~-]+")
_SCHEME = re.compile(r"(?:Bearer|Basic)\s+", re.IGNORECASE)
_SENTINEL = "sk-ant-oat-ccproxy-"

_OAUTH_TARGET = re.compile(r"oauth|/token(?![A-Za-z_])|/(?:login|device|authorize)(?![A-Za-z_])", re.IGNORECASE)
_STRING = rb'"\s*:\s*")(?P<value>[^"\\]*(?:\\.[^"\\]*)*)'
_TOKENS = re.compile(rb'(?P<lead>"(?:access|refresh|id)_token' + _STRING)
_TOKENS_HINT = b'_token"'
_OAUTH_JSON = re.compile(
    rb'(?P<lead>"(?:(?:access|refresh|id|subject|actor)_?token|token|client_?secret|device_?code|code|code_?verifier'
    rb"|authorization_?code|(?:client_)?assertion|password|api_?key|raw_?key)" + _STRING,
    re.IGNORECASE,
)
_OAUTH_FORM = re.compile(
    rb"(?P<lead>(?:^|&)(?:(?:access|refresh|id|subject|actor)_token|token|client_secret|device_code|code|code_verifier"
    rb"|(?:client_)?assertion|password|api_?key)=)(?P<value>[^&]+)",
    re.IGNORECASE,
)

_PLAIN_FIELD, _SECRET_FIELD, _OTHER_FIELD = range(3)


def overwrite(secret: bytes) -> bytes:
    """Asterisks of the secret's length; its last four bytes stay if it has at least 24."""
    if len(secret) < _LONG:
        return b"*" * len(secret)
    return b"*" * (len(secret) - 4) + secret[-4:]


class Scrubber:
    """Removes the known secrets of one exchange, in the spellings that they may have in JSON and URLs.

    Secrets of less than 8 characters are passed over, as are sentinel keys (what follows the dot of one is not).
    """

    __slots__ = ("_needles", "_texts", "longest")

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        found: set[str] = set()
        for secret in secrets:
            bare = _SCHEME.sub("", secret.strip(), count=1)
            if bare.startswith(_SENTINEL):
                bare = bare.partition(".")[2]
            if len(bare) < SHORTEST_SECRET:
                continue
            found.add(bare)
            if not _PLAIN.fullmatch(bare):
                found.update({quote(bare, safe=""), quote(bare), json.dumps(bare)[1:-1], bare.replace("/", "\\/")})
        # Longest first: one secret may hold another.
        self._texts = sorted(found, key=len, reverse=True)
        self._needles = [text.encode("utf-8", "surrogateescape") for text in self._texts]
        #: Bytes of the longest spelling of a secret.
        self.longest = max(map(len, self._needles), default=0)

    @property
    def secrets(self) -> list[str]:
        """What it removes, for another scrubber that is to remove the same."""
        return list(self._texts)

    def __bool__(self) -> bool:
        return bool(self._needles)

    def __repr__(self) -> str:
        return f"Scrubber({len(self._needles)} secrets)"

    def finds(self, text: str) -> bool:
        """Whether a known secret stands in `text`."""
        return any(map(text.__contains__, self._texts))

    def text(self, text: str) -> str:
        """`text` with every known secret masked."""
        for secret in self._texts:
            if secret in text:
                text = text.replace(secret, mask(secret))
        return text

    def body(self, body: bytes, *, truncated: bool = False) -> bytes:
        """`body` with every known secret overwritten. Of a truncated body a secret's beginning at the end is cut off."""
        for needle in self._needles:
            if needle in body:
                body = body.replace(needle, overwrite(needle))
        return self._without_beginning(body) if truncated else body

    def _without_beginning(self, body: bytes) -> bytes:
        for needle in self._needles:
            for length in range(len(needle) - 1, 3, -1):
                if body.endswith(needle[:length]):
                    return body[:-length]
        return body


NOTHING = Scrubber()


class HeaderRedactor:
    """Turns header fields into text without secrets. Remembers its verdict on each name it has seen, and the text of
    fields, which clients repeat from request to request."""

    def __init__(self) -> None:
        self._verdicts: dict[bytes, tuple[str, int]] = {}
        self._known: dict[tuple[bytes, bytes], tuple[str, str]] = {}

    def pairs(self, headers: Headers, scrubber: Scrubber = NOTHING) -> Pairs:
        """Names and values as latin-1 text, in their order."""
        pairs = self.masked(headers)
        if scrubber and scrubber.finds("\n".join([text for _, text in pairs])):
            return [(name, scrubber.text(text)) for name, text in pairs]
        return pairs

    def masked(self, headers: Headers) -> Pairs:
        """The same without a look for the exchange's own secrets."""
        known = self._known.get
        return [known(pair) or self._pair(pair) for pair in headers.pairs]

    def _pair(self, pair: tuple[bytes, bytes]) -> tuple[str, str]:
        name, value = pair
        text = value.decode("latin-1")
        label, kind = self._verdicts.get(name) or self._judge(name)
        if kind == _SECRET_FIELD:
            text = redact_value(text)
        elif kind == _OTHER_FIELD or "=" in text:
            text = redact_header(label, text)
        if len(value) <= _LONGEST_KEPT:
            if len(self._known) >= _MAX_KEPT:
                self._known.clear()
            self._known[pair] = label, text
        return label, text

    def _judge(self, name: bytes) -> tuple[str, int]:
        label = name.decode("latin-1")
        if is_secret_name(label):
            kind = _SECRET_FIELD
        elif label.lower() in {"sec-websocket-protocol", "location", "content-location", "referer", "link", "origin"}:
            kind = _OTHER_FIELD
        else:
            kind = _PLAIN_FIELD
        if len(self._verdicts) < _MAX_NAMES:
            self._verdicts[name] = label, kind
        return label, kind


def clean_target(target: bytes, scrubber: Scrubber = NOTHING) -> str:
    """A request target as latin-1 text without secrets."""
    text = target.decode("latin-1")
    if "=" in text or "@" in text:
        text = redact_url(text)
    return scrubber.text(text) if scrubber else text


def clean_text(text: str, scrubber: Scrubber = NOTHING) -> str:
    """An error's text without secrets."""
    return redact_text(scrubber.text(text)) if text else text


def is_oauth(target: str) -> bool:
    """Whether a request target looks like an OAuth endpoint's, whose bodies hold tokens in both directions."""
    return _OAUTH_TARGET.search(target.partition("?")[0]) is not None


def _overwrite_value(match: re.Match[bytes]) -> bytes:
    return match["lead"] + overwrite(match["value"])


def clean_body(body: bytes, scrubber: Scrubber, *, oauth: bool, answer: bool, truncated: bool = False) -> bytes:
    """A body without a content coding, cleaned; the same object if there was nothing to clean.

    Args:
        oauth: it goes to or comes from an OAuth endpoint: every JSON and form field that holds a secret there goes.
        answer: it is a response: the tokens of an OAuth answer go wherever it came from.
        truncated: it is only the beginning.
    """
    if not body:
        return body
    cleaned = scrubber.body(body, truncated=truncated) if scrubber else body
    if oauth:
        cleaned = _OAUTH_JSON.sub(_overwrite_value, cleaned)
        if not cleaned.lstrip().startswith((b"{", b"[", b"<")):
            cleaned = _OAUTH_FORM.sub(_overwrite_value, cleaned)
    elif answer and _TOKENS_HINT in cleaned:
        cleaned = _TOKENS.sub(_overwrite_value, cleaned)
    return body if cleaned == body else cleaned


def clean_coded_body(
    body: bytes,
    content_encoding: str,
    scrubber: Scrubber,
    *,
    oauth: bool,
    answer: bool,
    truncated: bool = False,
    limit: int = coding.MAX_DECODED,
    whole: bool = False,
) -> bytes | None:
    """Like `clean_body` for a body with content codings: decoded, cleaned and encoded again if that changed anything.

    Of a body that expands beyond `limit` only the beginning is kept, because only that was searched; with `whole` such a
    body gives None instead.
    """
    decoded = coding.decode(body, content_encoding, limit=limit)
    if decoded is None:
        return body
    plain = decoded.data
    if whole and len(plain) >= limit:
        return None
    cleaned = clean_body(plain, scrubber, oauth=oauth, answer=answer, truncated=truncated or not decoded.complete)
    if cleaned is plain and len(plain) < limit:
        return body
    return coding.encode(cleaned, content_encoding)

"""Taking secrets out of text: header values, URLs, and free text such as log lines and error messages.

Known places (a header or parameter with a telling name) are masked whatever their value looks like; free text is also
searched for the shapes of well-known keys. A masked value keeps what helps to tell two keys apart and no more: the
scheme word and, from 24 characters on, the last four: `Bearer …a1b2`. A sentinel key (`sk-ant-oat-ccproxy-NAME`) is no
secret and stays readable, a client key behind it does not. Every function is total: any text in, text out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from urllib.parse import unquote

ELLIPSIS = "…"
#: A known secret is looked for in free text and bodies from this length on.
SHORTEST_SECRET = 8
_LONG = 24

_SECRET_NAME = re.compile(
    r"authorization|cookie|secret|passw(?:or)?d|credential|signature|api[-_]?key|ccproxy-key"
    r"|token(?!s|[-_]?(?:count|limit|budget|type))",
    re.IGNORECASE,
)
_SECRET_PARAMETERS = frozenset(
    [
        "key",
        "auth",
        "code",
        "code_verifier",
        "assertion",
        "client_assertion",
        "access",
        "id_token",
        "pwd",
        "pass",
        "sig",
        "apikey",
        "session",
    ]
)
_HARMLESS_PARAMETERS = frozenset({"pagetoken", "page_token", "nextpagetoken", "next_page_token"})

_SCHEME = re.compile(r"\s*(?:Bearer|Basic|Digest|Token|ApiKey|Key|Negotiate|AWS4-HMAC-SHA256)\s+", re.IGNORECASE)
_SENTINEL = re.compile(r"sk-ant-oat-ccproxy-[A-Za-z0-9_-]{1,64}(?![A-Za-z0-9_-])")

_PARAMETER = re.compile(r"(?P<lead>[?&;#])(?P<name>[^=&;#?\s\"'<>]{1,128})=(?P<value>[^&;#\s\"'<>]+)")
_USERINFO = re.compile(r"(?<=://)[^/?#@\s\"'<>]{1,512}@")

#: `name: value` and `name=value` as they appear in headers, JSON, Python and shell text.
_ASSIGNMENT = re.compile(
    r"(?P<name>(?:secret|passw(?:or)?d|api[-_]?key|ccproxy-key|token(?!s))[\w-]{0,24}"
    r"\\?[\"']?\s{0,3}[:=]\s{0,3}\\?[\"']?)"
    r"(?P<value>[^\s\"',;&<>\\(){}\[\]]{6,})",
    re.IGNORECASE,
)
#: Fields whose value may have several words: all of it goes, to the closing quote or the end of the line.
_FIELD = re.compile(
    r"(?P<name>(?:authorization|cookie)2?\\?[\"']?\s{0,3}[:=]\s{0,3}\\?[\"']?)(?P<value>[^\r\n\"'\\]+)", re.IGNORECASE
)
_SCHEMED = re.compile(
    r"\b(?P<scheme>bearer|basic)(?P<space>\s+)(?P<value>(?=\S*\d|\S{20})[A-Za-z0-9._~+/=-]{8,})", re.IGNORECASE
)
_KEY_SHAPE = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"sk-[A-Za-z0-9_-]{12,}(?:\.[A-Za-z0-9._~-]+)?"  # OpenAI, Anthropic, OpenRouter, DeepSeek
    r"|AIza[A-Za-z0-9_-]{20,}|ya29\.[A-Za-z0-9._-]{16,}|1//0[A-Za-z0-9_-]{16,}"  # Google
    r"|(?:xai|pplx|gsk|hf|sess|rk)[-_][A-Za-z0-9_-]{20,}"
    r"|gh[a-z]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?"  # JSON Web Tokens
    r")"
)


#: Lower case: ASCII text that has none of these holds nothing that `redact_text` would change.
_HINTS = (
    *("?", "&", ";", "#", "://", "authorization", "cookie", "secret", "passw", "key", "token", "bearer", "basic"),
    *("sk-", "aiza", "ya29", "1//0", "xai", "pplx", "gsk", "hf", "sess", "rk", "gh", "akia", "asia", "eyj"),
)


def is_secret_name(name: str) -> bool:
    """Whether a header field or parameter of this name carries a secret. Case does not matter.

    Counters such as `x-ratelimit-remaining-tokens` are not secrets.
    """
    return _SECRET_NAME.search(name) is not None


def is_secret_parameter(name: str) -> bool:
    """Whether a query or form parameter of this name carries a secret (`key`, `access_token`, `code`, ...)."""
    bare = (unquote(name) if "%" in name else name).lower().strip()
    return bare in _SECRET_PARAMETERS or (bare not in _HARMLESS_PARAMETERS and is_secret_name(bare))


def mask(value: str) -> str:
    """What is shown in place of a secret: `…`, and its last four characters if it has at least 24."""
    return f"{ELLIPSIS}{value[-4:]}" if len(value) >= _LONG else ELLIPSIS


def redact_value(value: str) -> str:
    """The value of a secret header field or parameter, masked; the scheme word and a sentinel key stay."""
    scheme = _SCHEME.match(value)
    start = scheme.end() if scheme else 0
    lead, secret = value[:start], value[start:]
    if scheme and scheme[0].strip().lower() == "basic":
        return f"{lead}{ELLIPSIS}"  # the end of it decodes to the end of a password
    if sentinel := _SENTINEL.match(secret):
        rest = secret[sentinel.end() :]
        return f"{lead}{sentinel[0]}{f'.{mask(rest[1:])}' if rest else ''}"
    return f"{lead}{mask(secret)}" if secret else value


def _parameter(match: re.Match[str]) -> str:
    if not is_secret_parameter(match["name"]):
        return match[0]
    return f"{match['lead']}{match['name']}={redact_value(match['value'])}"


def redact_url(url: str) -> str:
    """A URL or request target with user names, passwords and secret parameters masked; all else as it was."""
    if "://" in url and "@" in url:
        url = _USERINFO.sub(f"{ELLIPSIS}@", url)
    return _PARAMETER.sub(_parameter, url) if "=" in url else url


def redact_form(form: str) -> str:
    """A form-encoded body with its secret parameters masked."""
    return redact_url(f"?{form}")[1:]


def redact_header(name: str, value: str) -> str:
    """The value of a header field, masked if the name says that it is secret, with URLs in it cleaned if not."""
    if is_secret_name(name):
        return redact_value(value)
    if name.lower() == "sec-websocket-protocol":
        return _KEY_SHAPE.sub(_shape, value)  # browsers can only send an API key here
    return redact_url(value) if "=" in value or "@" in value else value


def _assignment(match: re.Match[str]) -> str:
    return f"{match['name']}{redact_value(match['value'])}"


def _schemed(match: re.Match[str]) -> str:
    return f"{match['scheme']}{match['space']}{redact_value(match['value'])}"


def _shape(match: re.Match[str]) -> str:
    return redact_value(match[0])


def replace_keys(text: str, replacement: Callable[[str], str]) -> str:
    """`text` with everything that has the shape of a well-known key replaced. Sentinel keys stay, what follows the dot of
    one does not."""

    def replaced(match: re.Match[str]) -> str:
        sentinel = _SENTINEL.match(match[0])
        if sentinel is None:
            return replacement(match[0])
        rest = match[0][sentinel.end() :]
        return f"{sentinel[0]}.{replacement(rest[1:])}" if rest[1:] else match[0]

    return _KEY_SHAPE.sub(replaced, text)


def redact_text(text: str, secrets: Iterable[str] = ()) -> str:
    """Free text without secrets.

    Args:
        text: anything: a log line, an exception's message, a traceback.
        secrets: values that are known to be secret, removed wherever they stand. Those of less than 8 characters are
            passed over: they would make holes in ordinary words.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SHORTEST_SECRET and secret in text:
            text = text.replace(secret, mask(secret))
    # Most lines hold nothing of the kind, and a few searches for plain text are cheaper than five for patterns.
    if text.isascii() and not any(map(text.lower().__contains__, _HINTS)):
        return text
    text = redact_url(text)
    text = _FIELD.sub(_assignment, text)
    text = _ASSIGNMENT.sub(_assignment, text)
    text = _SCHEMED.sub(_schemed, text)
    return _KEY_SHAPE.sub(_shape, text)

"""A recorded request as a command line that sends it again: pasted into a POSIX shell, it puts the same bytes on the wire.

Secrets are not in the recording, so where one stood there is a variable of the shell, and the command refuses to run
while it is not set. A body that a command line cannot hold (binary, or too long for one argument) comes through a pipe.
Fields that curl adds by itself are switched off unless the request had them; those that belong to one connection are left
to curl.
"""

from __future__ import annotations

import re
from base64 import b64encode
from contextlib import suppress

from ccproxy.errors import CommandError
from ccproxy.flows.model import Flow, RequestRecord
from ccproxy.util.redact import ELLIPSIS

#: Fields that curl makes for the connection it has.
_CURLS_OWN = frozenset(
    {"content-length", "transfer-encoding", "connection", "keep-alive", "expect", "proxy-connection"}
)
#: Fields that curl adds if they are not there.
_ADDED = ("User-Agent", "Accept")
_KEY_FIELDS = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key", "key"})
#: In place of a value: curl is not to add this field. No field can have it.
_SWITCHED_OFF = "\n"
#: Bytes of one argument; Linux takes 128 KiB.
_MOST_ARGUMENT = 100_000
_SAFE = re.compile(r"[A-Za-z0-9_@%+=:,./-]+\Z")
#: What was masked: `…`, and the last four characters of a long value.
_MASKED = re.compile(f"{ELLIPSIS}(?:[^\\s&;,]{{4}}(?![^\\s&;,]))?")
#: Characters that a terminal would act on when they are pasted.
_UNPASTABLE = re.compile("[\x00-\x09\x0b-\x1f\x7f]")


def command(flow: Flow, *, client: bool = False) -> str:
    """The command line, with a comment where the request is not whole or needs a secret; without a newline at its end.

    Args:
        client: the client's request to ccproxy in place of the one that went to the provider.

    Raises CommandError for a flow that curl cannot send.
    """
    request = flow.request if client else flow.forwarded or flow.request
    if request.scheme not in {"http", "https"} or flow.websocket is not None:
        kind = "a WebSocket" if flow.websocket is not None else request.scheme.upper()
        raise CommandError(f"flow {flow.id} is {kind}, which curl cannot send again", hint="`--mflow` can hold it")
    variables: dict[str, str] = {}
    prefix = _variable(flow.provider or request.host)
    arguments = ["curl", "-sS", *_method(request)]
    arguments.append(_masked(request.url, prefix, "API_KEY", variables))
    arguments += _url_options(request)
    for name, value in _headers(request):
        arguments += ["-H", _masked(_field(name, value), prefix, _name_of(name), variables)]
    body, source = _body(request.body)
    arguments += body
    line = _joined(arguments)
    return "\n".join([*_comments(request, variables), f"{source} | {line}" if source else line])


def _comments(request: RequestRecord, variables: dict[str, str]) -> list[str]:
    lines = []
    if variables:
        lines.append(f"# Secrets are not recorded; set {', '.join(variables)} first.")
    if request.truncated:
        lines.append(f"# Only the beginning of the body was recorded: {len(request.body)} of {request.size} bytes.")
    if request.redacted:
        lines.append("# A secret in the body was overwritten with asterisks.")
    return lines


def _method(request: RequestRecord) -> list[str]:
    if request.method == "HEAD":
        return ["--head"]
    implied = "POST" if request.body else "GET"
    return [] if request.method == implied else ["-X", _quoted(request.method)]


def _url_options(request: RequestRecord) -> list[str]:
    options = []
    if re.search(r"[\[\]{}]", request.url):
        options.append("--globoff")
    if re.search(r"/\.{1,2}(?:/|\Z)", request.target.partition("?")[0]):
        options.append("--path-as-is")
    if request.header("accept-encoding"):
        options.append("--compressed")
    return options


def _headers(request: RequestRecord) -> list[tuple[str, str]]:
    """The fields to say, an empty value for those that curl is not to add."""
    authority = request.url.partition("://")[2].partition("/")[0]
    found = []
    for name, value in request.headers:
        lower = name.lower()
        # With --compressed curl names the codings that it can undo.
        if lower in _CURLS_OWN or lower == "accept-encoding" or (lower == "host" and value == authority):
            continue
        found.append((name, value))
    added = (*_ADDED, "Content-Type") if request.body else _ADDED
    return found + [(name, _SWITCHED_OFF) for name in added if not request.header(name.lower())]


def _field(name: str, value: str) -> str:
    if value == _SWITCHED_OFF:
        return f"{name}:"
    with suppress(UnicodeError):  # the shell speaks UTF-8
        value = value.encode("latin-1").decode()
    return f"{name}: {value}" if value.strip() else f"{name};"


def _name_of(field: str) -> str:
    lower = field.lower()
    return "API_KEY" if lower in _KEY_FIELDS else _variable(lower)


def _variable(name: str) -> str:
    made = re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")
    return f"_{made}" if made[:1].isdigit() else made or "PROVIDER"


def _masked(text: str, prefix: str, suffix: str, variables: dict[str, str]) -> str:
    """A quoted word in which variables stand for what was masked."""
    if ELLIPSIS not in text:
        return _quoted(text)
    name = f"{prefix}_{suffix}"
    variables[name] = ""
    pieces = _MASKED.split(text)
    return f'"${{{name}:?}}"'.join(_quoted(piece) if piece else "" for piece in pieces)


def _quoted(text: str) -> str:
    if _SAFE.match(text):
        return text
    return "'" + text.replace("'", "'\\''") + "'"


def _body(body: bytes) -> tuple[list[str], str]:
    """The arguments that give the body, and the command whose output it is, if there is one."""
    if not body:
        return [], ""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = "\0"
    if _UNPASTABLE.search(text):
        return ["--data-binary", "@-"], f"printf %s '{b64encode(body).decode()}' | base64 -d"
    if len(body) > _MOST_ARGUMENT:
        return ["--data-binary", "@-"], f"printf %s {_quoted(text)}"
    return ["--data-raw", _quoted(text)], ""


def _joined(arguments: list[str]) -> str:
    """The words, options and their values on lines of their own."""
    lines, line = [], ""
    for word in arguments:
        if word.startswith("-") and line and word not in {"-sS", "-X", "--head"}:
            lines.append(line)
            line = f"  {word}"
        else:
            line = f"{line} {word}" if line else word
    return " \\\n".join([*lines, line])

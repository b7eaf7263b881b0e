"""Checks of single text values, by the word that a model gives as `format`.

A check takes the text and returns what is wrong with it, or "". What it returns never quotes the text: that is for the
caller, who knows whether the value may be shown.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from types import MappingProxyType

from ccproxy.config.problems import suggestion
from ccproxy.telemetry.text import printable

SHORTEST_CLIENT_KEY = 20
LONGEST_CLIENT_KEY = 512
FEWEST_CHARACTERS = 6

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_LABEL = re.compile(r"[\w.@-](?:[\w .@-]{0,62}[\w.@-])?")
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?")
_AUTHORITY = re.compile(r"(?P<host>\[[^\[\]/@?#\s]*\]|[^\[\]:/@?#\s]*)(?::(?P<port>[^:]*))?")
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<rest>.*)", re.DOTALL)
#: Address, path and query as they may be shown. A colon with more than a port behind it may begin a password.
_ORIGIN_FORM = re.compile(
    r"(?P<authority>(?:\[[0-9A-Fa-f:.]*\]|[^/?#:\[\]]*)(?::\d{0,5})?)(?P<path>/[^?#]*|)(?P<query>[?#].*|)", re.DOTALL
)
_FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HOOK = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", re.ASCII)
_HOOK_FILE = re.compile(r"[^\0]+\.py(?::[A-Za-z_]\w*)?", re.ASCII)
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_VISIBLE = re.compile(r"[\x21-\x7e]+")

#: Header fields that HTTP itself needs, so that a credential in them would break or split the request.
_STRUCTURAL = re.compile(
    r"connection|content-(?:encoding|length|type)|expect|host|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade",
    re.IGNORECASE,
)
#: What sample keys, and keys made up by hand, are made of.
_WEAK = re.compile(
    r"change[-_]?me|example|sample|secret|test|passw|letmein|placeholder|replace|dummy|default|insecure|admin|foobar"
    r"|(?:your|my|client|api)[-_]?key|sk-1234|12345|abcdef|qwerty|asdf|deadbeef|ccproxy",
    re.IGNORECASE,
)


def _regex(text: str) -> str:
    try:
        # Python warns of what a later version will read otherwise, such as `[[:alpha:]]`, which is not what it looks like.
        with warnings.catch_warnings(action="error", category=FutureWarning):
            re.compile(text)
    except (re.error, OverflowError, RecursionError, FutureWarning) as error:
        return f"not a regular expression: {printable(error)}"
    return ""


def _name(text: str) -> str:
    return "" if _NAME.fullmatch(text) else "a name is made of a-z, 0-9, _ and -, and begins with a letter or digit"


def _label(text: str) -> str:
    return "" if _LABEL.fullmatch(text) else "a name has up to 64 letters, digits and any of - _ . @ and space"


def _header(text: str) -> str:
    if not _FIELD_NAME.fullmatch(text):
        return "not a header name"
    if _STRUCTURAL.fullmatch(text):
        return "this header belongs to HTTP itself and cannot carry a credential"
    if text.lower().startswith("x-ccproxy-"):
        return "headers called x-ccproxy-... never leave ccproxy"
    return ""


def _port(text: str) -> str:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        return "the port is not a number from 1 to 65535"
    return ""


def _host_name(text: str) -> str:
    if text.startswith("["):
        return "" if _address(text.strip("[]")) else "not an IPv6 address between the brackets"
    if not text:
        return "the host is missing"
    if not text.isascii():
        return "the host has characters beyond ASCII; write it in its xn-- form"
    return "" if len(text) <= 253 and _HOST.fullmatch(text) else "not a host name"


def _authority(text: str) -> str:
    if "://" in text:
        return "a host has no scheme; give the whole URL as base_url instead"
    if "@" in text:
        return "a host has no user name or password; credentials belong under auth"
    if "/" in text or "?" in text:
        return "a host has no path; put it under path, or give the whole URL as base_url"
    return _host_and_port(text)


def _host_and_port(text: str) -> str:
    parts = _AUTHORITY.fullmatch(text)
    if parts is None:
        return "an IPv6 address stands in brackets" if text.count(":") > 1 else "not a host name with an optional port"
    return _host_name(parts["host"]) or ("" if parts["port"] is None else _port(parts["port"]))


def _url(text: str) -> str:
    return _any_url(text, ("http", "https"), 'a URL begins with "http://" or "https://"')


def _any_url(text: str, schemes: tuple[str, ...], wanted: str) -> str:
    parts = _URL.fullmatch(text)
    if parts is None or parts["scheme"].lower() not in schemes:
        return wanted
    if "@" in parts["authority"]:
        return "a URL has no user name or password here; credentials belong under auth"
    if "#" in parts["rest"]:
        return "a URL for requests has no #fragment"
    if parts["rest"] and not _VISIBLE.fullmatch(parts["rest"]):
        return "the URL holds spaces or characters beyond ASCII; write them as %XX"
    return _host_and_port(parts["authority"])


def _proxy(text: str) -> str:
    parts = _URL.fullmatch(text)
    if parts is None or parts["scheme"].lower() != "http":
        return 'a proxy is given as "http://[user:password@]host:port"'
    userinfo, _, authority = parts["authority"].rpartition("@")
    if parts["rest"] not in {"", "/"}:
        return "a proxy has no path" if "@" not in parts["rest"] else "write / ? # @ in the password as %2F %3F %23 %40"
    if userinfo and not (_VISIBLE.fullmatch(userinfo) and "@" not in userinfo):
        return "write special characters of the user name or password as %XX"
    return _host_and_port(authority)


def _bind(text: str) -> str:
    if text in {"", "*"}:
        return "name the address to bind: 127.0.0.1, or 0.0.0.0 for every interface"
    if "://" in text or "/" in text or "@" in text:
        return "an address to bind has no scheme, path or user"
    if ":" in text and not _address(text):
        return "not an address to bind; the port has its own key"
    return "" if ":" in text else _host_name(text)


def _hostname(text: str) -> str:
    if "*" in text:
        return "host names are listed one by one, without *"
    if "://" in text or "/" in text or ":" in text:
        return "give the host name alone, without scheme, port and path"
    return _host_name(text)


def _origin(text: str) -> str:
    if "*" in text or text == "null":
        return "origins are listed one by one: any page could use your credentials"
    parts = _URL.fullmatch(text)
    if parts is None or parts["rest"] or "@" in text or not _VISIBLE.fullmatch(text) or text != text.lower():
        return 'an origin is "scheme://host[:port]" in lower case, without a path'
    return ""


def _path(text: str) -> str:
    if not text.startswith("/"):
        return 'a path begins with "/"'
    if "?" in text or "#" in text:
        return "a path has no query; give the whole URL with its query as base_url"
    if not _VISIBLE.fullmatch(text):
        return "the path holds spaces or characters beyond ASCII; write them as %XX"
    for word in _PLACEHOLDER.findall(text):
        if word not in {"model", "action"}:
            return f"only {{model}} and {{action}} are filled in{suggestion(word, ('model', 'action'))}"
    if "{" in _PLACEHOLDER.sub("", text) or "}" in _PLACEHOLDER.sub("", text):
        return "a brace without its partner"
    return ""


def _hook(text: str) -> str:
    if _HOOK_FILE.fullmatch(text) or _HOOK.fullmatch(text):
        return ""
    return "a hook is named by its dotted path, like ccproxy.hooks.inject_auth, or its file, like ./my_hook.py"


def _client_key(text: str) -> str:
    advice = "; make one with `openssl rand -hex 32`"
    if not _VISIBLE.fullmatch(text or " "):
        return f"a client key is made of visible ASCII characters without spaces{advice}"
    if len(text) < SHORTEST_CLIENT_KEY:
        return f"shorter than {SHORTEST_CLIENT_KEY} characters{advice}"
    if len(text) > LONGEST_CLIENT_KEY:
        return f"longer than {LONGEST_CLIENT_KEY} characters"
    if text.startswith("sk-ant-oat-ccproxy"):
        return f"this is a sentinel key, which everybody knows{advice}"
    if weak := _WEAK.search(text):
        return f'easy to guess: it has "{weak[0]}" in it{advice}'
    # A repeated piece meets itself again when the key is moved along itself.
    if len(set(text)) < FEWEST_CHARACTERS or (text + text).find(text, 1) < len(text):
        return f"easy to guess: too few different characters{advice}"
    return ""


def is_loopback(host: str) -> bool:
    """Whether an address to bind is reached from this machine alone. A name other than localhost counts as not."""
    if host.lower() in {"localhost", "127.0.0.1", "::1"}:
        return True
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def displayed(text: str) -> str:
    """An address or URL, right or wrong, for a message: without whatever may be a user name, a password or a key."""
    before, mark, rest = text.rpartition("://") if "://" in text else ("", "", text)
    userinfo, at, rest = rest.rpartition("@")
    scheme = before.rpartition("@")[2]
    found = _ORIGIN_FORM.fullmatch(rest)
    if found is None:
        return f"{scheme}{mark}…"
    hidden = "…@" if at or userinfo else ""
    return f"{scheme}{mark}{hidden}{found['authority']}{found['path']}{'?…' if found['query'] else ''}"


def _postgresql(text: str) -> str:
    if not text.startswith(("postgresql://", "postgres://")):
        return "the address of a PostgreSQL database begins with postgresql://"
    if not _VISIBLE.fullmatch(text):
        return "an address has no spaces or control characters; write them as %20 and the like"
    authority, _, path = text.partition("://")[2].partition("?")[0].partition("/")
    if "@" in path or authority.count("@") > 1:
        return "in a user name or password / and @ are written %2F and %40"
    return "" if path.strip("/") else "the name of the database is missing: postgresql://user@host/database"


def _address(text: str) -> bool:
    import ipaddress

    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


FORMATS: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {
        "authority": _authority,
        "bind": _bind,
        "client_key": _client_key,
        "header": _header,
        "hook": _hook,
        "hostname": _hostname,
        "label": _label,
        "name": _name,
        "origin": _origin,
        "path": _path,
        "postgresql": _postgresql,
        "proxy": _proxy,
        "regex": _regex,
        "url": _url,
    }
)
#: Formats whose values may have credentials in them where they do not belong.
ADDRESSES = frozenset({"authority", "bind", "hostname", "origin", "postgresql", "proxy", "url"})

"""Checks of single text values."""

from __future__ import annotations

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.config.formats import FORMATS, displayed, is_loopback

GOOD = {
    "authority": [
        "api.example.com",
        "localhost",
        "a.b:8443",
        "10.0.0.1:80",
        "[::1]",
        "[fe80::1]:443",
        "x_y.internal",
        "xn--bcher-kva.de.",
    ],
    "bind": ["127.0.0.1", "0.0.0.0", "::", "::1", "fe80::1%eth0", "localhost", "my-host"],
    "client_key": ["9f8e7d6c5b4a39281706f5e4d3c2b1a0", "Zk3-_9.~Qw!x5Lm2Pv8R"],
    "header": ["authorization", "x-api-key", "X-Goog-Api-Key", "cookie", "api_key"],
    "hook": [
        "ccproxy.hooks.inject_auth",
        "a.b",
        "my_pkg.mod.Hook2",
        "set_model",
        "./my_hook.py",
        "~/my hooks/a.py:route",
    ],
    "hostname": ["proxy.lan", "my-box", "a.b.c."],
    "label": ["laptop", "work laptop", "ci@build 2", "ä"],
    "name": ["a", "0", "my-provider_2"],
    "origin": ["https://app.example", "http://localhost:3000", "chrome-extension://abcdef"],
    "path": ["/", "/v1/messages", "/v1beta/models/{model}:{action}", "/a%20b"],
    "proxy": ["http://proxy:3128", "http://user:p%40ss@proxy:3128/", "HTTP://[::1]:1"],
    "postgresql": [
        "postgresql://me@db.example/flows",
        "postgres://me:p%40s%2Fs@[::1]:5432/flows?sslmode=verify-full",
        "postgresql:///flows?host=/run/postgresql",
    ],
    "regex": ["", ".*", "^/v1/(a|b)$"],
    "url": [
        "https://api.example.com",
        "http://127.0.0.1:8000/prefix/v1?version=1&x=2",
        "HTTPS://a.b/",
        "http://[::1]:80",
    ],
}
BAD = {
    "authority": [
        ("https://api.example.com", "scheme"),
        ("me:pw@host", "under auth"),
        ("host/path", "path"),
        ("host?x", "path"),
        ("", "missing"),
        (":80", "missing"),
        ("host:0", "port"),
        ("host:65536", "port"),
        ("host:", "port"),
        ("host:٣", "port"),
        ("::1", "brackets"),
        ("[1.2.3.4]", "IPv6"),
        ("[::1]x", "brackets"),
        ("bücher.de", "xn--"),
        ("a b", "host name"),
        ("-a.b", "host name"),
        ("a..b", "host name"),
        ("a" * 254, "host name"),
        ("host\n", "host name"),
    ],
    "bind": [
        ("", "0.0.0.0"),
        ("*", "0.0.0.0"),
        ("http://127.0.0.1", "scheme"),
        ("127.0.0.1:4000", "own key"),
        ("[::1]", "own key"),
        ("a b", "host name"),
    ],
    "client_key": [
        ("", "visible"),
        ("short-Zk3x9Qw", "shorter"),
        ("x y" * 10, "visible"),
        ("schlüssel-ä9f8e7d6c5b4a3", "visible"),
        ("9f8e7d6c5b4a39281706\n", "visible"),
        ("changeme-9f8e7d6c5b4a39281706", '"changeme"'),
        ("CHANGE_ME_9f8e7d6c5b4a3928", '"CHANGE_ME"'),
        ("my-example-key-9f8e7d6c5b", '"example"'),
        ("this-is-my-secret-thing", '"secret"'),
        ("testtest9f8e7d6c5b4a392", '"test"'),
        ("sk-1234567890abcdefghij", '"sk-1234"'),
        ("01234567890123456789", '"12345"'),
        ("your_key_goes_here_9f8e7d", '"your_key"'),
        ("sk-ant-oat-ccproxy-anthropic", "sentinel"),
        ("aaaaaaaaaaaaaaaaaaaaaaaa", "too few"),
        ("abababababababababababab", "too few"),
        ("zk3x9qwlzk3x9qwlzk3x9qwl", "too few"),
        ("z9" * 300, "longer"),
    ],
    "header": [
        ("", "not a header"),
        ("x api", "not a header"),
        ("x-api:", "not a header"),
        ("x\r\ny", "not a header"),
        ("Host", "HTTP itself"),
        ("content-length", "HTTP itself"),
        ("Transfer-Encoding", "HTTP itself"),
        ("proxy-authorization", "HTTP itself"),
        ("x-ccproxy-key", "never leave"),
    ],
    "hook": [("", "dotted"), ("./my_hook", "dotted"), ("a..b", "dotted"), ("a.b c", "dotted"), ("a.2b", "dotted")],
    "hostname": [
        ("*.lan", "one by one"),
        ("https://a", "alone"),
        ("a:80", "alone"),
        ("a/b", "alone"),
        ("", "missing"),
    ],
    "label": [("", "a name"), ("a\nb", "a name"), ("x" * 65, "a name"), (" a", "a name"), ("a/b", "a name")],
    "name": [("", "a name"), ("A", "a name"), ("-a", "a name"), ("a.b", "a name"), ("a\n", "a name"), ("ä", "a name")],
    "origin": [
        ("*", "one by one"),
        ("null", "one by one"),
        ("https://*.example", "one by one"),
        ("app.example", "scheme"),
        ("https://app.example/", "path"),
        ("https://App.example", "lower case"),
    ],
    "path": [
        ("v1", '"/"'),
        ("", '"/"'),
        ("/v1?x=1", "query"),
        ("/v1#x", "query"),
        ("/a b", "%XX"),
        ("/ä", "%XX"),
        ("/{modell}", 'did you mean "model"?'),
        ("/{model", "brace"),
        ("/{{model}}", "brace"),
    ],
    "proxy": [
        ("https://proxy:1", "http://"),
        ("socks5://proxy:1", "http://"),
        ("proxy:3128", "http://"),
        ("http://proxy:1/x", "no path"),
        ("http://u:p/w@proxy:1", "%2F"),
        ("http://u:p@w@proxy:1", "%XX"),
        ("http://u:p w@proxy:1", "%XX"),
        ("http://", "missing"),
        ("http://proxy:x", "port"),
    ],
    "postgresql": [
        ("mysql://h/x", "begins with"),
        ("", "begins with"),
        ("postgresql://h", "missing"),
        ("postgresql://me@h/?x=y", "missing"),
        ("postgresql://h/my flows", "%20"),
        ("postgresql://me:p/w@h/x", "%2F"),
        ("postgresql://me:p@w@h/x", "%40"),
    ],
    "regex": [
        ("(", "missing )"),
        ("*", "nothing to repeat"),
        ("[z-a]", "bad character range"),
        ("(?P<x>", "missing )"),
        ("[[:alpha:]]", "nested set"),
    ],
    "url": [
        ("api.example.com", '"http://" or "https://"'),
        ("ftp://a", '"http://" or "https://"'),
        ("https:/a", '"http://" or "https://"'),
        ("https://me:pw@a", "under auth"),
        ("https://me@a", "under auth"),
        ("https://a/#x", "fragment"),
        ("https://a/b c", "%XX"),
        ("https:///x", "missing"),
        ("https://a:99999", "port"),
        ("https://a\\b", "host name"),
        ("https://a/\r\nx: y", "%XX"),
    ],
}


def test_every_format_has_its_cases() -> None:
    assert set(GOOD) == set(BAD) == set(FORMATS)


@pytest.mark.parametrize(("word", "text"), [(word, text) for word, texts in GOOD.items() for text in texts])
def test_good(word: str, text: str) -> None:
    assert FORMATS[word](text) == ""


@pytest.mark.parametrize(("word", "text", "part"), [(word, *case) for word, cases in BAD.items() for case in cases])
def test_bad(word: str, text: str, part: str) -> None:
    message = FORMATS[word](text)

    assert part in message
    assert "\n" not in message


@given(st.sampled_from(sorted(FORMATS)), st.text() | st.text(alphabet="ab:/@?#[]{}().*%\\-1", max_size=30))
def test_any_text_gets_an_answer_in_one_line(word: str, text: str) -> None:
    assert FORMATS[word](text).isprintable()


def test_random_keys_are_good_keys() -> None:
    # Not a matter of luck: the words are too long to turn up in this many keys more than once in a blue moon.
    refused = [key for _ in range(200) if FORMATS["client_key"](key := secrets.token_hex(32))]

    assert len(refused) <= 2


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("localhost", True),
        ("LOCALHOST", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.0.2", False),
        ("localhost.example", False),
        ("127.1", False),
    ],
)
def test_what_is_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://a/b", "https://a/b"),
        ("https://u:p@a/b?key=x", "https://…@a/b?…"),
        ("https://u:p/@:x@y@a", "https://…@a"),
        ("https://u:p/w", "https://…"),
        ("u:p@a", "…@a"),
        ("u:p@x://a@b", "x://…@b"),
        ("http://user:passwordhost:3128", "http://…"),
        ("[::1]:80", "[::1]:80"),
        ("a:80/b c?d", "a:80/b c?…"),
        ("a:99999", "a:99999"),
        ("a:80", "a:80"),
        ("", ""),
    ],
)
def test_addresses_are_shown_without_what_may_be_secret(text: str, shown: str) -> None:
    assert displayed(text) == shown

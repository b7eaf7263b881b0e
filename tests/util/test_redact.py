"""No secret is left in text, and nothing else is touched."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.util.redact import (
    is_secret_name,
    is_secret_parameter,
    mask,
    redact_form,
    redact_header,
    redact_text,
    redact_url,
    redact_value,
    replace_keys,
)

CANARY = "canary0123456789canary"
LONG = "sk-ant-api03-0123456789abcdefghijwxyz"


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "x-api-key",
        "X-Goog-Api-Key",
        "api-key",
        "Cookie",
        "set-cookie",
        "Proxy-Authorization",
        "x-ccproxy-key",
        "x-auth-token",
        "X-Amz-Security-Token",
        "my-secret-thing",
        "apikey",
        "x-password",
        "Some-Credential",
    ],
)
def test_names_that_carry_secrets(name: str) -> None:
    assert is_secret_name(name)
    assert CANARY not in redact_header(name, f"Bearer {CANARY}")


@pytest.mark.parametrize(
    "name",
    [
        "anthropic-ratelimit-tokens-remaining",
        "x-ratelimit-reset-tokens",
        "content-type",
        "sec-websocket-key",
        "x-input-token-count",
        "anthropic-version",
        "user-agent",
    ],
)
def test_names_that_do_not(name: str) -> None:
    assert not is_secret_name(name)
    assert redact_header(name, "12; q=1") == "12; q=1"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (f"Bearer {LONG}", "Bearer …wxyz"),
        (LONG, "…wxyz"),
        ("Bearer short", "Bearer …"),
        ("short", "…"),
        ("", ""),
        ("Basic dXNlcjpwYXNzd29yZHBhc3N3b3Jk", "Basic …"),
        ("sk-ant-oat-ccproxy-demo", "sk-ant-oat-ccproxy-demo"),
        ("Bearer sk-ant-oat-ccproxy-demo", "Bearer sk-ant-oat-ccproxy-demo"),
        (f"sk-ant-oat-ccproxy-demo.{CANARY}", "sk-ant-oat-ccproxy-demo.…"),
        (f"sk-ant-oat-ccproxy-demo {CANARY}", "sk-ant-oat-ccproxy-demo.…"),
    ],
)
def test_a_value_keeps_its_scheme_its_sentinel_and_four_characters_of_a_long_secret(value: str, shown: str) -> None:
    assert redact_value(value) == shown


def test_a_mask_shows_nothing_of_a_short_secret() -> None:
    assert mask("a" * 23) == "…"
    assert mask("a" * 20 + "wxyz") == "…wxyz"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("/v1/x?key=AIzaSecret&alt=sse", "/v1/x?key=…&alt=sse"),
        ("/v1/x?alt=sse&API_KEY=abc", "/v1/x?alt=sse&API_KEY=…"),
        ("/v1/x?key=sk-ant-oat-ccproxy-demo", "/v1/x?key=sk-ant-oat-ccproxy-demo"),
        ("/cb?code=abc&state=xyz", "/cb?code=…&state=xyz"),
        ("/x?%6bey=abc", "/x?%6bey=…"),
        ("/x#access_token=abc&token_type=bearer", "/x#access_token=…&token_type=bearer"),
        ("https://user:pass@host/x", "https://…@host/x"),
        ("/models?pageToken=abc&pageSize=5", "/models?pageToken=abc&pageSize=5"),
        ("/v1/messages?beta=true", "/v1/messages?beta=true"),
        ("/x?key=", "/x?key="),
        ("", ""),
    ],
)
def test_urls(url: str, shown: str) -> None:
    assert redact_url(url) == shown


@pytest.mark.parametrize(
    "name", ["key", "access_token", "api_key", "token", "code", "client_secret", "X-Amz-Signature"]
)
def test_parameters_that_carry_secrets(name: str) -> None:
    assert is_secret_parameter(name)


def test_forms() -> None:
    shown = redact_form("grant_type=refresh_token&refresh_token=abc&client_id=me")
    assert shown == "grant_type=refresh_token&refresh_token=…&client_id=me"


def test_a_key_in_the_websocket_protocol_field() -> None:
    shown = redact_header("Sec-WebSocket-Protocol", "realtime, openai-insecure-api-key.sk-proj-0123456789abcdefwxyz")
    assert shown == "realtime, openai-insecure-api-key.…wxyz"


def test_a_location_header() -> None:
    assert redact_header("Location", "https://h/cb?code=abc") == "https://h/cb?code=…"


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer {}",
        "authorization: Foo {}",
        "curl -H 'Authorization: {}' http://h",
        "{{'x-api-key': '{}'}}",
        '{{"access_token": "{}", "x": 1}}',
        '{{\\"refresh_token\\": \\"{}\\"}}',
        "Cookie: a=1; session={}; b=2",
        "api_key={} failed",
        "cannot connect to https://h/x?key={}",
        "https://me:{}@h/",
        "password = '{}'",
        "x-ccproxy-key: {}",
        "bearer {}",
        "sk-ant-oat-ccproxy-demo.{}",
    ],
)
def test_free_text_loses_its_secrets(text: str) -> None:
    assert CANARY not in redact_text(text.format(CANARY))


@pytest.mark.parametrize(
    "key",
    [
        LONG,
        "sk-proj-0123456789abcdef",
        "AIzaSyA0123456789abcdefghijklmnop",
        "ya29.a0Af0123456789abcdef",
        "xai-0123456789abcdefghijklmn",
        "ghp_0123456789abcdefghij0123",
        "AKIA0123456789ABCDEF",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    ],
)
def test_free_text_loses_keys_of_known_shape(key: str) -> None:
    assert key not in redact_text(f"upstream said: bad key {key}!")


@pytest.mark.parametrize(
    "text",
    [
        "POST /v1/messages → anthropic claude-x 200 1.24 s, 12,096 tokens in, max_tokens: 4096",
        "unexpected token: '<' at line 1",
        "Bearer authentication is missing",
        "key sk-ant-oat-ccproxy-demo selects the provider demo.",
        "flow=3c9c224cabcd client=127.0.0.1",
        "the credential command of provider anthropic printed nothing",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redact_text(text) == text


def test_known_secrets_go_wherever_they_stand_the_longer_first() -> None:
    shown = redact_text("<<hunter22hunter22>> hunter22 tiny", ["hunter22", "hunter22hunter22", "tiny"])
    assert shown == "<<…>> … tiny"


@given(st.text())
def test_any_text_goes_through(text: str) -> None:
    for function in (redact_text, redact_url, redact_value, redact_form):
        assert isinstance(function(text), str)
    assert isinstance(redact_header(text, text), str)


@given(
    st.sampled_from(["authorization", "x-api-key", "cookie", "X-My-Token", "proxy-authorization"]),
    st.text(string.ascii_letters + string.digits + "+/=-_.", min_size=8, max_size=80),
)
def test_no_secret_survives_in_its_header(name: str, secret: str) -> None:
    shown = redact_header(name, f"Bearer {secret}")
    assert secret not in shown or secret.startswith("sk-ant-oat-ccproxy-")
    assert len(shown) <= len("Bearer …") + 4 or "sk-ant-oat-ccproxy-" in secret


@given(st.text(string.ascii_letters + string.digits, min_size=8), st.text(), st.text())
def test_no_known_secret_survives_in_text(secret: str, before: str, after: str) -> None:
    assert secret not in redact_text(f"{before}{secret}{after}", [secret])


fragments = st.lists(
    st.sampled_from(
        [
            *(
                "Authorization: ",
                "cookie=",
                "my_secret: ",
                "PASSWORD=",
                "api-key ",
                "token: ",
                "Bearer ",
                "basic ",
                "?key=",
            ),
            *(
                "&a=",
                ";code=",
                "#t=",
                "https://me:pw@h/",
                "sk-",
                "AIza",
                "ya29.",
                "1//0",
                "xai-",
                "pplx_",
                "gsk-",
                "hf_",
            ),
            *(
                "sess-",
                "rk_",
                "ghp_",
                "github_pat_",
                "AKIA",
                "ASIA",
                "eyJ",
                ".",
                "=",
                ": ",
                " ",
                "abcdef0123456789ABCDEF01",
            ),
            *("ABCDEFGHIJ012345", "POST", "/v1/messages", "\n"),
        ]
    ),
    max_size=8,
).map("".join)


@given(fragments | st.text(st.characters(codec="ascii")))
def test_the_quick_look_misses_nothing(text: str) -> None:
    assert f"é {redact_text(text)}" == redact_text(f"é {text}"), "the quick look is for ASCII text only"


def test_keys_of_known_shape_are_replaced_as_the_caller_wants() -> None:
    key = f"sk-ant-api03-{'x' * 20}"
    text = f"a {key} b sk-ant-oat-ccproxy-demo c sk-ant-oat-ccproxy-demo.secret-0123456789"
    assert replace_keys(text, lambda found: f"<{len(found)}>") == (
        f"a <{len(key)}> b sk-ant-oat-ccproxy-demo c sk-ant-oat-ccproxy-demo.<17>"
    )

"""What is recorded holds no secret, and is otherwise what was on the wire."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.exchange.http import Headers
from ccproxy.flows import coding
from ccproxy.flows.redact import (
    NOTHING,
    HeaderRedactor,
    Scrubber,
    clean_body,
    clean_coded_body,
    clean_target,
    clean_text,
    is_oauth,
    overwrite,
)

SECRET = "sk-ant-api03-0123456789abcdefghijwxyz"
secrets = st.text(string.ascii_letters + string.digits + "+/=-_.", min_size=8, max_size=60)


def test_headers_become_text_in_their_order_without_secrets() -> None:
    headers = Headers(
        [
            (b"X-Api-Key", SECRET.encode()),
            (b"accept", b"a/b; q=1"),
            (b"Accept", b"c/d"),
            (b"Location", b"https://h/x?key=abc&z=1"),
            (b"x-echo", b"you sent " + SECRET.encode()),
            (b"x-latin", b"caf\xe9"),
        ]
    )
    assert HeaderRedactor().pairs(headers, Scrubber([SECRET])) == [
        ("X-Api-Key", "…wxyz"),
        ("accept", "a/b; q=1"),
        ("Accept", "c/d"),
        ("Location", "https://h/x?key=…&z=1"),
        ("x-echo", "you sent …wxyz"),
        ("x-latin", "café"),
    ]


def test_a_redactor_does_not_grow_with_the_names_it_meets() -> None:
    redactor = HeaderRedactor()
    for number in range(5_000):
        pairs = redactor.pairs(Headers([(b"x-token-%d" % number, b"abc")]))
        assert pairs == [(f"x-token-{number}", "…")]


def test_targets_and_texts() -> None:
    scrubber = Scrubber(["plainpassword"])
    assert clean_target(b"/v1/x?key=abc&q=1", scrubber) == "/v1/x?key=…&q=1"
    assert clean_target(b"/plainpassword/x", scrubber) == "/…/x"
    assert clean_text("refused: plainpassword, api_key=abcdefgh", scrubber) == "refused: …, api_key=…"
    assert clean_text("") == ""


def test_a_secret_in_a_body_is_overwritten_and_nothing_moves() -> None:
    body = b'{"key":"' + SECRET.encode() + b'","x":1}'
    cleaned = clean_body(body, Scrubber([f"Bearer {SECRET}"]), oauth=False, answer=False)
    assert cleaned == b'{"key":"' + b"*" * (len(SECRET) - 4) + b'wxyz","x":1}'
    assert len(cleaned) == len(body)


def test_a_clean_body_is_the_same_object() -> None:
    body = b'{"x": 1}'
    assert clean_body(body, Scrubber([SECRET]), oauth=True, answer=True) is body


@pytest.mark.parametrize("secret", ["pass/word+more=", 'quo"te\\slash!', "müller-secret"])
def test_secrets_are_found_in_the_spelling_of_json_and_urls(secret: str) -> None:
    scrubber = Scrubber([secret])
    document = json.dumps({"k": secret}).encode()
    assert b"*" * 8 in scrubber.body(document)
    from urllib.parse import quote

    assert b"*" * 8 in scrubber.body(f"k={quote(secret, safe='')}".encode())
    assert b"*" * 8 in scrubber.body(secret.encode())


def test_short_secrets_and_sentinels_are_no_secrets_but_the_key_behind_a_sentinel_is() -> None:
    assert not Scrubber(["short", "sk-ant-oat-ccproxy-demo", "Bearer sk-ant-oat-ccproxy-demo"])
    scrubber = Scrubber(["sk-ant-oat-ccproxy-demo.clientkey99"])
    assert scrubber.body(b"sk-ant-oat-ccproxy-demo.clientkey99") == b"sk-ant-oat-ccproxy-demo.***********"
    assert "clientkey" not in repr(scrubber)


def test_the_beginning_of_a_secret_at_the_end_of_a_truncated_body_is_cut_off() -> None:
    scrubber = Scrubber([SECRET])
    assert scrubber.body(b"text sk-ant-api0", truncated=True) == b"text "
    assert scrubber.body(b"text sk-ant-api0") == b"text sk-ant-api0"


def test_tokens_of_an_oauth_answer_go() -> None:
    answer = b'{"access_token": "abcdefgh", "refresh_token":"r\\"1", "expires_in": 3600, "token_type": "Bearer"}'
    expected = b'{"access_token": "********", "refresh_token":"****", "expires_in": 3600, "token_type": "Bearer"}'
    assert clean_body(answer, NOTHING, oauth=False, answer=True) == expected


def test_a_tool_schema_that_talks_of_tokens_stays() -> None:
    request = b'{"tools":[{"input_schema":{"properties":{"access_token":{"type":"string"}}}}],"max_tokens":5}'
    assert clean_body(request, NOTHING, oauth=False, answer=False) is request
    assert clean_body(request, NOTHING, oauth=False, answer=True) is request


def test_requests_to_an_oauth_endpoint() -> None:
    form = b"grant_type=refresh_token&refresh_token=abcdefgh&client_id=me&client_secret=xyz"
    expected = b"grant_type=refresh_token&refresh_token=********&client_id=me&client_secret=***"
    assert clean_body(form, NOTHING, oauth=True, answer=False) == expected
    document = b'{"grant_type":"authorization_code","code":"abc","code_verifier":"xyz","client_id":"me"}'
    expected = b'{"grant_type":"authorization_code","code":"***","code_verifier":"***","client_id":"me"}'
    assert clean_body(document, NOTHING, oauth=True, answer=False) == expected


def test_a_token_cut_in_the_middle_goes_too() -> None:
    answer = b'{"access_token": "abcdefgh'
    assert clean_body(answer, NOTHING, oauth=False, answer=True, truncated=True) == b'{"access_token": "********'


@pytest.mark.parametrize(
    ("target", "oauth"),
    [
        ("/v1/oauth/token", True),
        ("/token?x=1", True),
        ("/api/oauth/claude_cli/create_api_key", True),
        ("/v1/messages/count_tokens", False),
        ("/v1/messages?next=/oauth/token", False),
        ("/v1beta/models/m:countTokens", False),
    ],
)
def test_oauth_endpoints(target: str, oauth: bool) -> None:
    assert is_oauth(target) is oauth


@pytest.mark.parametrize("content_encoding", ["gzip", "deflate", "br", "zstd", "gzip, br"])
def test_compressed_bodies_are_cleaned_inside(content_encoding: str) -> None:
    plain = b'{"echo":"' + SECRET.encode() + b'"}'
    body = coding.encode(plain, content_encoding)
    cleaned = clean_coded_body(body, content_encoding, Scrubber([SECRET]), oauth=False, answer=True)
    decoded = coding.decode(cleaned, content_encoding)
    assert decoded is not None
    assert decoded.data == plain.replace(SECRET.encode(), overwrite(SECRET.encode()))


def test_compressed_bodies_without_a_secret_stay_as_they_are() -> None:
    body = coding.encode(b'{"x": 1}', "gzip")
    assert clean_coded_body(body, "gzip", Scrubber([SECRET]), oauth=False, answer=True) is body
    assert clean_coded_body(b"junk", "gzip", Scrubber([SECRET]), oauth=False, answer=True) == b"junk"


def test_of_a_bomb_only_what_was_searched_is_kept() -> None:
    bomb = coding.encode(bytes(coding.MAX_DECODED + 1_000) + SECRET.encode(), "zstd")
    cleaned = clean_coded_body(bomb, "zstd", Scrubber([SECRET]), oauth=False, answer=True)
    decoded = coding.decode(cleaned, "zstd", limit=coding.MAX_DECODED * 2)
    assert decoded is not None
    assert SECRET.encode() not in decoded.data


@given(secrets, st.binary(max_size=50), st.binary(max_size=50), st.booleans(), st.booleans())
def test_no_secret_survives_in_a_body(secret: str, before: bytes, after: bytes, oauth: bool, answer: bool) -> None:
    cleaned = clean_body(before + secret.encode() + after, Scrubber([secret]), oauth=oauth, answer=answer)
    assert secret.startswith("sk-ant-oat-ccproxy-") or secret.encode() not in cleaned or set(secret) == {"*"}


@given(st.binary(max_size=300), st.booleans(), st.booleans(), st.booleans())
def test_any_body_goes_through(body: bytes, oauth: bool, answer: bool, truncated: bool) -> None:
    cleaned = clean_body(body, Scrubber([SECRET]), oauth=oauth, answer=answer, truncated=truncated)
    assert truncated or len(cleaned) == len(body)


@given(st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=60))), secrets)
def test_any_header_goes_through_without_the_secret(pairs: list[tuple[bytes, bytes]], secret: str) -> None:
    headers = Headers([*pairs, (b"x-where", secret.encode())])
    cleaned = HeaderRedactor().pairs(headers, Scrubber([secret]))
    assert len(cleaned) == len(headers)
    assert secret.startswith("sk-ant-oat-ccproxy-") or all(secret not in value for _, value in cleaned)

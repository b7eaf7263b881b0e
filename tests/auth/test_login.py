from __future__ import annotations

import pytest

from ccproxy.auth.call import TokenAnswer
from ccproxy.auth.document import Document
from ccproxy.auth.login import Login, error_code, expiry, seconds, tokens, usable


def test_tokens_stay_out_of_sight() -> None:
    login = Login("access-canary", "refresh-canary", companions=((b"x", b"canary"),))

    assert "canary" not in repr(login)
    assert login.family == Login("other", "refresh-canary").family != Login("access-canary", "r").family
    assert "canary" not in login.family


def test_when_a_token_is_over_and_when_it_is_due() -> None:
    login = Login("a", "r", expires=1000.0)
    assert [login.expired(now) for now in (999.0, 1000.0)] == [False, True]
    assert [login.due(now, 60) for now in (939.0, 940.0)] == [False, True]

    timeless = Login("a", "r")
    assert not timeless.expired(1e12)
    assert not timeless.due(1e12, 60)

    aged = Login("a", "r", renew_by=500.0)
    assert aged.due(500.0, 60)
    assert not aged.expired(500.0)

    assert Login("", "r", expires=1e12).expired(0)
    assert Login("", "r", expires=1e12).due(0, 0)


@pytest.mark.parametrize(("time", "expected"), [(1_700_000_000_000, 1.7e9), (1.7e9, 1.7e9), (0, None), (None, None)])
def test_times_are_seconds_or_milliseconds(time: float | None, expected: float | None) -> None:
    assert seconds(time) == expected


def test_the_new_expiry_is_in_the_unit_of_the_old() -> None:
    answer = {"expires_in": 100}
    assert expiry(Document(b'{"e":1700000000000}'), "e", answer, 5.0) == {"e": 105_000}
    assert expiry(Document(b'{"e":1700000000}'), "e", answer, 5.0) == {"e": 105}
    assert expiry(Document(b"{}"), "e", answer, 5.0) == {"e": 105_000}
    assert expiry(Document(b"{}"), "e", {"expires_in": "soon"}, 5.0) == {"e": 0}


def test_an_answer_must_bring_an_access_token() -> None:
    assert tokens({"access_token": "a"}, "x", "y") == {"x": "a"}
    assert tokens({"access_token": "a", "refresh_token": "r"}, "x", "y") == {"x": "a", "y": "r"}
    assert tokens({"access_token": "a", "refresh_token": ""}, "x", "y") == {"x": "a"}
    with pytest.raises(ValueError, match="no access token"):
        tokens({"refresh_token": "r"}, "x", "y")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"error":"invalid_grant","error_description":"secret"}', "invalid_grant"),
        (b'{"error":{"code":"refresh_token_reused","message":"m"}}', "refresh_token_reused"),
        (b'{"error":{"type":"rate_limit_error"}}', "rate_limit_error"),
        (b'{"code":"refresh_token_expired"}', "refresh_token_expired"),
        (b'{"error":"the token sk-1 is bad"}', ""),
        (b'{"error":7}', ""),
        (b"[1]", ""),
        (b"<html>", ""),
        (b"[" * 100_000, ""),
        (b"\xff", ""),
    ],
)
def test_only_words_are_taken_from_a_refusal(body: bytes, code: str) -> None:
    assert error_code(TokenAnswer(400, body)) == code


def test_a_token_must_fit_into_a_header() -> None:
    assert usable("abc", "p") == "abc"
    for bad in ("a\nb", "ä"):
        with pytest.raises(ValueError, match="at p that is no token"):
            usable(bad, "p")

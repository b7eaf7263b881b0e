import asyncio
import json
import threading

import pytest

from ccproxy.testing import (
    Cut,
    Gate,
    Hang,
    Reply,
    Send,
    error_in_stream,
    html,
    json_reply,
    native_error,
    no_answer,
    silence,
    sse,
)


def test_headers_may_be_a_mapping_or_pairs_of_text_or_bytes() -> None:
    assert Reply(headers={"X-A": "1"}).pairs() == [(b"X-A", b"1")]
    assert Reply(headers=[("X-A", "1"), (b"X-A", b"2")]).pairs() == [(b"X-A", b"1"), (b"X-A", b"2")]


def test_the_pieces_of_a_body() -> None:
    assert Reply(body="wörld").pieces == ["wörld".encode()]
    assert Reply().pieces == []
    assert sse([b"one", Cut(), Send(b"two")]).pieces == [b"one", b"two"]


def test_builders_name_the_content_type_first() -> None:
    assert sse([b"x"], headers={"X-A": "1"}).pairs() == [(b"content-type", b"text/event-stream"), (b"X-A", b"1")]
    assert json_reply({"a": 1}).pairs() == [(b"content-type", b"application/json")]
    assert json_reply({"a": 1}).body == b'{"a":1}'
    assert html(502).pairs()[0][1].startswith(b"text/html")


@pytest.mark.parametrize(
    ("dialect", "status", "where"),
    [
        ("anthropic", 529, ("type", "overloaded_error")),
        ("openai", 401, ("code", "invalid_api_key")),
        ("openai_responses", 429, ("code", "rate_limit_exceeded")),
        ("gemini", 503, ("status", "UNAVAILABLE")),
    ],
)
def test_errors_are_native(dialect: str, status: int, where: tuple[str, str]) -> None:
    reply = native_error(dialect, status, "broken")

    error = json.loads(reply.body)["error"]  # type: ignore[arg-type]
    assert reply.status == status
    assert error["message"] == "broken"
    assert error[where[0]] == where[1]
    assert where[1].encode() in error_in_stream(dialect, status)


def test_when_to_come_back_is_said_the_dialect_s_own_way() -> None:
    assert (b"retry-after", b"2.5") in native_error("anthropic", 429, retry_after=2.5).pairs()
    gemini = native_error("gemini", 429, retry_after=2.5)
    assert b'"2.5s"' in gemini.body  # type: ignore[operator]
    assert b"retry-after" not in dict(gemini.pairs())


def test_replies_that_are_none() -> None:
    assert no_answer(reset=True).body == [Cut(reset=True)]
    assert silence().body == [Hang()]


async def test_a_gate_lets_through_who_waits_and_who_comes_later() -> None:
    gate = Gate()
    waiting = asyncio.create_task(gate.wait())

    threading.Thread(target=gate.open).start()

    await waiting
    await gate.wait()
    gate.open()
    assert gate.is_open


async def test_a_waiter_may_give_up_without_breaking_the_gate() -> None:
    gate = Gate()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(gate.wait(), 0)

    gate.open()

    await gate.wait()

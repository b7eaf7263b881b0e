"""Requests are read within bounds, and no answer goes out without the fields that make it safe to show."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from ccproxy.errors import BadRequest, Forbidden
from ccproxy.inspector import web


def scope(target: bytes = b"/", **changes: Any) -> dict[str, Any]:
    path, _, query = target.partition(b"?")
    return {
        "method": "GET",
        "raw_path": path,
        "query_string": query,
        "headers": [],
        "http_version": "1.1",
    } | changes


class Sent:
    """What went to the client."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    async def __call__(self, message: dict[str, Any]) -> None:
        self.messages.append(message)

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.messages[0]["headers"])


class TestRequests:
    def test_path_and_parameters(self) -> None:
        request = web.parse(scope(b"/api/flows?text=two%20words&limit=7&text=last&empty="))
        assert request.target == "/api/flows"
        assert request.text("text") == "last"
        assert request.text("none") == request.text("empty") == ""
        assert request.number("limit", 1) == 7
        assert request.number("limit", 1, most=5) == 5
        assert request.number("none", 3) == 3

    def test_an_encoded_slash_is_a_slash_to_routes(self) -> None:
        assert web.parse(scope(b"/a%2fb")).target == "/a/b"

    @pytest.mark.parametrize("target", [b"/%ff", b"/?a=%ff", b"/?" + b"a=1&" * 60, b"/\xff"])
    def test_malformed(self, target: bytes) -> None:
        with pytest.raises(BadRequest):
            web.parse(scope(target))

    def test_a_query_that_is_too_long(self) -> None:
        with pytest.raises(BadRequest) as caught:
            web.parse(scope(b"/?" + b"x" * 9000))
        assert caught.value.status == 414

    @pytest.mark.parametrize("text", ["-1", "1.5", "x", "9" * 17, "٣x"])
    def test_numbers_that_are_none(self, text: str) -> None:
        request = web.parse(scope())
        request.query["n"] = text
        with pytest.raises(BadRequest, match="n is not a whole number"):
            request.number("n", 1)

    def test_cookies(self) -> None:
        headers = [(b"cookie", b"a=1; b=two=2;c"), (b"cookie", b"d=4")]
        request = web.parse(scope(headers=headers))
        assert [request.cookie(name) for name in "abcd"] == ["1", "two=2", "", "4"]

    async def test_a_body_in_pieces(self) -> None:
        pieces = [{"type": "http.request", "body": b"ab", "more_body": True}, {"type": "http.request", "body": b"c"}]

        async def receive() -> dict[str, Any]:
            return pieces.pop(0)

        assert await web.read_body(receive) == b"abc"

    async def test_a_body_that_is_too_large(self) -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"x" * 5000, "more_body": True}

        with pytest.raises(BadRequest) as caught:
            await web.read_body(receive)
        assert caught.value.status == 413

    async def test_a_client_that_leaves(self) -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "http.disconnect"}

        with pytest.raises(BadRequest):
            await web.read_body(receive)


class TestAnswers:
    async def test_every_answer_is_safe_to_show(self) -> None:
        whole, stream = Sent(), Sent()

        async def chunks() -> AsyncIterator[bytes]:
            yield b"data: 1\n\n"

        await web.send_answer(web.json_answer({"a": 1}), whole)
        await web.send_stream(chunks(), stream)
        for sent in (whole, stream):
            policy = sent.headers[b"content-security-policy"].decode()
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "http" not in policy
            assert sent.headers[b"x-content-type-options"] == b"nosniff"
            assert sent.headers[b"cache-control"] == b"no-store"
            assert sent.headers[b"cross-origin-resource-policy"] == b"same-origin"
        assert [message.get("body") for message in stream.messages[1:]] == [b"data: 1\n\n", b""]

    async def test_head_has_the_length_and_no_body(self) -> None:
        sent = Sent()
        await web.send_answer(web.Answer(b"hello", "text/plain"), sent, head=True)
        assert sent.headers[b"content-length"] == b"5"
        assert sent.messages[1]["body"] == b""

    def test_errors_say_what_to_do(self) -> None:
        answer = web.error_answer(Forbidden("no", hint="ask", status=401))
        assert answer.status == 401
        assert answer.body == b'{"error":"no","hint":"ask"}'


def test_routes_take_one_segment_each() -> None:
    async def handler(_: web.Request) -> web.Result:
        return web.Answer()

    one = web.route("GET", "/api/flows/{id}/body/{role}", handler)
    found = one.pattern.fullmatch("/api/flows/ab12/body/request")
    assert found is not None
    assert found.groups() == ("ab12", "request")
    assert one.pattern.fullmatch("/api/flows/a/b/body/request") is None
    assert one.pattern.fullmatch("/api/flows//body/request") is None

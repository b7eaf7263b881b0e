"""What a hook can see and do."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
import pytest

from ccproxy.errors import BadRequest, HookError, Refused
from ccproxy.exchange.exchange import Client
from ccproxy.exchange.route import Route
from ccproxy.hooks import HookContext, hook
from ccproxy.lightllm.ir.parts import Text
from ccproxy.lightllm.ir.response import Response
from ccproxy.pipeline.services import Services
from ccproxy.testing import TrackingContext
from ccproxy.util.clock import FakeClock

EVERYTHING = ["body", "headers", "route", "session", "state", "answer"]
BODY = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}


@hook(reads=EVERYTHING, writes=EVERYTHING)
def anything(ctx: HookContext) -> None:
    """For tests."""


def context(body: Any = None, **more: Any) -> TrackingContext:
    return TrackingContext(anything, BODY if body is None else body, **more)


def test_facts() -> None:
    ctx = context(client=Client("10.0.0.1", 2, "aider/1", "team"), session="s", route=Route("redirect", "rule 1", "p"))
    assert (ctx.id, ctx.hook, ctx.stage, ctx.method, ctx.path, ctx.dialect) == (
        "test", "anything", "inbound", "POST", "/v1/messages", "anthropic",
    )  # fmt: skip
    assert (ctx.client.user_agent, ctx.session, ctx.asks_model, ctx.generates) == ("aider/1", "s", True, True)
    assert ctx.route is not None
    assert ctx.route.provider == "p"


def test_a_request_of_no_dialect() -> None:
    ctx = context(b"x", dialect="", path="/v1/files?a=b")
    assert (ctx.dialect, ctx.asks_model, ctx.generates, ctx.path, ctx.model) == ("", False, False, "/v1/files", "")
    with pytest.raises(HookError):
        _ = ctx.request


def test_the_neutral_value_can_be_read_and_set() -> None:
    ctx = context()
    request = ctx.request
    assert request.messages[0].parts == (Text("hi"),)
    ctx.request = request
    assert ctx.result.changed == []
    ctx.request = msgspec.structs.replace(request, max_tokens=7)
    assert ctx.body["max_tokens"] == 7
    assert ctx.result.changed == ["body"]


def test_the_model_can_be_replaced() -> None:
    ctx = context()
    ctx.model = "m"
    assert ctx.result.changed == []
    ctx.model = "other"
    assert (ctx.body["model"], ctx.request.model, ctx.result.changed) == ("other", "other", ["body.model"])


def test_where_it_goes_can_be_chosen_before_the_route_is() -> None:
    ctx = context()
    ctx.send_to("big", model="x")
    assert ctx.choice is not None
    assert (ctx.choice.provider, ctx.choice.model, ctx.choice.by) == ("big", "x", "anything")
    with pytest.raises(HookError, match=r"put the hook under hooks\.inbound"):
        context(stage="outbound").send_to("big")


def test_state_is_one_object_of_a_type() -> None:
    class Seen:
        count = 0

    ctx = context()
    ctx.state(Seen).count += 1
    assert ctx.state(Seen).count == 1


def test_the_session_can_be_set() -> None:
    ctx = context()
    ctx.session = "abc"
    ctx.session = "abc"
    assert (ctx.session, ctx.result.changed) == ("abc", ["session"])


def test_services_are_found_by_type() -> None:
    clock = FakeClock()
    ctx = context(services=Services(clock))
    assert ctx.services.get(FakeClock) is clock
    with pytest.raises(HookError, match="no service Services"):
        ctx.services.get(Services)


def test_the_log_has_the_hook_and_the_flow(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        context().log.info("seen %d", 3)
    assert caplog.record_tuples == [("ccproxy.hooks.anything", logging.INFO, "test: seen 3")]


class TestRespond:
    def test_a_text_is_a_model_s_answer(self) -> None:
        ctx = context()
        ctx.respond("hello")
        assert ctx.reply is not None
        assert isinstance(ctx.reply.content, Response)
        assert (ctx.reply.content.model, ctx.reply.content.parts) == ("m", (Text("hello"),))

    def test_json_and_bytes_go_as_they_are(self) -> None:
        ctx = context(asks="other")
        ctx.respond({"ok": 1}, status=202, headers={"X-Why": "test"})
        assert ctx.reply is not None
        assert ctx.reply.content == b'{"ok":1}'
        assert ctx.reply.headers == ((b"x-why", b"test"), (b"content-type", b"application/json"))
        ctx.respond(b"raw", headers={"content-type": "text/plain"})
        assert ctx.reply.content == b"raw"

    def test_a_model_s_answer_needs_a_question(self) -> None:
        with pytest.raises(HookError, match="only be given where one is asked for"):
            context(asks="count_tokens").respond("hello")

    def test_refusing(self) -> None:
        with pytest.raises(Refused, match="hook anything: no"):
            context().refuse("no", status=400)


def test_callbacks_are_plain_functions() -> None:
    async def waits(event: object) -> None:
        pass

    ctx = context()
    for setter in (ctx.on_event, ctx.on_part, ctx.on_response):
        with pytest.raises(HookError, match="plain functions"):
            setter(waits)  # type: ignore[operator]


def test_a_body_that_cannot_be_read_is_the_client_s_fault() -> None:
    with pytest.raises(BadRequest):
        _ = context(b"{").request

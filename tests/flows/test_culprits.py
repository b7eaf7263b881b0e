"""Whose doing a difference is, where two could have done it. Plain cases are the conversations of `test_cache`."""

from __future__ import annotations

import json

from ccproxy.exchange.hooks import HookResult
from ccproxy.flows.culprits import Cause, Seen, edited, see
from ccproxy.flows.prefix import common
from ccproxy.lightllm.ir.losses import Loss

from .conversations import Json, Talk


def cause(first: tuple[Json, Json | None], second: tuple[Json, Json | None], **facts: object) -> Cause | None:
    """The cause of the difference between two requests, each as the client sent it and as it was forwarded."""
    talk = Talk()
    seen: list[Seen] = []
    for client, forwarded in (first, second):
        found = see(talk.send(forwarded, client=client, **facts))  # type: ignore[arg-type]
        assert isinstance(found, Seen)
        seen.append(found)
    return edited(seen[0], seen[1], common(seen[0].prompt.blocks, seen[1].prompt.blocks))


def body(system: str, *texts: str) -> Json:
    content = [{"type": "text", "text": text} for text in texts]
    return {"model": "m", "system": system, "messages": [{"role": "user", "content": content}]}


HOOK = HookResult("h", "inbound", 1, changed=["body.messages.0.content.1"])


def test_the_client_is_to_blame_where_it_edits_before_us() -> None:
    found = cause((body("a", "x", "y"), body("a", "x", "1")), (body("b", "x", "y"), body("b", "x", "2")), hooks=[HOOK])
    assert found is not None
    assert (found.kind, found.path) == ("client", "body.system")


def test_we_are_where_we_edit_before_the_client() -> None:
    later = body("a", "x", "y", "edited")
    found = cause(
        (body("a", "x", "y", "z"), body("a", "x", "1 " * 400, "z")),
        (later, body("a", "x", "2 " * 400, "edited")),
        hooks=[HOOK],
    )
    assert found is not None
    assert (found.kind, found.path) == ("hook", "body.messages.0.content.1")


def test_the_client_is_where_it_edits_what_we_then_write() -> None:
    found = cause(
        (body("a", "x", "y"), body("a", "x", "Y1")), (body("a", "x", "z"), body("a", "x", "Z1")), hooks=[HOOK]
    )
    assert found is not None
    assert found.kind == "client"


def test_a_hook_before_a_conversion_is_found_by_its_section() -> None:
    def client(text: str) -> Json:
        return {"model": "m", "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": text}]}

    hook = HookResult("h", "inbound", 1, changed=["body.messages"])
    facts = {"dialect": "openai", "operation": "chat", "upstream_dialect": "anthropic"}
    found = cause((client("x"), body("s", "x 1")), (client("x"), body("s", "x 2")), hooks=[hook], **facts)
    assert found is not None
    assert (found.kind, found.who) == ("hook", "hook h (inbound)")


def test_a_conversion_names_what_it_lost_there() -> None:
    def client(text: str) -> Json:
        return {"model": "m", "messages": [{"role": "user", "content": text}]}

    loss = Loss("messages.0.content", "dropped", source="", target="", reason="")
    facts = {"dialect": "openai", "operation": "chat", "upstream_dialect": "anthropic", "losses": [loss]}
    found = cause((client("x"), body("s", "x 1")), (client("x"), body("s", "x 2")), **facts)
    assert found is not None
    assert found.who == "conversion from openai to anthropic, which lost messages.0.content"


def test_bodies_are_not_kept() -> None:
    talk = Talk()
    flow = talk.send()
    found = see(flow)
    assert isinstance(found, Seen)
    assert found.flow.request.body == b""
    assert json.loads(flow.request.body)

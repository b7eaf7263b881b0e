"""Equal, or declared: what of a request counts as lost in silence."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ccproxy.lightllm.dialect import Encoded
from ccproxy.lightllm.ir.losses import Loss, LossLedger
from ccproxy.lightllm.ir.parts import Document, Image, Part, Source, Text, Thinking, ToolCall, ToolResult
from ccproxy.lightllm.ir.request import (
    FunctionTool,
    HostedTool,
    Message,
    Output,
    Reasoning,
    Request,
    Sampling,
    ToolChoice,
)
from ccproxy.testing.conformance import requests

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
CALLS = (
    Message("user", (Text("go"),)),
    Message("assistant", (ToolCall("1", "f", '{"a":1}'), ToolCall("2", "f", "{}"))),
    Message("user", (ToolResult("1", (Text("one"),)), ToolResult("2", (Text("two"),)))),
)


def request(*parts: Part, **fields: Any) -> Request:
    fields.setdefault("messages", (Message("user", parts),) if parts else ())
    return Request("m", dialect="here", **fields)


def gaps(source: Request, arrived: Request, *losses: str, stop: tuple[str, ...] = (), **options: bool) -> list[str]:
    ledger = LossLedger()
    for path in losses:
        ledger.add(Loss(path, "dropped"))
    encoded = Encoded(b"", "", (), ledger, arrived, stop=stop)
    return requests.gaps(source, encoded, msgspec.structs.replace(arrived, dialect="there"), **options)


@pytest.mark.parametrize(
    "same",
    [
        request(Text("a"), system=(Text("s"),)),
        request(messages=CALLS, tools=(FunctionTool("f", SCHEMA, "About."),)),
        request(Image(Source("base64", "AA")), Document(Source("url", "u"))),
        request(sampling=Sampling(1.0, 0.5, 3, 0.1, 0.2, 7), max_tokens=5, stop=("x",), parallel_tools=False),
        request(output=Output("schema", SCHEMA), reasoning=Reasoning("on", "high"), user="u", cache_key="k"),
    ],
)
def test_what_arrives_as_it_was(same: Request) -> None:
    assert gaps(same, same) == []


@pytest.mark.parametrize(
    ("source", "arrived"),
    [
        (request(Text("a"), system=(Text("s"),)), request(messages=(Message("system", (Text("s"),)), Message("user", (Text("[a]"),))))),
        (request(Document(Source("text", "hi"))), request(Document(Source("base64", "aGk=")))),
        (request(Text(" ")), request()),
        (request(output=Output("schema", SCHEMA)), request(output=Output("schema", {**SCHEMA, "title": "t"}))),
        (request(tool_choice=ToolChoice("none"), tools=(FunctionTool("f"),), parallel_tools=False), request(tools=(FunctionTool("f"),), tool_choice=ToolChoice("none"))),
        (request(parallel_tools=True), request()),
    ],
)  # fmt: skip
def test_what_may_be_said_otherwise(source: Request, arrived: Request) -> None:
    assert gaps(source, arrived) == []


SWAPPED = (*CALLS[:2], Message("user", (ToolResult("2", (Text("one"),)), ToolResult("1", (Text("two"),)))))


@pytest.mark.parametrize(
    ("source", "arrived", "loss"),
    [
        (request(Text("a")), request(Text("b")), None),
        (request(Text("a"), Text("b")), request(Text("b"), Text("a")), None),
        (request(system=(Text("s"),)), request(), None),
        (request(messages=CALLS), request(messages=SWAPPED), None),
        (request(messages=CALLS), request(messages=CALLS[:1]), None),
        (request(Image(Source("base64", "AA"))), request(), None),
        (request(stop=("x",)), request(), None),
        (request(tools=(FunctionTool("f"),)), request(), None),
        (request(tools=(FunctionTool("f", {}, "About."),)), request(tools=(FunctionTool("f"),)), None),
        (request(tools=(FunctionTool("f", SCHEMA),)), request(tools=(FunctionTool("f"),)), "tools[0].schema.properties"),
        (request(tools=(HostedTool("here", "web_search", "w", {}),)), request(), "tools[0].web_search"),
        (request(tools=(FunctionTool("f"),), tool_choice=ToolChoice("required")), request(tools=(FunctionTool("f"),)), "tool_choice"),
        (request(tools=(FunctionTool("f"),), parallel_tools=False), request(tools=(FunctionTool("f"),)), "parallel_tool_calls"),
        (request(Document(Source("text", "hi"))), request(Text("hi")), "messages[0].parts[0].document"),
        (request(Thinking("t")), request(), "messages[0].parts[0].thinking"),
        (request(sampling=Sampling(temperature=1.5)), request(sampling=Sampling(temperature=1.0)), "sampling.temperature"),
        (request(sampling=Sampling(seed=1)), request(), "sampling.seed"),
        (request(max_tokens=5), request(max_tokens=16), "max_tokens"),
        (request(output=Output("schema", SCHEMA)), request(output=Output("json")), "output.schema"),
        (request(reasoning=Reasoning("on", "high")), request(), "reasoning"),
        (request(reasoning=Reasoning("off")), request(), "reasoning.mode"),
        (request(user="u"), request(), "user"),
        (request(metadata={"a": 1}), request(), "metadata"),
        (request(cache_key="k"), request(), "prompt_cache_key"),
        (request(extras={"odd": 1}), request(), "odd"),
    ],
)  # fmt: skip
def test_what_is_lost_is_lost_unless_it_says_so(source: Request, arrived: Request, loss: str | None) -> None:
    assert gaps(source, arrived, "something.else")
    if loss:
        assert gaps(source, arrived, loss) == []


def test_stop_sequences_may_be_left_to_us() -> None:
    assert gaps(request(stop=("x", "y")), request(stop=("x",)), stop=("y",)) == []


def test_a_target_that_cannot_think_need_not_be_told_not_to() -> None:
    assert gaps(request(reasoning=Reasoning("off")), request(), thinks=False) == []
    assert gaps(request(reasoning=Reasoning("on")), request(), thinks=False)

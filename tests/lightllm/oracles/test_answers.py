"""Sixteen cells: every golden answer of every provider, understood by the official SDK of every client.

An answer is a stream or a document of the provider and becomes a stream or a document for the client: all ways must
tell the client the same, which is what the provider said.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ccproxy.lightllm.ir.parts import Image, Text, ToolCall
from ccproxy.lightllm.ir.response import Response

from ..kit import NAMES, REGISTRY, Case, cases, essence, thinking_text
from .proxy import Given, Proxy, cell
from .sdks import Sdk, Told

ANSWERS = {case.id: case for name in ("document.json", "stream.txt") for case in cases(name)}


def answer_of(case: Case) -> Response:
    return msgspec.json.decode(case.read("answer.json"), type=Response)


def freeform(case: Case) -> bool:
    """Whether the answer calls a freeform tool."""
    return any(isinstance(part, ToolCall) and part.kind == "custom" for part in answer_of(case).parts)


def ways(case: Case) -> list[tuple[str, Given]]:
    """The forms in which the provider gives its answer."""
    found: list[tuple[str, Given]] = []
    if case.has("document.json"):
        found.append(("document", Given(case.read("document.json"))))
    if case.has("stream.txt"):
        found.append(("stream", Given(case.read("stream.txt"), streamed=True)))
    return found


def asked(sdk: Sdk, proxy: Proxy, *, stream: bool) -> Told | str:
    """What the SDK understood, or the message of the error that it raised."""
    sdk.answer = proxy
    try:
        return sdk.streamed() if stream else sdk.buffered()
    except sdk.error as raised:
        return str(raised)


CELLS = [
    pytest.param(case, client, id=f"{client}-from-{case.id}")
    for case in ANSWERS.values()
    for client in NAMES
    # What a client cannot ask for does not come: freeform tools.
    if not freeform(case) or REGISTRY.get(client).capabilities.custom_tools
]


@pytest.mark.parametrize(("case", "client"), CELLS)
def test_the_sdk_understands_the_answer(case: Case, client: str, sdks: dict[str, Sdk]) -> None:
    answer = answer_of(case)
    for name, given in ways(case):
        for stream in (False, True):
            proxy = cell(client, case.dialect.name, lambda sent, given=given: given)
            told = asked(sdks[client], proxy, stream=stream)
            check(told, answer, proxy, f"{name} to {'stream' if stream else 'document'}")


def check(told: Told | str, answer: Response, proxy: Proxy, way: str) -> None:
    """Whether the client knows what the provider said."""
    if answer.error is not None:
        assert isinstance(told, str), f"{way}: a failure was taken for {told}"
        assert answer.error.message in told, way
        return
    assert isinstance(told, Told), f"{way}: {told}"
    expected = essence(answer)
    same_dialect = proxy.client.name == proxy.upstream.name
    assert told.text == expected["text"], way
    functions = functions_of(answer, same_dialect=same_dialect)
    assert [call[1:] for call in told.calls if call[1] in functions] == [
        call[1:] for call in expected["calls"] if call[1] in functions
    ], way
    ids = [call[0] for call in told.calls]
    assert same_dialect or len(set(ids)) == len(ids), way
    assert told.reason == expected["reason"], way
    for name in ("input", "output"):
        if expected[name] is not None:
            assert getattr(told, name) == expected[name], f"{way}: {name}"
    # What a client may do without is there, or in the ledger.
    losses = [loss.path for loss in proxy.losses]
    thinking = squeezed(thinking_text(answer))
    assert squeezed(told.thinking) == thinking or any("thinking" in path for path in losses), way
    cited = {one.url for part in answer.parts if isinstance(part, Text) for one in part.citations if one.url}
    assert told.sources == cited or any("citations" in path for path in losses), way
    images = [part.source.data for part in answer.parts if isinstance(part, Image)]
    assert told.images == images or any("Image" in path for path in losses), way


def functions_of(answer: Response, *, same_dialect: bool) -> set[str]:
    """The tools called with arguments that are an object. Freeform ones, and to its own dialect one that the provider
    defines, are no function calls to the SDK."""
    calls = [part for part in answer.parts if isinstance(part, ToolCall) and part.kind == "function"]
    return {call.name for call in calls if not (same_dialect and "type" in call.extras)}


def squeezed(text: str) -> str:
    """`text` however it is cut into parts and lines."""
    return "".join(text.split())


def test_there_are_answers_of_every_provider() -> None:
    counted: dict[str, Any] = dict.fromkeys(NAMES, 0)
    for case in ANSWERS.values():
        counted[case.dialect.name] += 1
    assert min(counted.values()) >= 6

"""Sixteen cells: answers that end early by the client's own will, and streams that keep a client waiting."""

from __future__ import annotations

import json

import pytest

from ccproxy.providers.answers.asked import Asked
from ccproxy.providers.answers.compose import compose
from ccproxy.providers.answers.respond import respond
from ccproxy.providers.answers.script import Script

from ..kit import NAMES, REGISTRY, cases
from .providers import accepts
from .proxy import Given, Proxy, Sent, cell
from .sdks import Sdk

pairs = pytest.mark.parametrize(("client", "upstream"), [(a, b) for a in NAMES for b in NAMES])
modes = pytest.mark.parametrize("stream", [False, True], ids=["buffered", "streamed"])
TEXTS = {case.dialect.name: case for case in cases("stream.txt") if case.path.name == "text"}


def saying(client: str, upstream: str, text: str) -> Proxy:
    """A provider that says `text`, within the limits that reach it."""

    def says(asked: Asked) -> Script:
        return compose(asked, text, size=400)

    def provider(sent: Sent) -> Given:
        accepts(upstream, sent.body)
        answer = respond("POST", sent.path.encode(), {}, json.dumps(sent.body).encode(), script=says, models=())
        return Given(answer.body, answer.streamed, answer.status)

    return cell(client, upstream, provider)


@pairs
@modes
def test_a_token_limit_is_told(client: str, upstream: str, stream: bool, sdks: dict[str, Sdk]) -> None:
    words = [f"w{number} " for number in range(40)]
    sdk = sdks[client]
    sdk.answer = saying(client, upstream, "".join(words))
    told = (sdk.streamed if stream else sdk.buffered)(limit=20)
    assert told.text.split() == [word.strip() for word in words[:20]]
    assert told.reason == "truncated"
    assert (told.input, told.output) == (100, 20)


@pytest.mark.parametrize("client", [name for name in NAMES if REGISTRY.get(name).capabilities.max_stop])
@pytest.mark.parametrize("upstream", NAMES)
@modes
def test_stop_sequences_hold_everywhere(client: str, upstream: str, stream: bool, sdks: dict[str, Sdk]) -> None:
    sdk = sdks[client]
    sdk.answer = proxy = saying(client, upstream, "One and two STOP three, END four.")
    told = (sdk.streamed if stream else sdk.buffered)(stop=["END", "STOP"])
    assert told.text == "One and two "
    assert told.reason == "complete"
    assert all(loss.path.startswith("answer.") for loss in proxy.losses)


@pairs
def test_keep_alives_are_passed_over(client: str, upstream: str, sdks: dict[str, Sdk]) -> None:
    raw = TEXTS[upstream].read("stream.txt")
    quiet = cell(client, upstream, lambda sent: Given(raw, streamed=True))
    sdks[client].answer = quiet
    expected = sdks[client].streamed()
    sdks[client].answer = waiting = cell(client, upstream, lambda sent: Given(raw, streamed=True))
    waiting.keepalive = True
    assert sdks[client].streamed() == expected

"""The word that OpenAI's JSON mode wants."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from ccproxy.lightllm.dialect import Capabilities, Target
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.ir.parts import Image, Source, Text
from ccproxy.lightllm.ir.request import Message, Output, Request
from ccproxy.lightllm.json_word import ANSWER_IN_JSON, with_json_word

from .kit import REGISTRY

GEMINI = REGISTRY.get("gemini")
WANTED = Capabilities(json_word="anywhere")
HI = Message("user", (Image(Source("url", "https://e.com/json.png")), Text("hi")))


def test_it_is_said_where_nobody_has_said_it() -> None:
    ledger = LossLedger()
    request = Request("m", (HI,), output=Output("json"))
    assert with_json_word(request, WANTED, ledger).messages == (Message("developer", (Text(ANSWER_IN_JSON),)), HI)
    assert [loss.path for loss in ledger] == ["output.form"]
    for other in (
        replace(request, messages=(HI, Message("user", (Text("as Json, please"),)))),
        replace(request, system=(Text("JSON!"),)),
        replace(request, output=Output("schema", {})),
    ):
        assert with_json_word(other, WANTED, ledger) is other
    assert with_json_word(request, Capabilities(), ledger) is request
    assert len(ledger) == 1


def asked(system: str) -> Any:
    body = {
        "systemInstruction": {"parts": [{"text": system}]},
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
        "generationConfig": {"responseMimeType": "application/json"},
    }
    return GEMINI.decode_request(json.dumps(body).encode(), model="m")


@pytest.mark.parametrize(
    ("name", "field", "system", "added"),
    [
        ("openai", "messages", "Be brief.", True),
        ("openai", "messages", "Write JSON.", False),
        ("openai_responses", "input", "Be brief.", True),
        # Its instructions are no message.
        ("openai_responses", "input", "Write JSON.", True),
    ],
)
def test_a_converted_request_has_the_word_where_it_counts(name: str, field: str, system: str, added: bool) -> None:
    encoded = REGISTRY.get(name).encode_request(asked(system), Target())
    assert (ANSWER_IN_JSON in str(json.loads(encoded.body)[field])) is added
    assert len(encoded.losses) == int(added)


def test_the_clients_own_request_is_left_alone() -> None:
    chat = REGISTRY.get("openai")
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "response_format": {"type": "json_object"}}
    encoded = chat.encode_request(chat.decode_request(json.dumps(body).encode()), Target())
    assert json.loads(encoded.body)["messages"] == body["messages"]
    assert list(encoded.losses) == []

"""Answers that hooks give are what the client's own SDK would read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy.errors import BadRequest
from ccproxy.lightllm.dialect import Context
from ccproxy.lightllm.ir.events import Stop
from ccproxy.lightllm.ir.parts import Text
from ccproxy.lightllm.ir.response import Response
from ccproxy.lightllm.registry import Registry
from ccproxy.pipeline.answers import Answers
from ccproxy.pipeline.reply import written
from ccproxy.pipeline.tap import Tap

from .support import draft
from .test_answers import Owner

ANSWER = Response("", "", (Text("not today"),), stop=Stop("end"))
BODIES: dict[str, dict[str, Any]] = {
    "anthropic": {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "q"}]},
    "openai": {"model": "m", "messages": [{"role": "user", "content": "q"}]},
    "openai_responses": {"model": "m", "input": "q"},
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "q"}]}]},
}


def read(dialect: str, kind: str, body: bytes, *, array: bool = False) -> Response:
    seen: list[Response] = []
    answers = Answers()
    answers.on_response(Owner(), seen.append)
    tap = Tap(Registry().get(dialect), Context(), answers, status=200, content_type=kind, array=array)
    tap.feed(body)
    tap.end()
    return seen[0]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", BODIES)
def test_every_dialect_gets_its_own(dialect: str, stream: bool) -> None:
    body = BODIES[dialect] if dialect == "gemini" else {**BODIES[dialect], "stream": stream}
    made = draft(
        body,
        dialect=dialect,
        path_model="m" if dialect == "gemini" else "",
        stream=stream if dialect == "gemini" else None,
    )
    kind, content = written(made, ANSWER)
    assert kind == ("text/event-stream" if stream else "application/json")
    answer = read(dialect, kind, content)
    assert answer.parts == (Text("not today"),) or [part.text for part in answer.parts] == ["not today"]  # type: ignore[union-attr]
    assert (answer.model, answer.error) == ("m", None)
    assert answer.id


def test_a_stream_in_the_form_of_an_array() -> None:
    made = draft(BODIES["gemini"], dialect="gemini", path_model="m", stream=True, array=True)
    kind, content = written(made, ANSWER)
    assert kind == "application/json"
    assert isinstance(json.loads(content), list)


def test_without_a_dialect_there_is_no_way_to_say_it() -> None:
    with pytest.raises(BadRequest, match="nobody knows what dialect"):
        written(draft(b"", dialect="", form="other"), ANSWER)

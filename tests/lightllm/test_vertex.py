"""Messages in the form of Vertex AI, and back."""

from __future__ import annotations

import json

import pytest

from ccproxy.errors import BadRequest
from ccproxy.lightllm.vertex import from_vertex, to_vertex

BODY = b'{"model":"c", "max_tokens":5e0}'


@pytest.mark.parametrize(
    ("version", "said"),
    [("", "vertex-2023-10-16"), ("2023-06-01", "vertex-2023-10-16"), ("2026-10-21", "2026-10-21")],
)
def test_the_version_stands_in_the_body_and_the_model_does_not(version: str, said: str) -> None:
    body, action = to_vertex(BODY, "", version, counts=False)
    assert body == b'{ "max_tokens":5e0, "anthropic_version":"%b"}' % said.encode()
    assert action == "rawPredict"


def test_a_version_of_the_clients_own_stays() -> None:
    body, _ = to_vertex(b'{"anthropic_version":"x"}', "m", "2023-06-01", counts=False)
    assert json.loads(body) == {"anthropic_version": "x"}


@pytest.mark.parametrize(
    ("stream", "action"), [("true", "streamRawPredict"), ("false", "rawPredict"), ('"x"', "rawPredict")]
)
def test_a_stream_has_a_method_of_its_own(stream: str, action: str) -> None:
    body, found = to_vertex(b'{"stream":%b}' % stream.encode(), "m", "", counts=False)
    assert found == action and b'"stream":%b' % stream.encode() in body


@pytest.mark.parametrize(("model", "asked"), [("", "c"), ("other", "other")])
def test_a_count_keeps_the_model_in_its_body(model: str, asked: str) -> None:
    body, action = to_vertex(BODY, model, "", counts=True)
    assert (json.loads(body)["model"], action) == (asked, "rawPredict")


@pytest.mark.parametrize(
    ("said", "version"), [("vertex-2023-10-16", "2023-06-01"), ("2026-10-21", "2026-10-21"), (None, "2023-06-01")]
)
def test_and_back(said: str | None, version: str) -> None:
    given = {"max_tokens": 5} | ({"anthropic_version": said} if said else {})
    body, found = from_vertex(json.dumps(given).encode(), "c@1", "rawPredict")
    assert (json.loads(body), found) == ({"max_tokens": 5, "model": "c@1"}, version)
    streamed, _ = from_vertex(json.dumps(given).encode(), "c", "streamRawPredict")
    assert json.loads(streamed)["stream"] is True


def test_what_is_no_object_is_refused() -> None:
    with pytest.raises(BadRequest):
        to_vertex(b"[]", "m", "", counts=False)
    with pytest.raises(BadRequest):
        from_vertex(b"", "m", "rawPredict")

"""Sixteen cells: whatever goes wrong at the provider, the client's SDK raises its own error, with the provider's words
and status; nothing that failed, or ended too early, is taken for an answer."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import openai
import pytest
from google.genai import errors

from ccproxy.providers.answers.respond import WRITERS, error

from ..kit import NAMES, REGISTRY, Case, cases
from .proxy import Given, cell
from .sdks import Sdk, Told

pairs = pytest.mark.parametrize(("client", "upstream"), [(a, b) for a in NAMES for b in NAMES])
TEXTS = {case.dialect.name: case for case in cases("stream.txt") if case.path.name == "text"}
TOOLS = {case.dialect.name: case for case in cases("stream.txt") if case.path.name == "tools"}

#: What each SDK raises at a status.
RAISED: dict[str, dict[int, type[Exception]]] = {
    "anthropic": {
        400: anthropic.BadRequestError,
        401: anthropic.AuthenticationError,
        403: anthropic.PermissionDeniedError,
        404: anthropic.NotFoundError,
        413: anthropic.APIStatusError,
        429: anthropic.RateLimitError,
        500: anthropic.InternalServerError,
        503: anthropic.APIStatusError,
        529: anthropic.APIStatusError,
    },
    "openai": {
        400: openai.BadRequestError,
        401: openai.AuthenticationError,
        403: openai.PermissionDeniedError,
        404: openai.NotFoundError,
        413: openai.APIStatusError,
        429: openai.RateLimitError,
        500: openai.InternalServerError,
        503: openai.InternalServerError,
        529: openai.InternalServerError,
    },
    "gemini": {
        **dict.fromkeys((400, 401, 403, 404, 413, 429), errors.ClientError),
        **dict.fromkeys((500, 503, 529), errors.ServerError),
    },
}
RAISED["openai_responses"] = RAISED["openai"]


def raised_by(sdk: Sdk, *, stream: bool) -> Any:
    """The error that the SDK raises at what it is answered."""
    with pytest.raises(sdk.error) as raised:
        sdk.streamed() if stream else sdk.buffered()
    return raised.value


def status_of(problem: Any) -> int:
    status: int = getattr(problem, "status_code", None) or problem.code
    return status


@pairs
def test_a_status_is_kept(client: str, upstream: str, sdks: dict[str, Sdk]) -> None:
    sdk = sdks[client]
    for status, kind in RAISED[client].items():
        body = error(upstream, status, message="no way").body
        for stream in (False, True):
            sdk.answer = cell(client, upstream, lambda sent, body=body, status=status: Given(body, status=status))
            problem = raised_by(sdk, stream=stream)
            assert isinstance(problem, kind)
            # Anthropic's word for an overload is its own.
            assert status_of(problem) == (503 if status == 529 and client != "anthropic" else status)
            assert "no way" in str(problem)


@pairs
def test_an_error_in_the_stream_is_raised(client: str, upstream: str, sdks: dict[str, Sdk]) -> None:
    sdk = sdks[client]
    event = WRITERS[upstream].error_event(503, message="too busy")
    for frames in (beginning(TEXTS[upstream], 0), beginning(TEXTS[upstream], 0.6), beginning(TOOLS[upstream], 0.8)):
        for stream in (False, True):
            sdk.answer = cell(client, upstream, lambda sent, frames=frames: Given(frames + event, streamed=True))
            assert "too busy" in str(raised_by(sdk, stream=stream))


@pairs
@pytest.mark.parametrize("golden", [TEXTS, TOOLS], ids=["text", "tools"])
def test_a_cut_stream_is_raised(client: str, upstream: str, golden: dict[str, Case], sdks: dict[str, Sdk]) -> None:
    sdk = sdks[client]
    raw = golden[upstream].read("stream.txt")
    complete = len(raw) - len(last_words(upstream, raw))
    for end in [*range(0, complete, complete // 9), complete - 1]:
        for stream in (False, True):
            sdk.answer = cell(client, upstream, lambda sent, end=end: Given(raw[:end], streamed=True))
            assert "cut" in str(raised_by(sdk, stream=stream)), f"cut at {end} of {len(raw)}"


@pairs
@pytest.mark.parametrize(
    "body", [b"", b"<html>Sign in to the network</html>", b"null", b'{"object": "something else"}', b"[]", b"{}"]
)
def test_a_success_that_is_no_answer_is_raised(client: str, upstream: str, body: bytes, sdks: dict[str, Sdk]) -> None:
    for streamed in (False, True):
        for stream in (False, True):
            sdks[client].answer = cell(client, upstream, lambda sent, streamed=streamed: Given(body, streamed))
            assert status_of(raised_by(sdks[client], stream=stream)) == 502


@pytest.mark.parametrize("client", NAMES)
def test_what_cannot_be_converted_is_raised_and_nothing_is_sent(client: str, sdks: dict[str, Sdk]) -> None:
    upstream = "gemini" if client == "anthropic" else "anthropic"
    proxy = cell(client, upstream, unused)
    #: Fields that only the client's own provider can honour.
    state = {
        "anthropic": {"thread": {"type": "create"}},
        "openai": {"n": 2},
        "openai_responses": {"previous_response_id": "resp_1"},
        "gemini": {"cachedContent": "cachedContents/1"},
    }[client]

    def answer(request: Any) -> Any:
        body = json.loads(request.content) | state
        return proxy(type(request)(request.method, request.url, headers={}, json=body))

    sdks[client].answer = answer
    problem = raised_by(sdks[client], stream=False)
    assert status_of(problem) == 400
    assert not proxy.sent
    assert len(proxy.refused) == 1


def unused(sent: Any) -> Given:
    raise AssertionError("nothing is to be sent")


def beginning(case: Case, share: float) -> bytes:
    """That share of a stream's frames."""
    frames = [frame + b"\n\n" for frame in case.read("stream.txt").replace(b"\r\n", b"\n").split(b"\n\n") if frame]
    return b"".join(frames[: int(len(frames) * share)])


def last_words(upstream: str, raw: bytes) -> bytes:
    """The end of a stream from which on nothing of the answer is missing: it says that it is over, or why."""
    said = {"anthropic": b"event: message_delta", "openai": b'"finish_reason":"', "openai_responses": b"event: response.completed"}  # fmt: skip
    word = said.get(upstream, b'"finishReason"')
    start = raw.replace(b": ", b":").rfind(word.replace(b": ", b":"))
    assert start >= 0
    return raw[raw.rfind(b"\n\n", 0, raw.rfind(word if word in raw else word.replace(b":", b": "))) :]


def test_the_goldens_are_there() -> None:
    assert set(TEXTS) == set(TOOLS) == set(NAMES)
    assert {REGISTRY.get(name).stream_form for name in NAMES} == {"sse"}
    assert Told("", [], "", None, None).calls == []

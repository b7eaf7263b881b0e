"""Reading an answer beside its way: streams, documents, compressed ones, errors, garbage."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.lightllm.dialect import Context
from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.lightllm.ir.events import Stop
from ccproxy.lightllm.ir.parts import Text
from ccproxy.lightllm.ir.response import Response, unfold
from ccproxy.lightllm.registry import Registry
from ccproxy.lightllm.translate import ArrayWriter, SseWriter
from ccproxy.pipeline.answers import Answers
from ccproxy.pipeline.tap import MAX_DOCUMENT, Tap

from .test_answers import Owner

ANSWER = Response("a1", "m", (Text("hello"),), stop=Stop("end"))


def written(dialect: str, *, array: bool = False) -> bytes:
    encoder = Registry().get(dialect).encoder(Context())
    frames = [frame for event in unfold(ANSWER) for frame in encoder.event(event)]
    writer = ArrayWriter() if array else SseWriter()
    return writer.write(frames) + writer.close()


def document(dialect: str) -> bytes:
    found = Registry().get(dialect)
    encoder = found.encoder(Context())
    return found.collect([frame for event in unfold(ANSWER) for frame in encoder.event(event)])


class Tapped:
    """A tap, and the answer that was seen."""

    def __init__(
        self,
        dialect: str = "anthropic",
        *,
        status: int = 200,
        kind: str = "text/event-stream",
        encoding: str = "",
        array: bool = False,
    ) -> None:
        self.seen: list[Response] = []
        answers = Answers()
        answers.on_response(Owner(), self.seen.append)
        self.tap = Tap(
            Registry().get(dialect),
            Context(),
            answers,
            status=status,
            content_type=kind,
            encoding=encoding,
            array=array,
        )

    def take(self, body: bytes, size: int = 7) -> Response | None:
        for at in range(0, len(body), size):
            self.tap.feed(body[at : at + size])
        self.tap.end()
        return self.seen[0] if self.seen else None


def texts(answer: Response | None) -> list[str]:
    assert answer is not None
    return [part.text for part in answer.parts if isinstance(part, Text)]


@pytest.mark.parametrize("dialect", ["anthropic", "openai", "openai_responses", "gemini"])
def test_streams_and_documents(dialect: str) -> None:
    for answer in (
        Tapped(dialect).take(written(dialect)),
        Tapped(dialect, kind="application/json").take(document(dialect)),
    ):
        assert texts(answer) == ["hello"]
        assert answer is not None
        assert answer.stop is not None
        assert answer.stop.reason == "end"


def test_a_stream_in_the_form_of_an_array() -> None:
    assert texts(Tapped("gemini", kind="application/json", array=True).take(written("gemini", array=True))) == ["hello"]


def test_compressed() -> None:
    assert texts(Tapped(encoding="gzip").take(gzip.compress(written("anthropic")))) == ["hello"]


def test_an_encoding_nobody_knows_is_left_alone() -> None:
    assert Tapped(encoding="secret").take(b"anything") is None


def test_an_error_of_the_provider() -> None:
    body = json.dumps({"type": "error", "error": {"type": "rate_limit_error", "message": "slow"}}).encode()
    answer = Tapped(status=429, kind="application/json").take(body)
    assert answer is not None
    assert answer.error is not None
    assert (answer.error.kind, answer.error.message) == ("rate_limit", "slow")


def test_a_stream_that_is_cut_or_fails() -> None:
    cut = Tapped().take(written("anthropic")[:-80])
    assert cut is not None
    assert cut.error is not None
    failed = Tapped()
    failed.tap.feed(written("anthropic")[:300])
    failed.tap.fail(ErrorInfo("timeout", "gone", 504))
    failed.tap.fail(ErrorInfo("timeout", "again", 504))
    failed.tap.end()
    assert failed.seen[0].error is not None
    assert failed.seen[0].error.message == "gone"


def test_a_document_beyond_measure_is_not_kept() -> None:
    tapped = Tapped(kind="application/json")
    for _ in range(MAX_DOCUMENT // (1 << 20) + 1):
        tapped.tap.feed(b" " * (1 << 20))
    tapped.tap.feed(b"x")
    tapped.tap.end()
    assert tapped.seen[0].error is not None


@given(
    st.binary(max_size=60), st.sampled_from(["", "gzip"]), st.sampled_from(["text/event-stream", "application/json"])
)
def test_garbage_raises_nothing(body: bytes, encoding: str, kind: str) -> None:
    answer = Tapped(encoding=encoding, kind=kind).take(body)
    assert answer is None or answer.error is not None or answer.stop is not None

"""The laws of a dialect, over every registered one and every golden case.

1 split invariance, 2 grammar on every prefix, 3 fold, 4 same-dialect identity, 5 cross-dialect, 6 garbage,
7 no fake success.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccproxy.errors import BadRequest, Untranslatable
from ccproxy.lightllm.dialect import Dialect, Target
from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.lightllm.ir.events import Failed, Start
from ccproxy.lightllm.ir.response import Response, fold, unfold

from .kit import (
    NAMES,
    REGISTRY,
    Case,
    cases,
    checked,
    collected,
    context,
    decode_document,
    decode_stream,
    encode_frames,
    encode_stream,
    essence,
    same_answer,
)
from .strategies import responses
from .streams import cuttings
from .test_cases import ids, request_of

streams = pytest.mark.parametrize("case", cases("stream.txt"), ids=ids)
dialects = pytest.mark.parametrize("dialect", [REGISTRY.get(name) for name in NAMES], ids=NAMES)
clients = pytest.mark.parametrize("client", [REGISTRY.get(name) for name in NAMES], ids=NAMES)


@streams
def test_1_any_cutting_gives_the_same_events(case: Case) -> None:
    raw = case.read("stream.txt")
    expected = decode_stream(case.dialect, [raw])
    for chunks in cuttings(raw, every_split_up_to=150):
        assert decode_stream(case.dialect, chunks) == expected
    crlf = raw.replace(b"\n", b"\r\n")
    if case.dialect.stream_form == "sse":
        assert decode_stream(case.dialect, [crlf]) == expected


@streams
def test_2_every_prefix_obeys_the_grammar_and_a_cut_is_a_failure(case: Case) -> None:
    raw = case.read("stream.txt")
    whole = checked(decode_stream(case.dialect, [raw]))
    for end in range(0, len(raw), max(1, len(raw) // 200)):
        part = checked(decode_stream(case.dialect, [raw[:end]]))
        # A prefix ends well only if nothing of the answer is missing.
        if part.error is None:
            assert essence(part) == essence(whole)


@streams
def test_3_the_buffered_answer_is_the_fold_of_the_stream(case: Case) -> None:
    events = decode_stream(case.dialect, [case.read("stream.txt")])
    response = checked(events)
    if response.error is not None:
        return
    again = checked(decode_document(case.dialect, collected(case.dialect, events)))
    assert same_answer(again) == same_answer(response)
    if case.has("document.json"):
        expected = case.json("again.json" if case.has("again.json") else "document.json")
        assert json.loads(collected(case.dialect, events)) == expected


@streams
def test_4_a_stream_written_back_is_read_as_the_same_answer(case: Case) -> None:
    events = decode_stream(case.dialect, [case.read("stream.txt")])
    again = checked(decode_stream(case.dialect, [encode_stream(case.dialect, events)]))
    expected = checked(events)
    if expected.error is None:
        assert same_answer(again) == same_answer(expected)
    else:
        assert again.error is not None
        assert (again.error.kind, again.error.message) == (expected.error.kind, expected.error.message)
        assert again.parts == expected.parts


@streams
@clients
def test_5_an_answer_means_the_same_in_every_dialect(case: Case, client: Dialect) -> None:
    events = decode_stream(case.dialect, [case.read("stream.txt")])
    expected = essence(checked(events))
    streamed = essence(checked(decode_stream(client, [encode_stream(client, events)])))
    assert carried(streamed, expected) == expected
    if expected["error"] is None:
        buffered = essence(checked(decode_document(client, collected(client, events))))
        assert carried(buffered, expected) == expected


def carried(found: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    """`found`, without the counts that the source never gave and an ending's kind that has no word of its own."""
    found = dict(found)
    for name in ("input", "output"):
        if expected[name] is None:
            found[name] = None
    if expected["error"] is not None and found["error"] is not None:
        found["error"] = expected["error"]
        found["input"] = expected["input"]
        found["output"] = expected["output"]
    return found


@dialects
@settings(deadline=None, max_examples=60)
@given(response=responses())
def test_5_any_answer_means_the_same_streamed_and_buffered(dialect: Dialect, response: Response) -> None:
    events = list(unfold(response))
    streamed = checked(decode_stream(dialect, [encode_stream(dialect, events)]))
    buffered = checked(decode_document(dialect, collected(dialect, events)))
    assert essence(streamed) == essence(buffered)
    assert carried(essence(streamed), essence(response)) == essence(response)
    assert fold(unfold(response)) == response


@pytest.mark.parametrize("case", cases("request.json"), ids=ids)
@pytest.mark.parametrize("target", [REGISTRY.get(name) for name in NAMES], ids=NAMES)
def test_5_a_request_arrives_in_every_dialect_or_is_refused(case: Case, target: Dialect) -> None:
    request = request_of(case)
    try:
        encoded = target.encode_request(request, Target(model="m"))
    except Untranslatable as problem:
        assert target.name != case.dialect.name
        assert problem.message
        return
    model, stream = (encoded.request.model, encoded.request.stream)
    again = target.decode_request(encoded.body, model=model, stream=stream)
    assert again.model == "m"
    assert again.stream == request.stream
    # What went out is within what the target accepts: adapting it again changes nothing.
    twice = target.encode_request(again, Target(model="m"))
    assert twice.body == encoded.body


@dialects
@settings(deadline=None, max_examples=150)
@given(raw=st.binary(max_size=200))
def test_6_any_bytes_end_in_a_failure_or_an_end(dialect: Dialect, raw: bytes) -> None:
    checked(decode_stream(dialect, [raw]))
    checked(decode_document(dialect, raw))
    info = dialect.decode_error(500, raw)
    assert info.message
    assert json.loads(dialect.encode_error(info)[1])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def broken(draw: st.DrawFn, value: Any) -> Any:
    """`value` with one thing in it replaced, removed or added."""
    if isinstance(value, dict) and value and draw(st.integers(0, 3)):
        key = draw(st.sampled_from(sorted(value)))
        if draw(st.integers(0, 5)) == 0:
            return {name: inner for name, inner in value.items() if name != key}
        return {**value, key: draw(broken(value[key]))}
    if isinstance(value, list) and value and draw(st.integers(0, 3)):
        index = draw(st.integers(0, len(value) - 1))
        return [*value[:index], draw(broken(value[index])), *value[index + 1 :]]
    return draw(json_values)


@streams
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_6_a_damaged_stream_ends_in_a_failure_or_an_end(case: Case, data: Any) -> None:
    raw = case.read("stream.txt")
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(raw)))
        length = data.draw(st.integers(0, 40))
        raw = raw[:at] + data.draw(st.binary(max_size=6)) + raw[at + length :]
    else:
        lines = raw.split(b"\n")
        numbers = [n for n, line in enumerate(lines) if b"{" in line]
        number = data.draw(st.sampled_from(numbers))
        head, brace, rest = lines[number].partition(b"{")
        value = json.loads((brace + rest).strip().rstrip(b","))
        lines[number] = head + json.dumps(data.draw(broken(value))).encode()
        raw = b"\n".join(lines)
    events = decode_stream(case.dialect, [raw])
    checked(events)
    for name in NAMES:
        encode_stream(REGISTRY.get(name), events)


@pytest.mark.parametrize("case", cases("document.json"), ids=ids)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_6_a_damaged_document_ends_in_a_failure_or_an_end(case: Case, data: Any) -> None:
    body = json.dumps(data.draw(broken(case.json("document.json")))).encode()
    events = decode_document(case.dialect, body)
    if checked(events).error is None:
        for name in NAMES:
            json.loads(collected(REGISTRY.get(name), events))


@pytest.mark.parametrize("case", cases("request.json"), ids=ids)
@settings(deadline=None, max_examples=80)
@given(data=st.data())
def test_6_a_damaged_request_is_read_or_refused(case: Case, data: Any) -> None:
    path: dict[str, Any] = case.json("path.json") if case.has("path.json") else {}
    body = json.dumps(data.draw(broken(case.json("request.json")))).encode()
    try:
        request = case.dialect.decode_request(body, **path)
    except BadRequest as problem:
        assert problem.message
        return
    for name in NAMES:
        try:
            json.loads(REGISTRY.get(name).encode_request(request, Target(model="m")).body)
        except BadRequest as problem:
            assert problem.message


@dialects
@pytest.mark.parametrize("kind", ["rate_limit", "overloaded", "api", "cut", "invalid_request", "quota"])
def test_7_a_failure_is_one_in_every_dialect(dialect: Dialect, kind: Any) -> None:
    error = ErrorInfo(kind, "it did not work")
    stream = encode_stream(dialect, [Start("id", "m"), Failed(error)])
    streamed = checked(decode_stream(dialect, [stream]))
    assert streamed.error is not None
    assert "it did not work" in streamed.error.message
    status, body = dialect.encode_error(error)
    assert status >= 400
    info = dialect.decode_error(status, body)
    assert "it did not work" in info.message
    buffered = checked(decode_document(dialect, body))
    assert buffered.error is not None


@dialects
def test_7_a_stream_cut_after_content_is_a_failure(dialect: Dialect) -> None:
    from ccproxy.lightllm.ir.events import PartStart, TextDelta
    from ccproxy.lightllm.ir.parts import Text

    frames = encode_frames(dialect, [Start("id", "m"), PartStart(0, Text("")), TextDelta("half")])
    decoder = dialect.decoder(context())
    from ccproxy.lightllm.translate import frame_bytes

    events = [
        event for frame in frames if frame.data is not None for event in decoder.frame(frame.name, frame_bytes(frame))
    ]
    response = checked(events + decoder.eof())
    assert response.error is not None
    assert response.error.kind == "cut"

"""The laws that need no random input, each a function that raises `Difference` (or the grammar's AssertionError) where
it does not hold. `kit` says what they are run on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from ccproxy.errors import Untranslatable
from ccproxy.lightllm.dialect import Dialect, Encoded, Target
from ccproxy.lightllm.errors import ErrorInfo, ErrorKind
from ccproxy.lightllm.ir.events import Event, Failed, PartStart, Start, TextDelta
from ccproxy.lightllm.ir.losses import Loss
from ccproxy.lightllm.ir.parts import Text
from ccproxy.lightllm.ir.request import Request
from ccproxy.lightllm.ir.response import Response
from ccproxy.lightllm.jsontext import loads, loads_or_none
from ccproxy.testing.conformance import answers, requests
from ccproxy.testing.conformance.answers import essence, same_answer
from ccproxy.testing.conformance.cases import Case
from ccproxy.testing.conformance.cutting import cuttings
from ccproxy.testing.conformance.verdict import require, require_same
from ccproxy.testing.conformance.ways import (
    checked,
    collected,
    context,
    decode_document,
    decode_stream,
    encode_frames,
    encode_stream,
    frames_of,
    written,
)

#: The model that converted requests ask for.
MODEL = "m"

#: What closes JSON after the messages.
_CLOSING = b" \r\n\t]}"


def any_cutting_gives_the_same_events(dialect: Dialect, raw: bytes) -> None:
    """Law 1."""
    expected = decode_stream(dialect, [raw])
    for chunks in cuttings(raw, every_split_up_to=150):
        found = decode_stream(dialect, chunks)
        if found != expected:
            places = [len(chunk) for chunk in chunks[:-1]]
            where = f"cut after {places[0]} bytes" if len(places) == 1 else f"cut into {len(chunks)} pieces"
            require_same(found, expected, f"the events of the stream {where}")
    if dialect.stream_form == "sse":
        found = decode_stream(dialect, [raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")])
        require_same(found, expected, "the events of the stream with CRLF line ends")


def every_prefix_obeys_the_grammar(dialect: Dialect, raw: bytes) -> None:
    """Law 2: whatever was cut off, the events are complete, and an answer that is not whole is a failure."""
    whole = checked(decode_stream(dialect, [raw]))
    for end in range(0, len(raw), max(1, len(raw) // 200)):
        part = checked(decode_stream(dialect, [raw[:end]]))
        if part.error is None:
            require_same(essence(part), essence(whole), f"an answer cut after {end} of {len(raw)} bytes that ends well")


def the_buffered_answer_is_the_fold_of_the_stream(dialect: Dialect, events: Sequence[Event]) -> None:
    """Law 3, for an answer that did not fail."""
    again = checked(decode_document(dialect, collected(dialect, events)))
    require_same(same_answer(again), same_answer(checked(events)), "the buffered answer, read")


def a_stream_is_written_back_as_the_same_answer(dialect: Dialect, raw: bytes) -> None:
    """Law 4 for streams."""
    events = decode_stream(dialect, [raw])
    again = checked(decode_stream(dialect, [encode_stream(dialect, events)]))
    expected = checked(events)
    if expected.error is None:
        require_same(same_answer(again), same_answer(expected), "the stream written back, read")
        return
    found = again.error or ErrorInfo("api", "none")
    require_same((found.kind, found.message), (expected.error.kind, expected.error.message), "the error written back")
    require_same(again.parts, expected.parts, "what came before the error")


def a_document_is_written_back_as_it_was(case: Case) -> None:
    """Law 4 for buffered answers, and for a stream beside one: both give the golden document."""
    expected = case.json("again.json" if case.has("again.json") else "document.json")
    events = decode_document(case.dialect, case.read("document.json"))
    if checked(events).error is None:
        require_same(loads(collected(case.dialect, events)), expected, "the buffered answer written back")
    if case.has("stream.txt"):
        events = decode_stream(case.dialect, [case.read("stream.txt")])
        if checked(events).error is None:
            require_same(loads(collected(case.dialect, events)), expected, "the buffered answer of the stream")


def an_answer_is_its_value(case: Case) -> None:
    """The golden `answer.json` is what stream and document say."""
    expected = case.value("answer.json", Response, Response("", ""))
    if case.has("stream.txt"):
        require_same(checked(decode_stream(case.dialect, [case.read("stream.txt")])), expected, "the stream, read")
    if case.has("document.json"):
        found = checked(decode_document(case.dialect, case.read("document.json")))
        require_same(same_answer(found), same_answer(expected), "the buffered answer, read")


def a_request_is_its_value(case: Case) -> None:
    """The golden `ir.json` is what the request says."""
    require_same(case.request(), case.value("ir.json", Request, Request("", ())), "the request, read")


def a_request_is_written_back_as_it_was(case: Case) -> None:
    """Law 4 for requests: nothing is lost, and what is written back is read as the same."""
    encoded = case.dialect.encode_request(case.request(), Target())
    expected = case.json("normal.json" if case.has("normal.json") else "request.json")
    require_same(loads(encoded.body), expected, "the request written back")
    require_same([loss.path for loss in encoded.losses], [], "losses within one dialect")
    path: dict[str, Any] = case.json("path.json") if case.has("path.json") else {}
    again = case.dialect.decode_request(encoded.body, **path)
    require_same(case.dialect.encode_request(again, Target()).body, encoded.body, "the request written back twice")


def an_error_is_read_and_written_back(case: Case) -> None:
    """Law 4 for errors."""
    golden = case.json("error.json")
    given = golden["body"]
    info = case.dialect.decode_error(golden["status"], given.encode() if isinstance(given, str) else _bytes(given))
    if "info" in golden:
        require_same(msgspec.to_builtins(info), golden["info"], "the error, read")
    status, body = case.dialect.encode_error(info)
    require_same(status, golden.get("again_status", golden["status"]), "the status written back")
    require_same(loads(body), golden.get("again", given), "the error written back")


def _bytes(value: object) -> bytes:
    return msgspec.json.encode(value)


def an_answer_means_the_same_to_a_client(events: Sequence[Event], client: Dialect) -> None:
    """Law 5 for answers: what a client of `client` reads, streamed and buffered, is the answer minus declared losses."""
    expected = checked(events)
    using = context()
    frames = encode_frames(client, events, using=using)
    reading = context()
    streamed = checked(decode_stream(client, [written(client, frames)], using=reading))
    _nothing_lost(expected, streamed, [*using.ledger, *reading.ledger], f"{client.name}, streamed")
    if expected.error is None:
        reading = context()
        buffered = checked(decode_document(client, client.collect(frames), using=reading))
        _nothing_lost(expected, buffered, [*using.ledger, *reading.ledger], f"{client.name}, buffered")
        require_same(essence(buffered), essence(streamed), "the buffered answer and the streamed one")


def _nothing_lost(expected: Response, found: Response, losses: Sequence[Loss], towards: str) -> None:
    missing = answers.gaps(expected, found, losses)
    require(not missing, f"lost in silence towards {towards}: {'; '.join(missing)}")


def a_request_arrives_or_is_refused(request: Request, target: Dialect) -> None:
    """Law 5 for requests: what `target` reads in the converted request is the request minus declared losses; adapting it
    once more changes nothing. A refusal says why."""
    try:
        encoded = target.encode_request(request, Target(model=MODEL))
    except Untranslatable as problem:
        require(request.dialect != target.name, f"refused within one dialect: {problem}")
        require(bool(problem.message), "a refusal without a reason")
        return
    arrived = target.decode_request(encoded.body, model=MODEL, stream=request.stream)
    require_same(arrived.model, MODEL, "the model")
    require_same(arrived.stream, request.stream, "whether to stream")
    missing = requests.gaps(request, encoded, arrived, thinks=target.capabilities.reasoning)
    require(not missing, f"lost in silence towards {target.name}: {'; '.join(missing)}")
    twice = target.encode_request(arrived, Target(model=MODEL))
    require_same(twice.body, encoded.body, "the converted request, converted once more")


def a_failure_stays_one(dialect: Dialect, kind: ErrorKind) -> None:
    """Law 7: an error is one in a stream, as a status with a body, and as a body with status 200."""
    error = ErrorInfo(kind, "it did not work")
    streamed = checked(decode_stream(dialect, [encode_stream(dialect, [Start("id", "m"), Failed(error)])]))
    require(streamed.error is not None, "an error in a stream is read as a normal ending")
    require(error.message in (streamed.error.message if streamed.error else ""), "the message of an error in a stream")
    status, body = dialect.encode_error(error)
    require(status >= 400, f"an error with status {status}")
    require(error.message in dialect.decode_error(status, body).message, "the message of an error with a status")
    buffered = checked(decode_document(dialect, body))
    require(buffered.error is not None, "the body of an error with status 200 is read as an answer")


def an_answer_that_breaks_off_is_a_failure(dialect: Dialect) -> None:
    """Law 7: what was written before a cut is not read as a whole answer."""
    frames = encode_frames(dialect, [Start("id", "m"), PartStart(0, Text("")), TextDelta("half")])
    events = decode_stream(dialect, [written(dialect, frames)])
    response = checked(events)
    require(response.error is not None, "half an answer is read as a whole one")
    require_same(response.error.kind if response.error else "", "cut", "the kind of error of half an answer")


def no_frame_of_the_upstream_reaches_a_client(source: Dialect, raw: bytes, client: Dialect) -> None:
    """Law 7: of the upstream's own frames none is in the client's stream."""
    theirs = [
        value for _, data in frames_of(source.stream_form, [raw]) if isinstance(value := loads_or_none(data), dict)
    ]
    stream = encode_stream(client, decode_stream(source, [raw]))
    for _, data in frames_of(client.stream_form, [stream]):
        value = loads_or_none(data)
        require(
            not value or value not in theirs, f"a frame of {source.name} goes to a client of {client.name}: {value}"
        )


def consecutive_requests_share_their_beginning(request: Request, target: Dialect) -> None:
    """Law 8: each request of a conversation begins as the one before it, all of its messages included, so that the
    provider finds it in its cache. Only a setting that had to change, and says so in the ledger, may change that."""
    before, settings = b"", None
    for count, shorter in _turns(request):
        try:
            encoded = target.encode_request(shorter, Target(model=MODEL))
        except Untranslatable:
            return
        kept = before.rstrip(_CLOSING)
        if settings == _settings(encoded) and not encoded.body.startswith(kept):
            pairs = enumerate(zip(kept, encoded.body, strict=False))
            at = next((at for at, pair in pairs if pair[0] != pair[1]), len(encoded.body))
            what = f"the request of {count} messages towards {target.name}, from byte {at}"
            require_same(encoded.body[at : at + 200], kept[at : at + 200], what)
        before, settings = encoded.body, _settings(encoded)


def _turns(request: Request) -> Iterator[tuple[int, Request]]:
    """The requests that a client sent on the way to this one: up to the end of each of the user's turns."""
    roles = [message.role for message in request.messages]
    for count, role in enumerate(roles, 1):
        if role == "user" and roles[count : count + 1] != ["user"]:
            yield count, msgspec.structs.replace(request, messages=request.messages[:count])


def _settings(encoded: Encoded) -> set[Loss]:
    """The losses that are not about a place in the conversation."""
    return {loss for loss in encoded.losses if not loss.path.startswith(("messages", "system"))}

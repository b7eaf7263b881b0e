"""The laws over random input (needs hypothesis): each function runs one property and raises what breaks it.

Your hypothesis profile applies (`derandomize` for the same examples in every run), but for the deadline, which would
make a slow machine a broken law, and the number of examples.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ccproxy.errors import BadRequest
from ccproxy.lightllm.dialect import Dialect, Target
from ccproxy.lightllm.ir.request import Request
from ccproxy.lightllm.ir.response import Response, unfold
from ccproxy.testing.conformance import laws
from ccproxy.testing.conformance.answers import carried, essence
from ccproxy.testing.conformance.cases import Case
from ccproxy.testing.conformance.strategies import broken, cut, damaged, requests, responses
from ccproxy.testing.conformance.verdict import require, require_same
from ccproxy.testing.conformance.ways import checked, collected, decode_document, decode_stream, encode_stream


def _holds[T](strategy: st.SearchStrategy[T], law: Callable[[T], None], examples: int) -> None:
    """Runs `law` on that many values of the strategy."""

    @settings(
        deadline=None,
        max_examples=examples,
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(strategy)
    def holds(value: T) -> None:
        law(value)

    holds()


def any_answer_however_cut(dialect: Dialect, examples: int) -> None:
    """Law 1."""

    def law(drawn: tuple[bytes, list[bytes]]) -> None:
        raw, chunks = drawn
        require_same(decode_stream(dialect, chunks), decode_stream(dialect, [raw]), f"the events of {chunks}")

    streams = responses().map(lambda response: encode_stream(dialect, list(unfold(response))))
    _holds(streams.flatmap(lambda raw: st.tuples(st.just(raw), cut(raw))), law, examples)


def any_answer_streamed_and_buffered(dialect: Dialect, examples: int) -> None:
    """Laws 3 and 5: an answer that was written is read as itself, streamed and buffered."""

    def law(response: Response) -> None:
        events = list(unfold(response))
        streamed = essence(checked(decode_stream(dialect, [encode_stream(dialect, events)])))
        buffered = essence(checked(decode_document(dialect, collected(dialect, events))))
        require_same(streamed, buffered, "the streamed answer and the buffered one")
        require_same(carried(streamed, essence(response)), essence(response), "the answer")

    _holds(responses(), law, examples)


def any_answer_from_another(dialect: Dialect, source: Dialect, examples: int) -> None:
    """Law 5: what `source` says of an answer reaches a client of `dialect`."""

    def law(response: Response) -> None:
        raw = encode_stream(source, list(unfold(response)))
        laws.an_answer_means_the_same_to_a_client(decode_stream(source, [raw]), dialect)

    _holds(responses(thinking=True), law, examples)


def any_answer_leaks_nothing(dialect: Dialect, source: Dialect, examples: int) -> None:
    """Law 7: no frame of `source` reaches a client of `dialect`."""

    def law(response: Response) -> None:
        raw = encode_stream(source, list(unfold(response)))
        laws.no_frame_of_the_upstream_reaches_a_client(source, raw, dialect)

    _holds(responses(thinking=True), law, examples)


def any_conversation(dialect: Dialect, targets: Sequence[Dialect], examples: int) -> None:
    """Law 5: a conversation reaches `dialect`, and from there each of `targets`."""

    def law(request: Request) -> None:
        laws.a_request_arrives_or_is_refused(request, dialect)
        body = dialect.encode_request(request, Target(model=laws.MODEL)).body
        arrived = dialect.decode_request(body, model=laws.MODEL, stream=request.stream)
        for target in targets:
            laws.a_request_arrives_or_is_refused(arrived, target)

    _holds(requests(images=bool(dialect.capabilities.image_types)), law, examples)


def any_conversation_extends_its_beginning(dialect: Dialect, examples: int) -> None:
    """Law 8."""
    conversations = requests(images=bool(dialect.capabilities.image_types))
    _holds(conversations, lambda request: laws.consecutive_requests_share_their_beginning(request, dialect), examples)


def any_bytes_end(dialect: Dialect, examples: int) -> None:
    """Law 6."""

    def law(raw: bytes) -> None:
        checked(decode_stream(dialect, [raw]))
        checked(decode_document(dialect, raw))
        info = dialect.decode_error(500, raw)
        require(bool(info.message), "an error without a message")
        json.loads(dialect.encode_error(info)[1])
        try:
            dialect.decode_request(raw, model="m")
        except BadRequest as problem:
            require(bool(problem.message), "a refusal without a reason")

    _holds(st.binary(max_size=200), law, examples)


def a_damaged_stream_ends(case: Case, clients: Sequence[Dialect], examples: int) -> None:
    """Law 6, the clients' encoders included."""

    def law(raw: bytes) -> None:
        events = decode_stream(case.dialect, [raw])
        checked(events)
        for client in clients:
            encode_stream(client, events)

    _holds(damaged(case.read("stream.txt")), law, examples)


def a_damaged_document_ends(case: Case, clients: Sequence[Dialect], examples: int) -> None:
    """Law 6, the clients' encoders included."""

    def law(value: object) -> None:
        events = decode_document(case.dialect, json.dumps(value).encode())
        if checked(events).error is None:
            for client in clients:
                json.loads(collected(client, events))

    _holds(broken(case.json("document.json")), law, examples)


def a_damaged_request_is_read_or_refused(case: Case, targets: Sequence[Dialect], examples: int) -> None:
    """Law 6, the targets' writers included."""
    path = case.json("path.json") if case.has("path.json") else {}

    def law(value: object) -> None:
        try:
            request = case.dialect.decode_request(json.dumps(value).encode(), **path)
        except BadRequest as problem:
            require(bool(problem.message), "a refusal without a reason")
            return
        for target in targets:
            try:
                json.loads(target.encode_request(request, Target(model=laws.MODEL)).body)
            except BadRequest as problem:
                require(bool(problem.message), "a refusal without a reason")

    _holds(broken(case.json("request.json")), law, examples)

"""A flow that is stored comes back equal, whatever it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccproxy.exchange.exchange import Step
from ccproxy.exchange.hooks import HookResult
from ccproxy.flows import insert, rows
from ccproxy.flows.bodies import Packer
from ccproxy.flows.model import (
    Flow,
    RequestRecord,
    ResponseRecord,
    Usage,
    WebSocketMessage,
    WebSocketRecord,
)
from ccproxy.flows.reader import Reader
from ccproxy.flows.schema import open_for_writing
from ccproxy.lightllm.ir.losses import Loss

from .support import make_flow

texts = st.text(st.characters(codec="utf-8"), max_size=20)
counts = st.integers(0, 2**53)
moments = st.floats(0, 1e11)
lists = st.lists(texts, max_size=2)
headers = st.lists(st.tuples(texts, texts), max_size=4)
common: dict[str, Any] = {
    "headers": headers,
    "body": st.binary(max_size=700),
    "size": counts,
    "http_version": st.sampled_from(["1.0", "1.1", "2"]),
    "truncated": st.booleans(),
    "redacted": st.booleans(),
    "timestamp_start": moments,
    "timestamp_end": moments,
}
requests = st.builds(
    RequestRecord, **common, method=texts, scheme=texts, host=texts, port=st.integers(0, 65535), target=texts
)
responses = st.builds(ResponseRecord, **common, status=st.integers(0, 999), reason=texts)
usages = st.builds(Usage, *[st.none() | counts for _ in range(5)]).filter(lambda usage: usage != Usage())
websockets = st.builds(
    WebSocketRecord,
    messages=st.lists(
        st.builds(WebSocketMessage, st.booleans(), st.booleans(), st.binary(max_size=50), counts, moments), max_size=4
    ),
    count=counts,
    size=counts,
    last=moments,
    truncated=st.booleans(),
    redacted=st.booleans(),
)
flows = st.builds(
    Flow,
    **{field.name: texts for field in msgspec.structs.fields(Flow) if field.type is str},
    started=moments,
    duration=moments,
    ttfb=st.none() | moments,
    client_port=st.integers(0, 65535),
    streaming=st.booleans(),
    request=requests,
    forwarded=st.none() | requests,
    response=st.none() | responses,
    usage=st.none() | usages,
    websocket=st.none() | websockets,
    seq=st.just(1),
    losses=st.lists(st.builds(Loss, texts, st.sampled_from(["dropped", "repaired"]), texts, texts, texts), max_size=2),
    hooks=st.lists(
        st.builds(
            HookResult, texts, st.sampled_from(["inbound", "outbound"]), st.integers(1, 9), moments, lists, texts, lists
        ),
        max_size=2,
    ),
    answer=st.none() | responses,
    story=st.lists(st.builds(Step, texts, texts, st.integers(0, 999), texts, texts, st.floats(0, 1e6)), max_size=2),
    timings=st.dictionaries(texts, moments, max_size=2),
    cost=st.none() | moments,
    tools=lists,
    arrivals=st.lists(
        st.tuples(st.integers(0, 2**40), st.integers(0, 10**9).map(lambda units: units / 10_000)), max_size=5
    ),
)


def round_trip(path: Path, flow: Flow, *, with_bodies: bool = True) -> Flow:
    """The flow after a visit to the store."""
    connection = open_for_writing(path)
    insert.store(connection, Packer(), [(flow, rows.write(flow))])
    connection.close()
    with Reader(path) as reader:
        found = reader.get(flow.id) if with_bodies else next(iter(reader.summaries()))
    connection = open_for_writing(path)
    connection.execute("DELETE FROM flow")
    connection.execute("DELETE FROM sqlite_sequence")
    connection.close()
    assert found is not None
    return found


@settings(max_examples=60, deadline=None)
@given(flow=flows)
def test_any_flow_comes_back_equal(tmp_path_factory: Any, flow: Flow) -> None:
    assert round_trip(tmp_path_factory.getbasetemp() / "rows.db", flow) == flow


def test_a_summary_has_sizes_but_no_bodies(tmp_path: Path) -> None:
    found = round_trip(tmp_path / "flows.db", make_flow(), with_bodies=False)
    assert (found.request.body, found.request.size) == (b"", make_flow().request.size)


def test_text_that_is_no_unicode_is_stored_with_question_marks(tmp_path: Path) -> None:
    flow = make_flow(model="bad\ud800", error="\udcff")
    flow.request.headers.append(("x", "\ud800"))
    with pytest.raises(UnicodeEncodeError):
        rows.write(flow)
    rows.without_surrogates(flow)
    found = round_trip(tmp_path / "flows.db", flow)
    assert (found.model, found.error, found.request.headers[-1]) == ("bad?", "?", ("x", "?"))


def test_any_number_of_rows_is_inserted(tmp_path: Path) -> None:
    connection = open_for_writing(tmp_path / "flows.db")
    for count in (0, 1, 3, 16, 17, 63):
        values = [(n, "raw", 0, b"") for n in range(count)]
        rows.insert(connection, "INSERT INTO body (id, encoding, size, data)", values)
        assert connection.execute("SELECT count(*) FROM body").fetchone() == (count,)
        connection.execute("DELETE FROM body")
    connection.close()

"""jq filters: each takes an array and gives one; a wrong one is named with jq's own words."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.errors import CommandError
from ccproxy.exchange.hooks import HookResult
from ccproxy.flows.filters import apply, check
from ccproxy.flows.model import RequestRecord, WebSocketMessage, WebSocketRecord
from ccproxy.flows.views import flow_json

from .support import START, make_flow

ITEMS: list[Any] = [{"a": 1}, {"a": 2}, {"a": 3}]


def test_no_filter_changes_nothing() -> None:
    assert apply([], ITEMS) is ITEMS


def test_filters_are_applied_in_order() -> None:
    assert apply(["map(select(.a > 1))", "map(.a)", "[.[] * 10]"], ITEMS) == [20, 30]


@pytest.mark.parametrize("text", ["def twice: . + .; twice", "map(.) # a comment", ". as $x | $x", "\n.\n"])
def test_filters_are_taken_as_they_stand(text: str) -> None:
    assert apply([text, "map(.a)", "unique"], ITEMS) == [1, 2, 3]


def test_the_filters_of_the_manual() -> None:
    items = [flow_json(make_flow(1)), flow_json(make_flow(2, forwarded=None, response=None))]
    chain = [
        'map(select(.request.pretty_host == "api.anthropic.com"))',
        'map(select(.request.path | startswith("/v1/messages")))',
        'map(select(.request.method == "POST"))',
        "map(select(.response.status_code == 200))",
    ]
    assert [item["id"] for item in apply(chain, items)] == [f"{1:012x}"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("map(", "is no valid jq: syntax error"),
        ("", "is no valid jq"),
        (". ] | [ .", "is no valid jq"),
        (".) | (.", "is no valid jq"),
        ("nonsense", "is no valid jq: nonsense/0 is not defined"),
        ("map(.a.b)", 'fails: Cannot index number with string ("b")'),
        ('error("told so")', "fails: told so"),
        (".[]", "gives several values instead of one array"),
        ("repeat(.)", "gives several values instead of one array"),
        ("empty", "gives nothing"),
        ("halt", "gives nothing"),
        ("null", "gives null instead of an array"),
        ("true", "gives a boolean instead of an array"),
        ("length", "gives a number instead of an array"),
        ("tojson", "gives a string instead of an array"),
        (".[0]", "gives an object instead of an array"),
    ],
)
@pytest.mark.parametrize("place", [0, 1])
def test_a_wrong_filter_is_named(text: str, words: str, place: int) -> None:
    filters = ["map(.)", "map(.)"]
    filters.insert(place, text)
    with pytest.raises(CommandError) as caught:
        apply(filters, ITEMS)
    assert repr(text) in caught.value.message
    assert words in caught.value.message
    assert "\n" not in caught.value.message


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.lists(json_values, max_size=4))
def test_values_come_through_unchanged(items: list[Any]) -> None:
    assert apply([".", "map(.)"], items) == items


def known() -> list[Any]:
    """The flows that the filters of mitmweb's users are tried on."""
    hooks = [HookResult("inject", "inbound", 1, changed=["body.system"])]
    message = WebSocketMessage(True, True, b"hi", 2, START)
    request = RequestRecord(headers=[], scheme="tcp", host="192.0.2.1", port=22)
    flows = [
        make_flow(1, hooks=hooks),
        make_flow(2, forwarded=None, response=None, error="no route", outcome="refused"),
        make_flow(3, websocket=WebSocketRecord([message], count=1, size=2, last=START)),
        make_flow(4, request=request, forwarded=request, response=None),
    ]
    return [flow_json(flow) for flow in flows]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ('map(select(.type == "http"))', [1, 2, 3]),
        ('map(select(.type == "tcp"))', [4]),
        ('map(select(.id | endswith("1")))', [1]),
        ("map(select(.modified))", [1]),
        ('map(select((.intercepted | not) and .marked == "" and .comment == ""))', [1, 2, 3, 4]),
        ("map(select(.is_replay == null))", [1, 2, 3, 4]),
        ("sort_by(.timestamp_created) | reverse | .[:1]", [4]),
        ("map(select(.timestamp_created > 1700000002))", [3, 4]),
        ('map(select(.client_conn.peername[0] == "127.0.0.1"))', [1, 2, 3, 4]),
        ("map(select(.client_conn.tls_established | not))", [1, 2, 3, 4]),
        ('map(select(.server_conn.address[0] == "api.anthropic.com"))', [1, 3]),
        ("map(select(.server_conn.address == null))", [2]),
        ('map(select(.server_conn.sni == "api.anthropic.com"))', [1, 3]),
        ("map(select(.server_conn.tls_established))", [1, 3]),
        ("map(select(.server_conn.cipher == null))", [1, 2, 3, 4]),
        ('map(select(.request.method == "POST" and .request.scheme == "https"))', [1, 3]),
        ('map(select(.request.host == "api.anthropic.com" and .request.port == 443))', [1, 3]),
        ('map(select(.request.path | test("^/v1/messages\\\\?beta")))', [1, 2, 3]),
        ('map(select(.request.http_version == "HTTP/1.1" and .request.contentLength > 0))', [1, 2, 3]),
        ('map(select(any(.request.headers[]; .[0] | ascii_downcase == "x-api-key")))', [1, 3]),
        ('map(select(.request.headers | map({(.[0]): .[1]}) | add // {} | has("Content-Type")))', [1, 2, 3]),
        ("map(select(.response) | select(.request.timestamp_end - .request.timestamp_start > 0.15))", [1, 3]),
        ("map(select(.response.status_code == 200))", [1, 3]),
        ("map(select(.response.status_code >= 400 or .response == null))", [2, 4]),
        ('map(select(.response.reason == "OK"))', [1, 3]),
        ('map(select(any(.response.headers[]?; . == ["content-type", "application/json"])))', [1, 3]),
        ("map(select((.response.timestamp_start // 0) - (.request.timestamp_start // 0) > 0.4))", [1, 3]),
        ("map(select(.error))", [2]),
        ('map(select(.error.msg // "" | contains("route")))', [2]),
        ("map(select(.websocket.messages_meta.count > 0))", [3]),
        ("map(select(.websocket and .websocket.close_code == null))", [3]),
    ],
)
def test_the_filters_of_those_who_know_mitmweb(text: str, numbers: list[int]) -> None:
    assert [int(item["id"], 16) for item in apply([text], known())] == numbers


#: What mitmweb's JSON has and ours has not, because it is not recorded. jq gives null for it.
NOT_RECORDED = {
    "client_conn": {"id", "sockname", "cert", "sni", "cipher", "alpn", "tls_version"},
    "server_conn": {"id", "sockname", "cert", "cipher", "alpn", "tls_version"},
    "request": {"contentHash"},
    "response": {"contentHash"},
    "websocket": set[str](),
}


def test_every_name_of_mitmwebs_json_is_there_or_known_not_to_be() -> None:
    spec = importlib.util.find_spec("mitmproxy")
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).parent / "tools" / "web" / "app.py"
    [function] = [
        node
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name == "flow_to_json"
    ]
    theirs: dict[str, set[str]] = {}
    for node in ast.walk(function):  # f = {...}, and f["request"] = {...}
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Dict):
            continue
        target = node.targets[0]
        name = ast.literal_eval(target.slice) if isinstance(target, ast.Subscript) else ""
        keys = {ast.literal_eval(key) for key in node.value.keys if key is not None}
        theirs.setdefault(name, set()).update(keys)
    assert {"", *NOT_RECORDED} <= theirs.keys()

    item = known()[2]
    assert theirs[""] <= item.keys()
    for part, names in NOT_RECORDED.items():
        missing = {name for name in theirs[part] - item[part].keys() if not name.startswith("timestamp_")}
        assert missing == names, part


def test_filters_are_checked_without_being_run() -> None:
    check([])
    check(["length", "map(.a.b)"])
    with pytest.raises(CommandError, match="line 1, column"):
        check([".", "map(.a"])

"""The table of flows, for terminals and for pipes."""

from __future__ import annotations

from typing import Any

import pytest

from ccproxy.errors import CommandError
from ccproxy.flows.model import Usage
from ccproxy.flows.table import Row, plain, rows, show
from ccproxy.flows.views import flow_json

from .support import START, make_flow


def line(**changes: Any) -> Row:
    return rows([flow_json(make_flow(1, **changes))])[0]


def test_a_row() -> None:
    row = line(usage=Usage(input=12_096, output=210), answer_model="claude-x-2")
    assert row == Row(
        id=f"{1:012x}",
        method="POST",
        code="200",
        host="api.anthropic.com",
        path="/v1/messages?beta=true",
        agent="test/1.0",
        model="claude-x-2",
        tokens="12.1k → 210",
        duration="1.50 s",
        started=START + 1,
        bad=False,
    )


def test_what_went_wrong_shows_in_the_code() -> None:
    assert (line(outcome="upstream_cut").code, line(outcome="upstream_cut").bad) == ("200 cut", True)
    assert line(outcome="client_gone").code == "200 gone"
    assert line(outcome="refused", response=None).code == "refused"
    assert line(response=None).code == "–"
    flow = make_flow()
    assert flow.response is not None
    flow.response.status = 429
    assert line(response=flow.response).bad


def test_tokens_that_were_not_reported() -> None:
    assert line(usage=None).tokens == ""
    assert line(usage=Usage(output=5)).tokens == "? → 5"


@pytest.mark.parametrize("item", [{}, {"id": 5, "request": "x", "response": [], "ccproxy": None}, {"request": None}])
def test_what_a_filter_dropped_or_bent_is_empty(item: Any) -> None:
    row = rows([item])[0]
    assert (row.id, row.host, row.code, row.started) == ("", "", "–", None)
    assert plain([row]).endswith("\n")


@pytest.mark.parametrize("item", [1, "x", None, []])
def test_what_is_no_object_is_no_flow(item: Any) -> None:
    with pytest.raises(CommandError, match="something else than flows"):
        rows([item])


def test_plain_lines_have_eleven_fields_whatever_is_in_them() -> None:
    text = plain([line(user_agent="evil\t\nagent\x1b[2J"), line()])
    assert [field_line.count("\t") for field_line in text.splitlines()] == [10, 10]
    assert "\x1b" not in text
    assert text.startswith(f"{1:012x}\tPOST\t200\tapi.anthropic.com\t/v1/messages?beta=true\tclaude-x\t")


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (80, ["ID", "Method", "Code", "Host", "Path", "UA", "Time"]),
        (110, ["ID", "Method", "Code", "Host", "Path", "Tokens", "Duration", "UA", "Time"]),
        (140, ["ID", "Method", "Code", "Host", "Path", "Model", "Tokens", "Duration", "UA", "Time"]),
    ],
)
def test_a_terminal_gets_the_columns_it_has_room_for(
    width: int, columns: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    show([line(usage=Usage(input=3, output=2))], now=START + 43, colour=False)
    top, header, _, body, _ = capsys.readouterr().out.splitlines()
    assert len(top) <= width
    assert [cell.strip() for cell in header.strip("┃").split("┃")] == columns
    assert "│ 00000000 │ POST   │  200 │" in body
    assert "42 seconds ago" in body

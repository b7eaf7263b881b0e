"""Golden cases: each file of `cases/` against the others of its folder."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy.lightllm.dialect import Target
from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.lightllm.ir.request import Request
from ccproxy.lightllm.ir.response import Response

from .kit import Case, cases, checked, collected, decode_document, decode_stream, same_answer


def ids(case: Case) -> str:
    return case.id


def request_of(case: Case) -> Request:
    path: dict[str, Any] = case.json("path.json") if case.has("path.json") else {}
    return case.dialect.decode_request(case.read("request.json"), **path)


@pytest.mark.parametrize("case", cases("request.json"), ids=ids)
def test_a_request_reads_as_its_value(case: Case) -> None:
    request = request_of(case)
    assert request == case.value("ir.json", Request, request)


@pytest.mark.parametrize("case", cases("request.json"), ids=ids)
def test_a_request_is_written_back_as_it_was(case: Case) -> None:
    written = case.dialect.encode_request(request_of(case), Target())
    expected = case.json("normal.json" if case.has("normal.json") else "request.json")
    assert json.loads(written.body) == expected
    assert list(written.losses) == []
    path: dict[str, Any] = case.json("path.json") if case.has("path.json") else {}
    again = case.dialect.decode_request(written.body, **path)
    assert case.dialect.encode_request(again, Target()).body == written.body


@pytest.mark.parametrize("case", cases("stream.txt"), ids=ids)
def test_a_stream_folds_to_its_answer(case: Case) -> None:
    response = checked(decode_stream(case.dialect, [case.read("stream.txt")]))
    assert response == case.value("answer.json", Response, response)


@pytest.mark.parametrize("case", cases("document.json"), ids=ids)
def test_a_document_is_its_answer(case: Case) -> None:
    response = checked(decode_document(case.dialect, case.read("document.json")))
    assert same_answer(response) == same_answer(case.value("answer.json", Response, response))


@pytest.mark.parametrize("case", cases("document.json"), ids=ids)
def test_a_document_is_written_back_as_it_was(case: Case) -> None:
    events = decode_document(case.dialect, case.read("document.json"))
    if checked(events).error is None:
        expected = case.json("again.json" if case.has("again.json") else "document.json")
        assert json.loads(collected(case.dialect, events)) == expected


@pytest.mark.parametrize("case", cases("error.json"), ids=ids)
def test_an_error_is_read_and_written_back(case: Case) -> None:
    golden = case.json("error.json")
    given = golden["body"]
    body = given.encode() if isinstance(given, str) else json.dumps(given).encode()
    info = case.dialect.decode_error(golden["status"], body)
    assert json.loads(json.dumps(_plain(info))) == golden["info"]
    status, again = case.dialect.encode_error(info)
    assert status == golden.get("again_status", golden["status"])
    assert json.loads(again) == golden.get("again", given)


def _plain(info: ErrorInfo) -> Any:
    import msgspec

    return msgspec.to_builtins(info)

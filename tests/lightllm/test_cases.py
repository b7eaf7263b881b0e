"""The golden cases are what `cases/README.md` says. (`test_laws.py` holds their files against each other.)"""

from __future__ import annotations

import pytest

from ccproxy.lightllm.ir.request import Request
from ccproxy.lightllm.ir.response import Response
from ccproxy.testing.conformance import cases as documented

from .kit import CASES, Case, cases, checked, decode_document, decode_stream

KNOWN = {"request", "path", "ir", "normal", "stream", "document", "answer", "again", "error"}


def ids(case: Case) -> str:
    return case.id


def request_of(case: Case) -> Request:
    return case.request()


@pytest.mark.parametrize("case", cases("request.json"), ids=ids)
def test_a_request_has_its_value(case: Case) -> None:
    request = case.request()
    assert request == case.value("ir.json", Request, request)


@pytest.mark.parametrize("case", [*cases("stream.txt"), *cases("document.json")], ids=ids)
def test_an_answer_has_its_value(case: Case) -> None:
    if case.has("stream.txt"):
        response = checked(decode_stream(case.dialect, [case.read("stream.txt")]))
    else:
        response = checked(decode_document(case.dialect, case.read("document.json")))
    value = case.value("answer.json", Response, response)
    assert (value.stop, value.error is None) == (response.stop, response.error is None)


def test_no_file_is_there_for_nothing() -> None:
    strays = [file for file in CASES.rglob("*/*/*") if file.is_file() and file.stem not in KNOWN]
    assert strays == []


def test_every_kind_of_file_is_described() -> None:
    page = (CASES / "README.md").read_text()
    for name in KNOWN:
        assert f"| `{name}." in page
        assert f"| `{name}." in (documented.__doc__ or "")

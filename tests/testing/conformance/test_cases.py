from __future__ import annotations

import json
from pathlib import Path

import pytest

from ccproxy.lightllm.ir.request import Request
from ccproxy.testing.conformance import Case, cases_of

from .toy import REQUEST, TOY


def test_a_folder_is_a_case(cases: Path) -> None:
    found = cases_of(TOY, cases)
    assert [case.id for case in found] == ["parley-errors", "parley-history", "parley-tools"]
    history = found[1]
    assert history.has("request.json")
    assert not history.has("stream.txt")
    assert history.json("request.json") == REQUEST
    assert history.request().model == "parley-1"


def test_what_the_path_says_goes_to_the_decoder(tmp_path: Path) -> None:
    (tmp_path / "request.json").write_text("{}")
    (tmp_path / "path.json").write_text('{"model": "from-the-path"}')
    assert Case(TOY, tmp_path).request().model == "from-the-path"


def test_a_missing_value_is_written_only_when_asked(tmp_path: Path) -> None:
    case, request = Case(TOY, tmp_path), Request("m", ())
    with pytest.raises(FileNotFoundError):
        case.value("ir.json", Request, request)
    assert case.value("ir.json", Request, request, write=True) == request
    assert json.loads((tmp_path / "ir.json").read_text()) == {"model": "m", "messages": []}
    assert case.value("ir.json", Request, Request("other", ()), write=True) == request

"""The stops of the tour: requests that can be repeated by hand, answers whose text is found."""

import json
import shlex

import pytest

from ccproxy.cli import tour
from ccproxy.cli.tour import STOPS
from ccproxy.errors import CommandError


@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: stop.title)
def test_the_command_line_for_curl_holds_the_request(stop: tour.Stop) -> None:
    words = shlex.split(stop.curl("http://127.0.0.1:4000"))
    assert words[0] == "curl"
    assert f"http://127.0.0.1:4000{stop.target}" in words
    assert json.loads(words[words.index("-d") + 1]) == stop.body
    assert ("-N" in words) == bool(stop.body.get("stream"))


def test_the_text_of_a_buffered_answer() -> None:
    assert tour.said(STOPS[0], b'{"content":[{"type":"text","text":"hi"}]}') == "hi"
    assert tour.said(STOPS[4], b'{"candidates":[{"content":{"parts":[{"text":"hi"}]}}]}') == "hi"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"content":[]}', b'{"content":[{"text":1}]}', b"3"])
def test_an_answer_without_text_where_it_should_be(body: bytes) -> None:
    assert tour.said(STOPS[0], body) == ""


def test_the_text_of_a_streamed_answer_is_its_deltas_joined() -> None:
    body = b'event: a\ndata: {"delta":{"text":"h"}}\n\nevent: a\ndata: {"delta":{"text":"i"}}\n\ndata: {"x":1}\n\n'
    assert tour.said(STOPS[1], body) == "hi"
    assert len(tour.events(body)) == 3


def test_visiting_a_proxy_that_is_not_there(free_port: int) -> None:
    with pytest.raises(CommandError, match="did not answer /v1/messages"):
        tour.visit(STOPS[0], f"http://127.0.0.1:{free_port}")

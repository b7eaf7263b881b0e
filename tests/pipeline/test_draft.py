"""The request under edit: untouched it is the very bytes that came, edited it differs in what was edited."""

from __future__ import annotations

import gzip
import json
from typing import Any

import msgspec
import pytest

from ccproxy.errors import BadRequest, HookError
from ccproxy.lightllm.ir.parts import Text
from ccproxy.lightllm.ir.request import Message

from .support import draft

ODD = (
    b'{ "model" : "claude-x",\n "max_tokens":1.0e1 , "system": "be\\u0020kind",'
    b'"messages":[ {"role":"user","content":"hi \\ud83d"} , {"role":"assistant","content":"yes"} ],'
    b' "x-new": {"deep":[1 ,2]} }'
)


def test_what_nobody_edits_is_the_very_object_that_came() -> None:
    made = draft(ODD, headers=[("a", "1")])
    headers = made.headers
    assert made.model == "claude-x"
    assert made.request.system == (Text("be kind"),)
    assert made.finish() == (headers, ODD)
    assert made.finish()[1] is ODD
    assert made.finish()[0] is headers


def test_an_edit_changes_its_own_bytes() -> None:
    made = draft(ODD)
    assert made.put(("x-new", "deep", "1"), 7)
    assert made.put(("model",), "other")
    headers, content = made.finish()
    assert content == ODD.replace(b"claude-x", b"other").replace(b",2]", b",7]")
    assert headers.text(b"content-length") == str(len(content or b""))


def test_setting_what_is_there_changes_nothing() -> None:
    made = draft(ODD)
    assert not made.put(("max_tokens",), 10.0)
    assert not made.put(("x-new",), {"deep": [1, 2]})
    assert not made.remove(("nothing", "here"))
    made.set_model("claude-x")
    made.set_request(made.request)
    assert made.finish()[1] is ODD


def test_a_compressed_body_stays_so_until_it_is_edited() -> None:
    packed = gzip.compress(ODD)
    made = draft(packed, headers=[("Content-Encoding", "gzip"), ("content-length", str(len(packed)))])
    assert made.model == "claude-x"
    assert made.finish()[1] is packed
    made.set_model("m")
    headers, content = made.finish()
    assert content == ODD.replace(b"claude-x", b"m")
    assert b"content-encoding" not in headers
    assert headers.text(b"content-length") == str(len(content or b""))


def test_the_client_s_own_header_fields_stay_as_they_came() -> None:
    made = draft(ODD, headers=[("A", "1")])
    before = made.headers
    made.edit_headers().set(b"a", b"2")
    assert before.pairs == [(b"A", b"1")]
    assert made.finish()[0].pairs == [(b"A", b"2")]


class TestRequest:
    def test_the_difference_goes_into_the_body(self) -> None:
        made = draft(ODD)
        request = made.request
        changed = msgspec.structs.replace(
            request, system=(Text("be quick"),), messages=(*request.messages, Message("user", (Text("go"),)))
        )
        made.set_request(changed)
        content = made.finish()[1]
        assert content is not None
        assert content.startswith(b'{ "model" : "claude-x",\n "max_tokens":1.0e1 , "system": ')
        assert (
            b'"messages":[ {"role":"user","content":"hi \\ud83d"} , {"role":"assistant","content":"yes"}, {"role":"user"'
            in content
        )
        assert content.endswith(b' "x-new": {"deep":[1 ,2]} }')
        assert made.request == changed
        told = json.loads(content)
        assert "be quick" in json.dumps(told["system"])
        assert told["messages"][2]["role"] == "user"

    @pytest.mark.parametrize("dialect", ["anthropic", "openai", "openai_responses", "gemini"])
    def test_every_dialect_takes_an_edit(self, dialect: str) -> None:
        bodies: dict[str, Any] = {
            "anthropic": {"model": "m", "max_tokens": 5, "system": "s", "messages": [{"role": "user", "content": "q"}]},
            "openai": {
                "model": "m",
                "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}],
            },
            "openai_responses": {"model": "m", "instructions": "s", "input": "q"},
            "gemini": {
                "contents": [{"role": "user", "parts": [{"text": "q"}]}],
                "systemInstruction": {"parts": [{"text": "s"}]},
            },
        }
        made = draft(
            {**bodies[dialect], "unknown": [1.50, None]}, dialect=dialect, path_model="m" if dialect == "gemini" else ""
        )
        before = made.request
        last = before.messages[-1]
        made.set_request(
            msgspec.structs.replace(
                before, messages=(*before.messages[:-1], msgspec.structs.replace(last, parts=(Text("other"),)))
            )
        )
        assert made.request.messages[-1].parts == (Text("other"),)
        content = made.finish()[1]
        assert content is not None
        again = draft(content, dialect=dialect, path_model="m" if dialect == "gemini" else "")
        assert again.request.messages[-1].parts == (Text("other"),)
        assert b'"unknown": [1.5, null]' in content

    def test_where_no_model_is_asked_there_is_none(self) -> None:
        with pytest.raises(HookError, match="asks no model"):
            _ = draft(b"{}", form="other").request

    def test_what_cannot_be_read_is_the_client_s_fault(self) -> None:
        with pytest.raises(BadRequest):
            _ = draft(b"[]").request


class TestModelInThePath:
    def test_it_is_replaced_there(self) -> None:
        made = draft(
            {"contents": []},
            dialect="gemini",
            target=b"/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
            segment="gemini-2.5-pro",
            path_model="gemini-2.5-pro",
            stream=True,
        )
        made.set_model("tuned models/a b")
        assert made.target == b"/v1beta/models/tuned%20models/a%20b:streamGenerateContent?alt=sse"
        assert made.model == "tuned models/a b"
        made.set_model("flash")
        assert made.target == b"/v1beta/models/flash:streamGenerateContent?alt=sse"
        assert not made.edited
        assert made.request.model == "flash"

    def test_one_that_cannot_be_found_is_left_alone(self) -> None:
        made = draft({"contents": []}, dialect="gemini", target=b"/v1/endpoints/9:generateContent", path_model="9")
        with pytest.raises(BadRequest, match="cannot be replaced"):
            made.set_model("m")


class TestLimits:
    def test_a_body_that_streams_through_cannot_be_edited(self) -> None:
        made = draft(b"")
        made = type(made)(method="POST", target=b"/", headers=made.headers, content=None)
        assert not made.visible
        assert made.model == ""
        with pytest.raises(HookError, match="streams through"):
            made.put(("model",), "m")

    def test_what_is_no_object_cannot_be_edited(self) -> None:
        with pytest.raises(BadRequest, match="an array"):
            draft(b"[1]").put(("model",), "m")
        with pytest.raises(BadRequest, match="'model' cannot be written as JSON"):
            draft(ODD).put(("model",), object())

    def test_it_can_be_replaced(self) -> None:
        made = draft(b"[1]")
        made.replace(b"{}")
        assert made.finish()[1] == b"{}"


def test_back_to_a_mark() -> None:
    made = draft(ODD, headers=[("a", "1")])
    made.put(("model",), "one")
    made.editors.append("x")
    mark = made.mark()
    made.put(("model",), "two")
    made.remove(("system",))
    made.edit_headers().add(b"b", b"2")
    made.editors += ["y", "y"]
    made.back_to(mark)
    headers, content = made.finish()
    assert content == ODD.replace(b"claude-x", b"one")
    assert b"b" not in headers
    assert made.editors == ["x"]
    fresh = draft(ODD)
    mark = fresh.mark()
    fresh.put(("model",), "two")
    fresh.back_to(mark)
    assert fresh.finish()[1] is ODD

"""`ctx.headers` and `ctx.body`: mappings whose every edit is noted."""

from __future__ import annotations

import pytest

from ccproxy.errors import BadRequest, HookError
from ccproxy.pipeline.draft import Draft
from ccproxy.pipeline.places import show
from ccproxy.pipeline.views import BodyView, HeaderView

from .support import draft


class Seen:
    """What was touched."""

    def __init__(self) -> None:
        self.reads: list[str] = []
        self.writes: list[str] = []

    def __call__(self, writes: bool, place: tuple[str, ...]) -> None:
        (self.writes if writes else self.reads).append(show(place))


def headers(*pairs: tuple[str, str]) -> tuple[HeaderView, Seen, Draft]:
    seen, made = Seen(), draft(headers=pairs)
    return HeaderView(made, seen), seen, made


def body(raw: object) -> tuple[BodyView, Seen, Draft]:
    seen, made = Seen(), draft(raw)
    return BodyView(made, seen), seen, made


class TestHeaders:
    def test_names_ignore_case(self) -> None:
        view, seen, _ = headers(("X-Team", "a"), ("x-team", "b"))
        assert view["x-TEAM"] == "a"
        assert view.all("X-team") == ["a", "b"]
        assert "X-Team" in view
        assert view.get("x-other", "none") == "none"
        assert list(view) == ["X-Team", "x-team"]
        assert view.items() == [("X-Team", "a"), ("x-team", "b")]
        assert set(seen.reads) == {"headers", "headers.x-team", "headers.x-other"}
        with pytest.raises(KeyError):
            view["x-other"]

    def test_setting_replaces_where_it_stands(self) -> None:
        view, seen, made = headers(("A", "1"), ("X-Team", "a"), ("x-team", "b"), ("Z", "1"))
        view["x-team"] = "c"
        view.add("z", "2")
        view["new"] = "3"
        del view["a"]
        del view["absent"]
        assert made.headers.pairs == [(b"X-Team", b"c"), (b"Z", b"1"), (b"z", b"2"), (b"new", b"3")]
        assert seen.writes == ["headers.x-team", "headers.z", "headers.new", "headers.a"]

    def test_setting_what_is_there_is_no_edit(self) -> None:
        view, seen, made = headers(("A", "1"))
        before = made.headers
        view["a"] = "1"
        assert seen.writes == []
        assert made.headers is before

    @pytest.mark.parametrize(
        ("name", "value", "says"),
        [
            ("a b", "x", "no name"),
            ("a\r\nb", "x", "no name"),
            ("a", "x\r\nb: c", "line breaks"),
            ("a", "€", "cannot carry"),
            ("Content-Length", "3", "follows from"),
            ("Transfer-Encoding", "chunked", "follows from"),
            ("host", "x", "follows from"),
            ("Content-Encoding", "gzip", "follows from"),
        ],
    )
    def test_what_no_field_may_hold(self, name: str, value: str, says: str) -> None:
        view, seen, _ = headers()
        with pytest.raises(HookError, match=says):
            view[name] = value
        with pytest.raises(HookError, match=says):
            view.add(name, value)
        assert seen.writes == []


class TestBody:
    def test_paths_lead_into_it(self) -> None:
        view, seen, _ = body({"a": {"b": [1, {"c.d": 2}]}})
        assert view["a.b.0"] == 1
        assert view[("a", "b", 1, "c.d")] == 2
        assert view.get("a.x", 5) == 5
        assert "a.b" in view
        assert "a.c" not in view
        assert view.tree() == {"a": {"b": [1, {"c.d": 2}]}}
        assert seen.reads == ["body.a.b.0", "body.a.b.1.c.d", "body.a.x", "body.a.b", "body.a.c", "body"]
        with pytest.raises(KeyError):
            view["x"]

    def test_what_is_read_is_the_reader_s_own(self) -> None:
        view, _, made = body({"a": {"b": 1}})
        view["a"]["b"] = 2
        view.tree()["a"] = 3
        assert view["a.b"] == 1
        assert not made.edited

    def test_edits_are_noted_where_something_changed(self) -> None:
        view, seen, made = body(b'{"a": {"b": [1 , 2]}, "m":"x"}')
        view["a.b.1"] = 3
        view["a.b.2"] = 4
        view["m"] = "x"
        view["n.o"] = True
        del view["m"]
        del view["absent.too"]
        assert made.finish()[1] == b'{"a": {"b": [1 , 3, 4]}, "n":{"o":true}}'
        assert seen.writes == ["body.a.b.1", "body.a.b.2", "body.n.o", "body.m"]

    def test_a_place_that_cannot_be(self) -> None:
        view, _, _ = body({"a": [1], "t": "x"})
        for path in ("a.7", "a.x", "t.u", "a.0.b"):
            with pytest.raises(HookError, match=f"body.{path} cannot be set"):
                view[path] = 1
        for path in ("", "a..b"):
            with pytest.raises(HookError, match="no path"):
                view[path]

    def test_a_body_that_is_none_of_ours(self) -> None:
        view, _, _ = body(b"plain text")
        assert not view.is_json
        assert view.get("a") is None
        assert view.raw == b"plain text"
        with pytest.raises(BadRequest):
            view["a"] = 1
        with pytest.raises(BadRequest):
            view.tree()

    def test_it_can_be_replaced_with_the_places_that_differ(self) -> None:
        view, seen, made = body({"a": "x"})
        view.replace(b'{"a":"y"}', changed=["a", "a"])
        view.replace(b"other")
        assert made.finish()[1] == b"other"
        assert seen.writes == ["body.a", "body"]

"""The server as a browser meets it: who is let in, what is answered, and what is refused."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest

from inspector.world import EVIL, PATIENCE, SESSION, Slow, World, png

Lived = tuple[World, dict[str, str]]

#: Everything that holds data.
GUARDED = [
    "/api/state",
    "/api/live",
    "/api/flows",
    "/api/facets",
    "/api/session?id=x",
    "/api/cache?id=x",
    "/api/series?since=1&until=2",
    "/api/flows/abc",
    "/api/flows/abc/conversation",
    "/api/flows/abc/answer",
    "/api/flows/abc/difference",
    "/api/flows/abc/events",
    "/api/flows/abc/messages",
    "/api/flows/abc/body/request",
    "/api/flows/abc/download/request",
    "/api/flows/abc/media/0",
]


class TestGettingIn:
    @pytest.mark.parametrize("path", GUARDED)
    def test_nothing_is_told_without_a_cookie(self, lived: Lived, path: str) -> None:
        world, _ = lived
        for headers in ({}, {"Cookie": "ccproxy-inspector-1=x"}, {"Cookie": f"ccproxy-inspector-{world.web}=1a.b.c"}):
            status, _, body = world.request("GET", path, **headers)
            assert status == 401
            assert json.loads(body)["hint"].startswith("`ccproxy inspector`")

    def test_a_ticket_becomes_a_cookie_once(self, lived: Lived) -> None:
        world, _ = lived
        ticket = json.dumps({"ticket": world.ticket()}).encode()
        status, headers, _ = world.request("POST", "/api/login", ticket)
        assert status == 200
        cookie = headers["set-cookie"]
        for attribute in ("HttpOnly", "SameSite=Strict", "Path=/"):
            assert attribute in cookie
        assert world.request("GET", "/api/state", Cookie=cookie.partition(";")[0])[0] == 200
        assert world.request("POST", "/api/login", ticket)[0] == 401

    @pytest.mark.parametrize(
        "body", [b"", b"{", b"[]", b'{"ticket":1}', b'{"ticket":"x"}', b"\xff", b'{"ticket":"' + b"x" * 9000 + b'"}']
    )
    def test_other_things_do_not(self, lived: Lived, body: bytes) -> None:
        status, headers, _ = lived[0].request("POST", "/api/login", body)
        assert status in {400, 401, 413}
        assert "set-cookie" not in headers

    def test_logging_out_takes_the_cookie_away(self, lived: Lived) -> None:
        status, headers, _ = lived[0].request("POST", "/api/logout", b"")
        assert status == 200
        assert "Max-Age=0" in headers["set-cookie"]


class TestGuard:
    @pytest.mark.parametrize("path", ["/", "/static/main.js", "/api/flows", "/api/login"])
    def test_a_foreign_name_is_not_served(self, lived: Lived, path: str) -> None:
        assert lived[0].request("GET", path, Host="evil.example", Cookie=lived[0].login())[0] == 403

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://127.0.0.1:1"},
            {"Sec_Fetch_Site": "cross-site"},
            {"Sec_Fetch_Site": "same-site"},
        ],
    )
    def test_pages_of_others_get_nothing(self, lived: Lived, headers: dict[str, str]) -> None:
        world, _ = lived
        assert world.request("GET", "/api/flows", Cookie=world.login(), **headers)[0] == 403
        ticket = json.dumps({"ticket": world.ticket()}).encode()
        assert world.request("POST", "/api/login", ticket, **headers)[0] == 403

    def test_its_own_page_is_served(self, lived: Lived) -> None:
        world, _ = lived
        assert (
            world.request("GET", "/api/flows", Cookie=world.login(), Origin=world.url, Sec_Fetch_Site="same-origin")[0]
            == 200
        )

    def test_a_link_from_elsewhere_opens_the_page_which_holds_no_data(self, lived: Lived) -> None:
        status, _, body = lived[0].request("GET", "/", Sec_Fetch_Site="cross-site")
        assert status == 200
        assert b"<script type=" in body
        assert SESSION.encode() not in body

    @pytest.mark.parametrize(
        "path",
        [
            "/static/../pages.py",
            "/static/..%2fpages.py",
            "/static/%2e%2e/pages.py",
            "/static/pages.py",
            "/static/",
            "/etc/passwd",
            "/api",
            "/api/flows/",
        ],
    )
    def test_nothing_but_its_own_files(self, lived: Lived, path: str) -> None:
        assert lived[0].request("GET", path, Cookie=lived[0].login())[0] == 404

    @pytest.mark.parametrize(
        ("method", "path"), [("POST", "/"), ("DELETE", "/api/flows"), ("GET", "/api/login"), ("PUT", "/api/state")]
    )
    def test_other_methods(self, lived: Lived, method: str, path: str) -> None:
        assert lived[0].request(method, path, Cookie=lived[0].login())[0] == 405

    @pytest.mark.parametrize(
        "path", ["/", "/static/style.css", "/static/icon.svg", "/api/flows", "/nothing", "/api/flows/abc"]
    )
    def test_every_answer_has_its_policy(self, lived: Lived, path: str) -> None:
        _, headers, _ = lived[0].request("GET", path)
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers

    def test_head(self, lived: Lived) -> None:
        status, headers, body = lived[0].request("HEAD", "/")
        assert (status, body) == (200, b"")
        assert int(headers["content-length"]) > 100


class TestList:
    def test_the_newest_first_in_pages(self, lived: Lived) -> None:
        world, flows = lived
        whole = world.api("flows?limit=100")
        assert whole["total"] == len(whole["rows"]) >= len(flows)  # other tests ask, too
        ids = [row["id"] for row in whole["rows"]]
        assert ids.index(flows["evil"]) < ids.index(flows["converted"]) < ids.index(flows["turn 0"])
        seen: list[str] = []
        before: Any = ""
        while True:
            page = world.api(f"flows?limit=3&before={before}")
            seen += [row["id"] for row in page["rows"]]
            if not page["more"]:
                break
            before = page["rows"][-1]["seq"]
        assert seen == [row["id"] for row in whole["rows"]]

    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ("model=claude-haiku-4-5", {"subagent"}),
            ("provider=google", {"converted"}),
            ("tool=Read", {"turn 1"}),
            ("status=4xx", {"error"}),
            ("status=error", {"error"}),
            ("kind=subagent", {"subagent"}),
            (f"session={SESSION}&status=200&tool=Edit", {"turn 2"}),
            ("text=Mondays", {"turn 0", "last"}),
            ("text=%22retry+test%22", {"turn 0"}),
            ("text=%22unbalanced+AND+(", set()),
            ("model=nothing", set()),
        ],
    )
    def test_filters(self, lived: Lived, query: str, names: set[str]) -> None:
        world, flows = lived
        found = world.api(f"flows?{query}")
        assert {row["id"] for row in found["rows"]} == {flows[name] for name in names}
        assert found["total"] == len(names)

    def test_a_search_shows_the_words_around(self, lived: Lived) -> None:
        world, flows = lived
        hits = {row["id"]: row["hit"] for row in world.api("flows?text=Mondays")["rows"]}
        hit = hits[flows["turn 0"]]
        ((begin, end),) = hit["marks"]
        assert hit["snippet"][begin:end] == "Mondays"
        assert hit["role"] == "prompt"

    @pytest.mark.parametrize("query", ["status=9x", "limit=-1", "before=x", "limit=1e3"])
    def test_what_makes_no_sense_is_said(self, lived: Lived, query: str) -> None:
        world, _ = lived
        status, _, body = world.request("GET", f"/api/flows?{query}", Cookie=world.login())
        assert status == 400
        assert json.loads(body)["error"]

    def test_facets(self, lived: Lived) -> None:
        facets = lived[0].api("facets")
        assert ["claude-sonnet-4-5", 5] in facets["model"]
        assert ["Bash", 1] in facets["tool"]
        assert [SESSION, 6] in facets["session"]


class TestOneFlow:
    def test_facts_of_a_conversion(self, lived: Lived) -> None:
        world, flows = lived
        facts = world.api(f"flows/{flows['converted']}")
        assert (facts["dialect"], facts["upstream_dialect"]) == ("openai", "gemini")
        difference = world.api(f"flows/{flows['converted']}/difference")
        assert "logit_bias" in {loss["path"] for loss in difference["losses"]}
        assert any("conversion" in cause for change in difference["changes"] for cause in change["causes"])

    def test_a_conversation_with_its_image(self, lived: Lived) -> None:
        world, flows = lived
        found = world.api(f"flows/{flows['last']}/conversation")
        calls = [
            part for message in found["request"]["messages"] for part in message["parts"] if part["part"] == "tool_call"
        ]
        assert [call["name"] for call in calls] == ["Bash", "Read", "Edit"]
        assert all(call["result"] for call in calls)
        status, headers, body = world.request("GET", f"/api/flows/{flows['last']}/media/0", Cookie=world.login())
        assert (status, headers["content-type"], body) == (200, "image/png", png())

    def test_events_with_their_times(self, lived: Lived) -> None:
        world, flows = lived
        found = world.api(f"flows/{flows['last']}/events")
        times = [event["at"] for event in found["events"]]
        assert found["events"][0]["name"] == "message_start"
        assert all(isinstance(at, float) for at in times)
        assert times == sorted(times)

    def test_bodies(self, lived: Lived) -> None:
        world, flows = lived
        body = world.api(f"flows/{flows['last']}/body/request")
        assert body["json"] is True
        assert "key-of-the-provider" not in json.dumps(world.api(f"flows/{flows['last']}"))
        status, headers, data = world.request(
            "GET", f"/api/flows/{flows['evil']}/download/request", Cookie=world.login()
        )
        assert status == 200
        assert headers["content-type"] == "application/octet-stream"
        assert headers["content-disposition"].startswith("attachment")
        assert EVIL.encode() in data

    @pytest.mark.parametrize(
        "path",
        [
            "ffffffffffff",
            "ffffffffffff/conversation",
            "x",
            "{id}/media/99",
            "{id}/media/x",
            "{id}/body/none",
            "{id}/download/answer",
        ],
    )
    def test_what_is_not_there(self, lived: Lived, path: str) -> None:
        world, flows = lived
        status, _, body = world.request(
            "GET", f"/api/flows/{path.replace('{id}', flows['last'])}", Cookie=world.login()
        )
        assert status == 404
        assert json.loads(body)["error"]

    def test_markup_is_json_like_any_other_text(self, lived: Lived) -> None:
        world, flows = lived
        status, headers, body = world.request("GET", f"/api/flows/{flows['evil']}/conversation", Cookie=world.login())
        assert (status, headers["content-type"]) == (200, "application/json")
        assert EVIL in json.loads(body)["request"]["system"][0]["text"]


class TestSums:
    def test_a_session_with_its_subagent(self, lived: Lived) -> None:
        world, flows = lived
        found = world.api(f"session?id={SESSION}")
        assert [row["id"] for row in found["rows"]][:3] == [flows["turn 0"], flows["turn 1"], flows["turn 2"]]
        kinds = {row["id"]: row["kind"] for row in found["rows"]}
        assert (kinds[flows["turn 0"]], kinds[flows["subagent"]]) == ("main", "subagent")

    def test_what_became_of_the_cache(self, lived: Lived) -> None:
        world, flows = lived
        verdicts = {turn["id"]: turn["verdict"] for turn in world.api(f"cache?id={SESSION}")["turns"]}
        assert (verdicts[flows["turn 0"]], verdicts[flows["turn 1"]]) == ("first", "hit")

    def test_charts(self, lived: Lived) -> None:
        world, flows = lived
        began = int(world.api(f"flows/{flows['turn 0']}")["started"])
        found = world.api(f"series?since={began - 60}&until={began + 600}&by=provider")
        assert {total["name"]: total["requests"] for total in found["totals"]}["google"] == 1
        assert lived[0].request("GET", "/api/series?since=2&until=1", Cookie=world.login())[0] == 400


class TestLive:
    def test_a_stream_is_seen_while_it_runs(self, lived: Lived) -> None:
        world, _ = lived
        connection = http.client.HTTPConnection("127.0.0.1", world.web, timeout=PATIENCE)
        connection.request("GET", "/api/live", headers={"Cookie": world.login()})
        feed = connection.getresponse()
        assert feed.headers["content-type"] == "text/event-stream"
        slow = Slow(world, "alpha beta gamma delta")
        try:
            flow = ""
            said = ""
            while "alpha" not in said:
                line = feed.readline()
                if line.startswith(b"data: ") and line != b"data: {}\n":
                    change = json.loads(line[6:])
                    for row in [*change["began"], *change["progress"]]:
                        assert row["model"] == "claude-slow-1"
                        flow = row["id"]
                if flow:
                    said = json.dumps(world.api(f"flows/{flow}/answer")["answer"])
            assert "delta" not in said
            assert flow in {row["id"] for row in world.api("flows?model=none")["running"]}
            assert world.api(f"flows/{flow}")["outcome"] == "pending"
        finally:
            slow.end()
        stored: list[str] = []
        while flow not in stored:
            line = feed.readline()
            if line.startswith(b"data: ") and line != b"data: {}\n":
                stored += [row["id"] for row in json.loads(line[6:])["stored"]]
        connection.close()
        assert "delta" in json.dumps(world.api(f"flows/{flow}/answer")["answer"])

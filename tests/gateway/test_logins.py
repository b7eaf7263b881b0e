"""What holds of a provider's login whatever is asked of the provider, and however many ask at once."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from logins import logged_in, login_file
from rig import Raw, Rig, read_answer, rig

from ccproxy.exchange.http import Headers
from ccproxy.providers.config import ProviderConfig
from ccproxy.testing import FakeProvider, Gate, Pause, Received, Reply, Send, TokenEndpoint, json_reply, native_error

BODY = b'{"model": "claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}'
BETA = "oauth-2025-04-20"


def one(fake: FakeProvider) -> dict[str, ProviderConfig]:
    return {"one": ProviderConfig(type="anthropic", base_url=fake.url)}


async def ask(
    r: Rig, method: str = "POST", target: str = "/v1/messages", body: bytes | None = BODY, **more: str
) -> Raw:
    fields = {"x-api-key": "sk-ant-oat-ccproxy-one", "anthropic-version": "2023-06-01", **more}
    if body is not None and "content-type" not in more:
        fields["content-type"] = "application/json"
    return await r.request(method, target, body, fields)


OPERATIONS: list[Any] = [
    ("POST", "/v1/messages?beta=true", BODY),
    ("POST", "/v1/messages/count_tokens", BODY),
    ("POST", "/v1/messages/batches", b'{"requests": []}'),
    ("GET", "/v1/messages/batches/b_1", None),
    ("GET", "/v1/messages/batches/b_1/results", None),
    ("POST", "/v1/messages/batches/b_1/cancel", b""),
    ("GET", "/v1/files", None),
    ("GET", "/v1/files/f_1/content", None),
    ("DELETE", "/v1/files/f_1", None),
]


@pytest.mark.parametrize(("method", "target", "body"), OPERATIONS)
async def test_everything_the_vendor_offers_is_relayed_with_what_a_login_needs(
    method: str, target: str, body: bytes | None, tmp_path: Path
) -> None:
    async with FakeProvider() as fake:
        logins = TokenEndpoint(fake)
        path = login_file(tmp_path, logins)
        fake.on("^/v1/", json_reply({"it": "came through"}))
        async with logged_in(path, logins) as pool, rig(types=one(fake), pools={"one": pool}) as r:
            answer = await ask(
                r, method, target, body, **{"anthropic-beta": "files-api-2025-04-14, not-yet-2031-01-01"}
            )
            assert (answer.status, json.loads(answer.body)) == (200, {"it": "came through"})
            [sent] = fake.requests
            assert (sent.method, sent.target.decode(), sent.body) == (method, target, body or b"")
            assert logins.accepts(sent)
            assert sent.header("x-api-key") == ""
            assert sent.header("anthropic-beta") == f"files-api-2025-04-14, not-yet-2031-01-01,{BETA}"
            [note] = (await r.flow()).losses
            assert (note.path, note.kind) == ("headers.anthropic-beta", "defaulted")


async def test_a_model_list_is_the_vendors_where_it_is_asked_for(tmp_path: Path) -> None:
    async with FakeProvider() as fake:
        logins = TokenEndpoint(fake)
        path = login_file(tmp_path, logins)
        async with logged_in(path, logins) as pool, rig(types=one(fake), pools={"one": pool}) as r:
            answer = await ask(r, "GET", "/v1/models/claude-x", None)
            assert answer.status in {200, 404}
            [sent] = fake.requests
            assert (sent.path, sent.header("anthropic-beta")) == ("/v1/models/claude-x", BETA)


async def test_a_file_that_streams_through_is_never_sent_twice(tmp_path: Path) -> None:
    """Its body is gone when the refusal comes; the login is renewed for the next one."""
    async with FakeProvider() as fake:
        logins = TokenEndpoint(fake)
        path = login_file(tmp_path, logins)
        logins.protect("^/v1/")
        logins.expire()
        async with logged_in(path, logins) as pool, rig(types=one(fake), pools={"one": pool}) as r:
            answer = await ask(
                r, target="/v1/files", body=b"--x--", **{"content-type": "multipart/form-data; boundary=x"}
            )
            assert answer.status == 401
            assert [request.path for request in fake.requests] == ["/v1/files", "/oauth/token"]
            again = await ask(
                r, target="/v1/files", body=b"--x--", **{"content-type": "multipart/form-data; boundary=x"}
            )
            assert again.status != 401
            assert len(logins.renewals) == 1


async def test_twenty_that_are_refused_together_cause_one_renewal(tmp_path: Path) -> None:
    async with FakeProvider() as fake:
        logins = TokenEndpoint(fake)
        path = login_file(tmp_path, logins)
        arrived, all_there = 0, asyncio.Event()

        async def refuse_together(request: Received) -> Reply:
            nonlocal arrived
            if logins.accepts(request):
                return fake.answer(request)
            arrived += 1
            if arrived == 20:
                all_there.set()
            await all_there.wait()
            return native_error("anthropic", 401, "OAuth token has expired.")

        fake.on("^/v1/", refuse_together)
        logins.expire()
        async with logged_in(path, logins) as pool, rig(types=one(fake), pools={"one": pool}) as r:
            answers = await asyncio.gather(*(ask(r) for _ in range(20)))
            assert {answer.status for answer in answers} == {200}
            assert (arrived, len(logins.renewals)) == (20, 1)


async def test_a_token_that_expires_during_a_stream_stops_nothing_and_the_next_request_has_another(
    tmp_path: Path,
) -> None:
    async with FakeProvider() as fake:
        logins = TokenEndpoint(fake)
        path = login_file(tmp_path, logins)
        logins.protect("^/v1/")
        gate = Gate()

        def slowly(request: Received) -> Reply:
            pieces = fake.answer(request).pieces
            headers = Headers([(b"content-type", b"text/event-stream")]).pairs
            return Reply(200, headers, [Send(pieces[0]), Pause(gate), *map(Send, pieces[1:])])

        fake.on("^/v1/", slowly, times=1)
        async with logged_in(path, logins) as pool, rig(types=one(fake), pools={"one": pool}) as r:
            body = BODY.replace(b"{", b'{"stream": true, ', 1)
            reader, writer = await r.open()
            writer.write(
                b"POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                b"x-api-key: sk-ant-oat-ccproxy-one\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
            )
            await fake.wait_for_request(0)
            logins.expire()
            content = json.loads(path.read_text())
            content["claudeAiOauth"]["expiresAt"] = 1000
            path.write_text(json.dumps(content))
            assert (await ask(r)).status == 200
            gate.open()
            stream = await read_answer(reader)
            assert (stream.status, stream.complete) == (200, True)
            assert b"message_stop" in stream.body
            assert len(logins.renewals) == 1

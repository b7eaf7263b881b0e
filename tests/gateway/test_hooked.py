"""Hooks in the way of a request, from the client's bytes to the provider's and back."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from rig import KEY, PATIENCE, Raw, Rig, rig

from ccproxy.gateway.config import GatewayConfig
from ccproxy.pipeline.config import HookEntry, HooksConfig
from ccproxy.testing import Gate, Received, Reply, Script, Send, Text, Usage

BODY = (
    b'{ "model":"claude-x" ,"max_tokens":1.0e1,\n "messages":[ {"role":"user","content":"hi \\u0041"} ], "x":[1 ,2] }'
)
SENTINEL = {"x-api-key": "sk-ant-oat-ccproxy-anthropic", "content-type": "application/json"}
OWN = {"x-api-key": "own-key-0123456789", "content-type": "application/json"}
HEAD = "from ccproxy.hooks import HookContext, hook\n"


def say(text: str) -> Script:
    return Script("a-model", [Text(text)], Usage(input=11, output=7))


def hooks(folder: Path, source: str, *, stage: str = "inbound", also: list[Any] | None = None) -> dict[str, Any]:
    """A rig's arguments for the hooks in `source`."""
    (folder / "mine.py").write_text(HEAD + source)
    names = [
        line.split()[1 if line.startswith("def") else 2].partition("(")[0]
        for line in source.splitlines()
        if line.startswith(("def ", "async def "))
    ]
    listed: list[Any] = [f"./mine.py:{name}" for name in names] + (also or [])
    config = HooksConfig(inbound=listed) if stage == "inbound" else HooksConfig(inbound=[], outbound=listed)
    return {"hooks": config, "hook_base": folder}


async def ask(r: Rig, body: bytes = BODY, headers: dict[str, str] | None = None, path: str = "/v1/messages") -> Raw:
    return await r.request("POST", path, body, headers or SENTINEL)


async def sent(r: Rig, index: int = -1) -> Received:
    return r.provider.requests[index]


class TestInbound:
    async def test_an_edit_of_one_field_changes_those_bytes_only(self, tmp_path: Path) -> None:
        source = "@hook(writes=['model', 'headers.x-team'])\ndef edit(ctx):\n    ctx.model = 'other'\n    ctx.headers['X-Team'] = 'red'\n"
        async with rig(**hooks(tmp_path, source)) as r:
            r.provider.reply(Reply(body=[Send(b"{}")]))
            assert (await ask(r)).status == 200
            got = await sent(r)
            assert got.body == BODY.replace(b"claude-x", b"other")
            assert (b"X-Team", b"red") in got.headers.pairs
            assert got.header("x-api-key") == KEY
            flow = await r.flow()
            assert flow.model == "claude-x"
            assert flow.request.body == BODY

    async def test_a_compressed_body_is_edited_plain(self, tmp_path: Path) -> None:
        source = "@hook(writes=['model'])\ndef edit(ctx):\n    ctx.model = 'other'\n"
        async with rig(**hooks(tmp_path, source)) as r:
            r.provider.reply(Reply(body=[Send(b"{}")]))
            await ask(r, gzip.compress(BODY), {**SENTINEL, "content-encoding": "gzip"})
            got = await sent(r)
            assert got.body == BODY.replace(b"claude-x", b"other")
            assert got.header("content-encoding") == ""

    async def test_the_route_can_be_chosen(self, tmp_path: Path) -> None:
        source = "@hook(writes=['route'])\ndef choose(ctx):\n    ctx.send_to('anthropic', model='big')\n"
        async with rig(**hooks(tmp_path, source)) as r:
            r.provider.reply(Reply(body=[Send(b"{}")]))
            await ask(r, headers=OWN)
            got = await sent(r)
            assert json.loads(got.body)["model"] == "big"
            assert got.header("x-api-key") == KEY
            flow = await r.flow()
            assert (flow.provider, flow.reason, flow.action) == ("anthropic", "hook choose", "redirect")

    async def test_a_provider_that_is_not_there(self, tmp_path: Path) -> None:
        source = "@hook(writes=['route'])\ndef choose(ctx):\n    ctx.send_to('nowhere')\n"
        async with rig(**hooks(tmp_path, source)) as r:
            answer = await ask(r)
            assert (answer.status, answer.headers["x-ccproxy-error"]) == (404, "no_route")
            assert b"hook choose: provider 'nowhere' is not configured" in answer.body

    async def test_a_model_in_the_path(self, tmp_path: Path) -> None:
        source = "@hook(writes=['model'])\ndef edit(ctx):\n    ctx.model = 'flash'\n"
        async with rig(**hooks(tmp_path, source)) as r:
            r.provider.reply(Reply(body=[Send(b"{}")]))
            body = b'{"contents":[{"parts":[{"text":"x"}]}]}'
            key = {"x-goog-api-key": "sk-ant-oat-ccproxy-gemini"}
            await ask(r, body, key, "/v1beta/models/gemini-pro:streamGenerateContent?alt=sse")
            got = await sent(r)
            assert got.target.startswith(b"/v1beta/models/flash:streamGenerateContent?alt=sse")
            assert got.body == body

    async def test_a_sentinel_that_a_hook_puts_in_counts(self, tmp_path: Path) -> None:
        source = "@hook(writes=['headers.x-api-key'])\ndef key(ctx):\n    ctx.headers['x-api-key'] = 'sk-ant-oat-ccproxy-anthropic'\n"
        async with rig(**hooks(tmp_path, source)) as r:
            r.provider.reply(Reply(body=[Send(b"{}")]))
            await ask(r, headers=OWN)
            assert (await sent(r)).header("x-api-key") == KEY

    async def test_the_session_and_what_hooks_did_are_on_the_exchange(self, tmp_path: Path) -> None:
        source = "@hook(reads=['session'])\ndef reads(ctx):\n    ctx.note(ctx.session)\n"
        async with rig(**hooks(tmp_path, source, also=["ccproxy.hooks.extract_session_id"])) as r:
            exchanges = watch_exchanges(r)
            r.provider.reply(Reply(body=[Send(b"{}")]))
            await ask(r, headers={**SENTINEL, "x-claude-code-session-id": "s-1"})
            await r.flow()
            assert exchanges[0].session == "s-1"
            assert [(one.name, one.changed, one.notes) for one in exchanges[0].hooks] == [
                ("extract_session_id", ["session"], []),
                ("reads", [], ["s-1"]),
            ]

    async def test_uploads_pass_by(self, tmp_path: Path) -> None:
        source = "@hook\ndef breaks(ctx):\n    raise ValueError\n@hook(every=True, writes=['headers.x-a'])\ndef stamps(ctx):\n    ctx.headers['x-a'] = str(ctx.body.is_json)\n"
        async with rig(**hooks(tmp_path, source)) as r:
            r.provider.reply(Reply(body=[Send(b"{}")]))
            await r.request(
                "POST",
                "/v1/files",
                b"--b--",
                {"content-type": "multipart/form-data; boundary=b", "authorization": "Bearer own-key-0123456789"},
            )
            got = await sent(r)
            assert (got.body, got.header("x-a")) == (b"--b--", "False")


class TestOutbound:
    async def test_it_sees_what_goes_out_and_no_credential(self, tmp_path: Path) -> None:
        source = (
            "@hook(reads=['headers', 'body', 'route'], writes=['headers.x-seen'])\ndef looks(ctx):\n"
            "    assert ctx.stage == 'outbound'\n"
            "    seen = f'{ctx.route.provider} {ctx.dialect} {ctx.path} {ctx.request.model}'\n"
            f"    assert {KEY!r} not in str(ctx.headers.items())\n"
            "    ctx.headers['x-seen'] = seen\n"
        )
        async with rig(**hooks(tmp_path, source, stage="outbound")) as r:
            r.provider.reply(Reply(body=[Send(b"{}")]))
            assert (await ask(r)).status == 200
            got = await sent(r)
            assert got.header("x-seen") == "anthropic anthropic /v1/messages claude-x"
            assert got.body == BODY
            assert got.header("x-api-key") == KEY

    async def test_after_conversion_it_sees_the_provider_s_dialect(self, tmp_path: Path) -> None:
        source = (
            "@hook(reads=['body'], writes=['body.temperature', 'model'])\ndef edit(ctx):\n"
            "    assert (ctx.dialect, ctx.path) == ('openai', '/v1/chat/completions')\n"
            "    assert ctx.request.messages[-1].parts[0].text == 'hi A'\n"
            "    ctx.body['temperature'] = 0.5\n"
            "    ctx.model = 'gpt-x'\n"
        )
        async with rig(**hooks(tmp_path, source, stage="outbound")) as r:
            r.provider.reply(say("hello"))
            answer = await ask(r, headers={**SENTINEL, "x-api-key": "sk-ant-oat-ccproxy-openai"})
            assert answer.status == 200, answer.body
            told = json.loads((await sent(r)).body)
            assert (told["temperature"], told["model"]) == (0.5, "gpt-x")
            assert json.loads(answer.body)["content"][0]["text"] == "hello"

    async def test_what_must_not_leave_is_taken_out_behind_it(self, tmp_path: Path) -> None:
        source = (
            "@hook(writes=['headers'])\ndef adds(ctx):\n"
            "    ctx.headers['cookie'] = 'a=b'\n    ctx.headers['authorization'] = 'Bearer mine'\n"
            "    ctx.headers['x-ccproxy-note'] = 'x'\n    ctx.headers['x-forwarded-for'] = '1.2.3.4'\n"
            "    ctx.headers['x-leak'] = 'sk-ant-oat-ccproxy-anthropic'\n"
        )
        async with rig(**hooks(tmp_path, source, stage="outbound")) as r:
            r.provider.reply(Reply(body=[Send(b"{}")]))
            await ask(r)
            got = await sent(r)
            for name in ("cookie", "authorization", "x-ccproxy-note", "x-forwarded-for", "x-leak"):
                assert got.header(name) == ""
            assert got.header("x-api-key") == KEY

    async def test_a_model_in_the_path(self, tmp_path: Path) -> None:
        source = "@hook(writes=['model'])\ndef edit(ctx):\n    ctx.model = 'flash'\n"
        async with rig(**hooks(tmp_path, source, stage="outbound")) as r:
            r.provider.reply(Reply(body=[Send(b"{}")]))
            key = {"x-goog-api-key": "sk-ant-oat-ccproxy-gemini"}
            await ask(r, b'{"contents":[]}', key, "/v1beta/models/gemini-pro:generateContent?x=1")
            assert (await sent(r)).target.startswith(b"/v1beta/models/flash:generateContent?x=1")

    async def test_a_rule_s_model_is_set_before_it(self, tmp_path: Path) -> None:
        source = "@hook(reads=['model'], writes=['headers.x-model'])\ndef tells(ctx):\n    ctx.headers['x-model'] = ctx.model\n"
        both = hooks(tmp_path, source, stage="outbound")
        (tmp_path / "choose.py").write_text(
            HEAD + "@hook(writes=['route'])\ndef choose(ctx):\n    ctx.send_to('anthropic', model='ruled')\n"
        )
        config = HooksConfig(inbound=["./choose.py"], outbound=both["hooks"].outbound)
        async with rig(hooks=config, hook_base=tmp_path) as r:
            r.provider.reply(Reply(body=[Send(b"{}")]))
            await ask(r)
            got = await sent(r)
            assert got.header("x-model") == "ruled"
            assert got.body == BODY.replace(b"claude-x", b"ruled")


class TestOwnAnswers:
    @pytest.mark.parametrize("stage", ["inbound", "outbound"])
    @pytest.mark.parametrize("stream", [False, True])
    async def test_a_text_is_an_answer_in_the_client_s_dialect(self, tmp_path: Path, stage: str, stream: bool) -> None:
        source = "@hook(writes=['answer'])\ndef answers(ctx):\n    ctx.respond('not today')\n"
        async with rig(**hooks(tmp_path, source, stage=stage)) as r:
            body = json.dumps(
                {"model": "m", "max_tokens": 5, "stream": stream, "messages": [{"role": "user", "content": "q"}]}
            )
            answer = await ask(r, body.encode(), {**SENTINEL, "x-api-key": "sk-ant-oat-ccproxy-openai"})
            assert answer.status == 200
            assert answer.headers["content-type"] == ("text/event-stream" if stream else "application/json")
            if stream:
                assert b"event: message_stop" in answer.body
                assert b"not today" in answer.body
            else:
                assert json.loads(answer.body)["content"] == [{"type": "text", "text": "not today"}]
            assert r.provider.requests == []
            flow = await r.flow()
            assert (flow.action, flow.reason, flow.outcome) == ("local", "hook answers", "complete")

    async def test_json_as_it_is(self, tmp_path: Path) -> None:
        source = "@hook(every=True, writes=['answer'])\ndef answers(ctx):\n    ctx.respond({'ok': True}, status=202, headers={'x-why': 'test'})\n"
        async with rig(**hooks(tmp_path, source)) as r:
            answer = await r.request("POST", "/v1/files", b"{}", OWN)
            assert (answer.status, answer.body, answer.headers["x-why"]) == (202, b'{"ok":true}', "test")

    @pytest.mark.parametrize(
        ("path", "place"),
        [
            ("/v1/messages", ("error", "message")),
            ("/v1/chat/completions", ("error", "message")),
            ("/v1beta/models/m:generateContent", ("error", "message")),
        ],
    )
    async def test_a_failure_names_the_hook_in_the_client_s_dialect(
        self, tmp_path: Path, path: str, place: Any
    ) -> None:
        source = "@hook\ndef breaks(ctx):\n    raise ValueError('no team')\n"
        async with rig(**hooks(tmp_path, source)) as r:
            answer = await ask(r, b'{"model":"m"}', path=path)
            assert (answer.status, answer.headers["x-ccproxy-error"]) == (500, "hook_error")
            assert "hook breaks failed: ValueError: no team (mine.py:4)" in json.loads(answer.body)["error"]["message"]
            flow = await r.flow()
            assert (flow.outcome, flow.error_kind) == ("failed", "hook_error")
            assert r.provider.requests == []

    async def test_a_refusal_has_its_status(self, tmp_path: Path) -> None:
        source = "@hook(on_error='skip')\ndef refuses(ctx):\n    ctx.refuse('no secrets, please', status=400)\n"
        async with rig(**hooks(tmp_path, source)) as r:
            answer = await ask(r)
            assert (answer.status, answer.headers["x-ccproxy-error"]) == (400, "refused")
            assert b"hook refuses: no secrets, please" in answer.body
            assert (await r.flow()).outcome == "refused"

    async def test_a_client_that_leaves_ends_a_waiting_hook(self, tmp_path: Path) -> None:
        source = (
            "import asyncio, pathlib\n@hook\nasync def waits(ctx):\n    here = pathlib.Path(__file__).parent\n"
            "    (here / 'begun').touch()\n    try:\n        await asyncio.Event().wait()\n"
            "    finally:\n        (here / 'ended').touch()\n"
        )
        async with rig(**hooks(tmp_path, source)) as r:
            _, writer = await r.open()
            writer.write(b"POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\n{}")
            async with asyncio.timeout(10):
                while not (tmp_path / "begun").exists():
                    await asyncio.sleep(0.01)
                writer.close()
                while not (tmp_path / "ended").exists():
                    await asyncio.sleep(0.01)
            assert (await r.flow()).outcome == "client_gone"


WATCH = """
import json, pathlib
@hook(reads=['answer'])
def watches(ctx):
    log = (pathlib.Path(__file__).parent / 'log').open('a', buffering=1)
    ctx.on_event(lambda event: log.write(type(event).__name__ + '\\n'))
    ctx.on_part(lambda part: log.write(f'{type(part).__name__}: {getattr(part, "text", "")}\\n'))
    ctx.on_response(lambda answer: (log.write(f'stop: {answer.stop and answer.stop.reason} {answer.error and answer.error.kind}\\n'), log.close()))
"""


class TestWatching:
    @pytest.mark.parametrize("stream", [False, True])
    async def test_watching_changes_no_byte(self, tmp_path: Path, stream: bool) -> None:
        body = json.dumps(
            {"model": "m", "max_tokens": 5, "stream": stream, "messages": [{"role": "user", "content": "q"}]}
        ).encode()
        async with rig(**hooks(tmp_path, WATCH)) as r:
            r.provider.reply(say("hello there"))
            answer = await ask(r, body)
            upstream = (await r.flow()).response
            assert upstream is not None
            assert answer.body == upstream.body
            assert answer.headers["content-type"] == dict(upstream.headers)["content-type"]
            log = (tmp_path / "log").read_text().splitlines()
            assert log[0] == "Start"
            assert "Text: hello there" in log
            assert log[-1] == "stop: end None"

    async def test_events_come_while_the_answer_passes(self, tmp_path: Path) -> None:
        gate = Gate()
        first = b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","model":"m","usage":{}}}\n\n'
        async with rig(**hooks(tmp_path, WATCH)) as r:
            r.provider.reply(
                Reply(headers=[("content-type", "text/event-stream")], body=[Send(first), gate, Send(b": done\n\n")])
            )
            reader, writer = await r.open()
            body = BODY.replace(b'"x"', b'"stream":true, "x"')
            head = "POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\nx-api-key: sk-ant-oat-ccproxy-anthropic\r\n\r\n"
            writer.write((head % len(body)).encode() + body)
            await reader.readuntil(first)
            async with asyncio.timeout(10):
                while not (tmp_path / "log").exists() or "Start" not in (tmp_path / "log").read_text():
                    await asyncio.sleep(0.01)
            gate.open()

    async def test_a_provider_s_error_is_told(self, tmp_path: Path) -> None:
        async with rig(**hooks(tmp_path, WATCH)) as r:
            error = b'{"type":"error","error":{"type":"overloaded_error","message":"busy"}}'
            r.provider.reply(Reply(status=529, headers=[("content-type", "application/json")], body=[Send(error)]))
            answer = await ask(r)
            assert (answer.status, answer.body) == (529, error)
            assert (tmp_path / "log").read_text().splitlines()[-1] == "stop: None overloaded"

    @pytest.mark.parametrize("status", [200, 529])
    async def test_a_converted_answer_is_seen_too(self, tmp_path: Path, status: int) -> None:
        async with rig(**hooks(tmp_path, WATCH)) as r:
            if status == 200:
                r.provider.reply(say("hello"))
            else:
                r.provider.reply(Reply(status=status, body=[Send(b'{"error":{"message":"busy"}}')]))
            await ask(r, headers={**SENTINEL, "x-api-key": "sk-ant-oat-ccproxy-openai"})
            log = (tmp_path / "log").read_text().splitlines()
            assert log[-1] == ("stop: end None" if status == 200 else "stop: None overloaded")

    @pytest.mark.parametrize("provider", ["anthropic", "openai"])
    @pytest.mark.parametrize("stream", [False, True])
    async def test_a_watcher_that_breaks_breaks_the_answer(self, tmp_path: Path, provider: str, stream: bool) -> None:
        source = (
            "@hook(reads=['answer'])\ndef breaks(ctx):\n"
            "    def look(event):\n        if type(event).__name__ == 'TextDelta':\n            raise ValueError('no')\n"
            "    ctx.on_event(look)\n"
        )
        async with rig(**hooks(tmp_path, source)) as r:
            exchanges = watch_exchanges(r)
            r.provider.reply(say("hello"))
            body = json.dumps(
                {"model": "m", "max_tokens": 5, "stream": stream, "messages": [{"role": "user", "content": "q"}]}
            ).encode()
            answer = await ask(r, body, {**SENTINEL, "x-api-key": f"sk-ant-oat-ccproxy-{provider}"})
            flow = await r.flow()
            assert (flow.outcome, flow.error_kind) == ("failed", "hook_error")
            assert not answer.complete or answer.status == 500 or b"event: error" in answer.body
            assert "message_stop" not in answer.body.decode().partition("event: error")[2]
            assert exchanges[0].hooks[0].error.startswith("ValueError: no")

    async def test_a_watcher_that_may_be_skipped_does_not(self, tmp_path: Path) -> None:
        source = "@hook(reads=['answer'], on_error='skip')\ndef breaks(ctx):\n    ctx.on_event(lambda event: 1 / 0)\n"
        async with rig(**hooks(tmp_path, source)) as r:
            exchanges = watch_exchanges(r)
            r.provider.reply(say("hello"))
            answer = await ask(r)
            assert (answer.status, answer.complete) == (200, True)
            assert (await r.flow()).outcome == "complete"
            assert exchanges[0].hooks[0].error.startswith("ZeroDivisionError")


LOUD = """
from ccproxy.lightllm.ir.events import TextDelta
@hook(writes=['answer'])
def loud(ctx):
    ctx.on_event(lambda event: TextDelta(event.text.upper()) if isinstance(event, TextDelta) else None, edit=True)
"""


class TestEditing:
    @pytest.mark.parametrize("provider", ["anthropic", "openai"])
    @pytest.mark.parametrize("stream", [False, True])
    async def test_the_answer_is_written_anew(self, tmp_path: Path, provider: str, stream: bool) -> None:
        async with rig(**hooks(tmp_path, LOUD)) as r:
            r.provider.reply(say("hello there"))
            body = json.dumps(
                {"model": "m", "max_tokens": 5, "stream": stream, "messages": [{"role": "user", "content": "q"}]}
            ).encode()
            answer = await ask(r, body, {**SENTINEL, "x-api-key": f"sk-ant-oat-ccproxy-{provider}"})
            assert (answer.status, answer.complete) == (200, True)
            if stream:
                deltas = [
                    json.loads(line[6:]) for line in answer.body.decode().splitlines() if line.startswith("data: ")
                ]
                texts = [
                    delta["delta"]["text"] for delta in deltas if delta.get("delta", {}).get("type") == "text_delta"
                ]
                assert "".join(texts) == "HELLO THERE"
            else:
                assert json.loads(answer.body)["content"][0]["text"] == "HELLO THERE"
            flow = await r.flow()
            assert flow.answer is not None
            assert flow.response is not None
            assert b"hello" in flow.response.body

    async def test_an_error_of_the_provider_stays_as_it_is(self, tmp_path: Path) -> None:
        async with rig(**hooks(tmp_path, LOUD)) as r:
            error = b'{"type":"error" , "error":{"type":"invalid_request_error","message":"hm"}}'
            r.provider.reply(Reply(status=400, headers=[("content-type", "application/json")], body=[Send(error)]))
            answer = await ask(r)
            assert (answer.status, answer.body) == (400, error)


class TestOverrides:
    SOURCE = "@hook(writes=['headers.x-a'])\ndef stamps(ctx):\n    ctx.headers['x-a'] = '1'\n"

    async def test_a_hook_can_be_switched_off_and_on(self, tmp_path: Path) -> None:
        async with rig(**hooks(tmp_path, self.SOURCE)) as r:
            r.provider.on(".*", Reply(body=[Send(b"{}")]))
            beta = {"anthropic-beta": "redact-thinking-2026-02-12,other"}
            await ask(r, headers={**SENTINEL, **beta})
            assert ((await sent(r)).header("x-a"), (await sent(r)).header("anthropic-beta")) == (
                "1",
                beta["anthropic-beta"],
            )
            await ask(r, headers={**SENTINEL, **beta, "x-ccproxy-hooks": "-stamps,+verbose_mode"})
            assert ((await sent(r)).header("x-a"), (await sent(r)).header("anthropic-beta")) == ("", "other")
            assert (await sent(r)).header("x-ccproxy-hooks") == ""

    async def test_auth_cannot_be(self, tmp_path: Path) -> None:
        async with rig() as r:
            answer = await ask(r, headers={**SENTINEL, "x-ccproxy-hooks": "-inject_auth"})
            assert (answer.status, answer.headers["x-ccproxy-error"]) == (403, "forbidden")
            assert r.provider.requests == []

    async def test_a_name_nobody_knows(self, tmp_path: Path) -> None:
        async with rig() as r:
            answer = await ask(r, headers={**SENTINEL, "x-ccproxy-hooks": "+nothing"})
            assert answer.status == 400
            assert b"there is no hook" in answer.body


class TestWebSockets:
    HANDSHAKE = (
        b"GET /v1/responses HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
        b"Authorization: Bearer sk-ant-oat-ccproxy-responses\r\n\r\n"
    )

    @pytest.mark.parametrize(
        "listed",
        [
            HooksConfig(inbound=[], outbound=[HookEntry(hook="redact_secrets", params={"mode": "audit"})]),
            HooksConfig(inbound=[HookEntry(hook="set_model", params={"model": "m"})]),
        ],
    )
    async def test_one_that_would_go_past_a_hook_is_answered_by_http(self, listed: HooksConfig) -> None:
        async with rig(hooks=listed) as r:
            reader, writer = await r.open()
            writer.write(self.HANDSHAKE)
            async with asyncio.timeout(PATIENCE):
                assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 101 ")
            assert r.provider.requests == []

    async def test_the_default_hooks_let_it_pass(self) -> None:
        async with rig() as r:
            _, writer = await r.open()
            writer.write(self.HANDSHAKE)
            assert (await r.provider.wait_for_request(0)).upgrade


async def test_a_client_without_a_right_cannot_choose_hooks() -> None:
    config = GatewayConfig(client_keys={"team": "k3Y-0f-Team-4242-zzqw"})
    async with rig(config=config) as r:
        r.provider.on(".*", Reply(body=[Send(b"{}")]))
        answer = await ask(r, headers={**SENTINEL, "x-ccproxy-hooks": "+verbose_mode"})
        assert answer.status == 401
        answer = await ask(
            r, headers={**SENTINEL, "x-ccproxy-hooks": "+verbose_mode", "x-ccproxy-key": "k3Y-0f-Team-4242-zzqw"}
        )
        assert answer.status == 200


async def test_ten_hooks_that_do_nothing_leave_every_byte(tmp_path: Path) -> None:
    source = "".join(f"@hook\ndef h{number}(ctx): ...\n" for number in range(10))
    async with rig(**hooks(tmp_path, source)) as r:
        r.provider.reply(Reply(body=[Send(b"{}")]))
        await ask(r)
        assert (await sent(r)).body == BODY


def watch_exchanges(r: Rig) -> list[Any]:
    """The exchanges of the requests to come."""
    seen: list[Any] = []
    recorder = r.gateway._recorder
    opened = recorder.open

    def open_and_keep(exchange: Any) -> Any:
        seen.append(exchange)
        return opened(exchange)

    recorder.open = open_and_keep  # type: ignore[method-assign]
    return seen

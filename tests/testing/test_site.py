"""Which answer a request gets."""

import json

import pytest

from ccproxy.testing import FakeProvider, Received, Reply, Script, Text

from .raw import ask, get, post

BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Hi"}]}).encode()


async def test_queued_replies_come_first_and_once() -> None:
    async with FakeProvider() as provider:
        provider.on("/", Reply(body=b"rule"))
        provider.reply(Reply(body=b"one"), Reply(body=b"two"))

        assert [(await ask(provider, get())).body for _ in range(3)] == [b"one", b"two", b"rule"]


async def test_the_latest_rule_that_matches_decides() -> None:
    async with FakeProvider() as provider:
        provider.on("/", Reply(body=b"any"))
        provider.on("^/a", Reply(body=b"a"), method="post")
        provider.on("^/a/once$", Reply(body=b"once"), times=1)

        assert (await ask(provider, get("/a"))).body == b"any"
        assert (await ask(provider, post("/a?query=/b", b""))).body == b"a"
        assert (await ask(provider, post("/a/once", b""))).body == b"once"
        assert (await ask(provider, post("/a/once", b""))).body == b"a"


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/v1/messages", "content.0.text"),
        ("/v1/chat/completions", "choices.0.message.content"),
        ("/v1/responses", "output.0.content.0.text"),
        ("/v1beta/models/m:generateContent", "candidates.0.content.parts.0.text"),
        ("/v1internal:generateContent", "response.candidates.0.content.parts.0.text"),
    ],
)
async def test_a_script_is_written_in_the_dialect_of_the_request(path: str, where: str) -> None:
    async with FakeProvider() as provider:
        provider.reply(Script("m", [Text("As scripted.")]))

        value = json.loads((await ask(provider, post(path, BODY))).body)

        for step in where.split("."):
            value = value[int(step) if step.isdigit() else step]
        assert value == "As scripted."


async def test_functions_may_be_async_and_see_the_request() -> None:
    def plain(request: Received) -> Reply:
        return Reply(body=f"{request.method} {request.path}")

    async def later(request: Received) -> Script:
        return Script(request.json()["model"], [Text("ok")])

    async with FakeProvider() as provider:
        provider.reply(plain, later)

        assert (await ask(provider, get("/x"))).body == b"GET /x"
        assert json.loads((await ask(provider, post("/v1/messages", BODY))).body)["model"] == "m"


async def test_a_handler_may_change_the_default_answer() -> None:
    async with FakeProvider() as provider:
        provider.on("/messages", lambda request: Reply(202, body=provider.answer(request).body))

        answer = await ask(provider, post("/v1/messages", BODY))

        assert answer.status == 202
        assert json.loads(answer.body)["type"] == "message"


async def test_a_script_for_something_else_fails_the_test() -> None:
    async def run() -> None:
        async with FakeProvider() as provider:
            provider.reply(Script("m"))
            assert (await ask(provider, get("/v1/models"))).status == 500

    with pytest.raises(ValueError, match="GET /v1/models"):
        await run()


async def test_encoded_bodies_are_understood_and_broken_ones_refused() -> None:
    async with FakeProvider() as provider:
        from ccproxy.testing.encoding import encode

        good = post("/v1/messages", encode("zstd", BODY), "Content-Encoding: zstd")
        bad = post("/v1/messages", b"not zstd", "Content-Encoding: zstd")

        assert json.loads((await ask(provider, good)).body)["model"] == "m"
        answer = await ask(provider, bad)
        assert answer.status == 400
        assert json.loads(answer.body)["error"]["type"] == "invalid_request_error"


async def test_unknown_paths_are_a_native_404() -> None:
    async with FakeProvider() as provider:
        answer = await ask(provider, post("/v1/messages/batches", b"{}"))

        assert answer.status == 404
        assert json.loads(answer.body)["error"]["type"] == "not_found_error"


async def test_answers_are_numbered_so_that_runs_are_alike() -> None:
    async with FakeProvider() as provider:
        ids = [json.loads((await ask(provider, post("/v1/messages", BODY))).body)["id"] for _ in range(2)]

        assert ids == [f"msg_{0:024x}", f"msg_{1:024x}"]

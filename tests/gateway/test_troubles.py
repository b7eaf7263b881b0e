"""The stories of failing providers, told by clients of every dialect, streaming and not.

What must hold: the client gets either a good answer or the provider's own error, in its dialect; the same body is sent
again to the byte; and after content nothing is sent again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from logins import logged_in, login_file
from rig import Raw, Rig, rig

from ccproxy.auth.base import Credential, StaticSource
from ccproxy.auth.pool import CredentialPool
from ccproxy.lightllm.dialect import Context
from ccproxy.lightllm.ir.events import Failed
from ccproxy.lightllm.ir.parts import Text as TextPart
from ccproxy.lightllm.ir.response import fold
from ccproxy.lightllm.registry import Registry
from ccproxy.lightllm.sse import SSEFramer
from ccproxy.providers.answers.respond import WRITERS
from ccproxy.providers.config import ProviderConfig, Retry
from ccproxy.testing import (
    Cut,
    FakeProvider,
    Received,
    Reply,
    Script,
    Send,
    Text,
    TokenEndpoint,
    error_in_stream,
    native_error,
    sse,
)
from ccproxy.util.clock import SystemClock

DIALECTS = Registry()
WELL = "Quite well, thank you"
TALE = Script("some-model", [Text(WELL)])


@dataclass(frozen=True)
class Teller:
    """A client of a dialect. `provider` is the one that speaks it natively, of the type `kind`."""

    dialect: str
    stream: bool
    provider: str
    kind: str

    @property
    def target(self) -> str:
        match self.dialect:
            case "anthropic":
                return "/v1/messages"
            case "openai":
                return "/v1/chat/completions"
            case "openai_responses":
                return "/v1/responses"
        return f"/v1beta/models/m:{'streamGenerateContent?alt=sse' if self.stream else 'generateContent'}"

    @property
    def body(self) -> bytes:
        said = [{"role": "user", "content": "hi"}]
        asked: dict[str, Any]
        match self.dialect:
            case "anthropic":
                asked = {"model": "m", "max_tokens": 99, "messages": said, "stream": self.stream}
            case "openai":
                asked = {"model": "m", "messages": said, "stream": self.stream}
            case "openai_responses":
                asked = {"model": "m", "input": said, "stream": self.stream}
            case _:
                asked = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
        return json.dumps(asked, indent=1).encode()  # not as we would write it

    async def tell(self, r: Rig) -> Raw:
        """One request of the client."""
        field = "x-goog-api-key" if self.dialect == "gemini" else "authorization"
        key = f"sk-ant-oat-ccproxy-{self.provider}"
        value = key if self.dialect == "gemini" else f"Bearer {key}"
        return await r.request("POST", self.target, self.body, [("Content-Type", "application/json"), (field, value)])

    def config(self, url: str, **more: Any) -> dict[str, ProviderConfig]:
        return {self.provider: ProviderConfig(type=self.kind, base_url=url, **more)}

    def hears(self, answer: Raw) -> str:
        """The text of a good answer, read as its dialect has it. A failed one fails the test."""
        assert (answer.status, answer.complete) == (200, True)
        decoder = DIALECTS.get(self.dialect).decoder(Context())
        if self.stream:
            framer = SSEFramer()
            frames = [frame for frame in [*framer.feed(answer.body), *framer.eof()] if not frame.comment]
            events = [event for frame in frames for event in decoder.frame(frame.name, frame.data)] + decoder.eof()
        else:
            events = decoder.document(answer.body)
        assert not [event for event in events if isinstance(event, Failed)]
        return "".join(part.text for part in fold(events).parts if isinstance(part, TextPart))

    def is_told(self, answer: Raw, status: int, message: str) -> None:
        """The answer is an error of its dialect."""
        assert (answer.status, answer.complete) == (status, True)
        error = DIALECTS.get(self.dialect).decode_error(answer.status, answer.body)
        assert message in error.message
        assert error.dialect == self.dialect

    def hidden(self, status: int = 529) -> Reply:
        """An error inside of a 200."""
        if self.stream:
            return sse([Send(error_in_stream(self.dialect, status, "it is full"))])
        return Reply(200, {"content-type": "application/json"}, WRITERS[self.dialect].error(status, "", "it is full"))


CLIENTS = [
    pytest.param(Teller(dialect, stream, name, kind), id=f"{dialect}-{'stream' if stream else 'document'}")
    for dialect, name, kind in (
        ("anthropic", "anthropic", "anthropic"),
        ("openai", "openai", "openai"),
        ("openai_responses", "responses", "openai_responses"),
        ("gemini", "gemini", "gemini"),
    )
    for stream in (True, False)
]
every_client = pytest.mark.parametrize("client", CLIENTS)


class Naps:
    """Waits that take no time."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


def key_of(request: Received) -> str:
    return request.header("authorization").removeprefix("Bearer ")


def keys(*values: str) -> CredentialPool:
    sources = [StaticSource(Credential(value, "authorization"), value) for value in values]
    return CredentialPool(sources, clock=SystemClock())


def by_key(answers: dict[str, Reply], r: Rig) -> Callable[[Received], Reply]:
    """An answer for some keys, and the tale for all others."""

    def answer(request: Received) -> Reply:
        return answers.get(key_of(request)) or r.provider.write(request, TALE)

    return answer


@every_client
class TestRefused:
    """401."""

    async def test_the_login_is_renewed_and_the_same_is_sent_again(self, client: Teller, tmp_path: Path) -> None:
        async with FakeProvider() as fake:
            logins = TokenEndpoint(fake)
            path = login_file(tmp_path, logins)
            fake.on("^/v1", guard(fake, logins, client.dialect))
            logins.expire()
            async with (
                logged_in(path, logins) as pool,
                rig(types=client.config(fake.url), pools={client.provider: pool}) as r,
            ):
                assert client.hears(await client.tell(r)) == WELL
                first, second = (request for request in fake.requests if request.path != "/oauth/token")
                assert first.body == second.body == client.body
                assert key_of(first) != key_of(second)
                assert len(logins.renewals) == 1
                flow = await r.flow()
                assert [(step.status, step.then) for step in flow.story] == [(401, "renewed the credential"), (200, "")]

    async def test_refused_for_good_is_the_providers_own_error(self, client: Teller, tmp_path: Path) -> None:
        async with FakeProvider() as fake:
            logins = TokenEndpoint(fake)
            path = login_file(tmp_path, logins)
            fake.on("^/v1", native_error(client.dialect, 401, "no such account"))
            async with (
                logged_in(path, logins) as pool,
                rig(types=client.config(fake.url), pools={client.provider: pool}) as r,
            ):
                client.is_told(await client.tell(r), 401, "no such account")
                assert len(logins.renewals) == 1

    async def test_a_login_that_was_revoked_is_the_providers_own_error(self, client: Teller, tmp_path: Path) -> None:
        async with FakeProvider() as fake:
            logins = TokenEndpoint(fake)
            path = login_file(tmp_path, logins)
            fake.on("^/v1", guard(fake, logins, client.dialect))
            logins.revoke()
            async with (
                logged_in(path, logins) as pool,
                rig(types=client.config(fake.url), pools={client.provider: pool}) as r,
            ):
                client.is_told(await client.tell(r), 401, "not this token")
                assert "log in again" in pool.members[0].source.status().problem

    async def test_the_next_credential_is_taken(self, client: Teller) -> None:
        async with rig(pools={client.provider: keys("one", "two")}) as r:
            r.provider.on("^/v1", by_key({"one": native_error(client.dialect, 401, "no")}, r))
            assert client.hears(await client.tell(r)) == WELL
            assert [key_of(request) for request in r.provider.requests] == ["one", "two"]
            assert {request.body for request in r.provider.requests} == {client.body}


@every_client
class TestLimited:
    """429."""

    async def test_the_next_credential_is_taken(self, client: Teller) -> None:
        pool = keys("one", "two")
        async with rig(pools={client.provider: pool}) as r:
            r.provider.on("^/v1", by_key({"one": native_error(client.dialect, 429, "slowly", retry_after=7)}, r))
            assert client.hears(await client.tell(r)) == WELL
            assert [key_of(request) for request in r.provider.requests] == ["one", "two"]
            assert 6.0 < pool.resting(pool.members[0]) <= 7.0

    async def test_it_is_tried_again_after_the_time_that_is_named(self, client: Teller) -> None:
        naps = Naps()
        async with FakeProvider() as fake:
            fake.on("^/v1", lambda request: fake.write(request, TALE))
            fake.on("^/v1", native_error(client.dialect, 429, "slowly", retry_after=3), times=1)
            async with rig(types=client.config(fake.url, retry=Retry()), sleep=naps) as r:
                assert client.hears(await client.tell(r)) == WELL
        assert naps.taken == [3.0]

    async def test_when_all_are_the_first_error_is_the_answer(self, client: Teller) -> None:
        async with rig(pools={client.provider: keys("one", "two")}) as r:
            answers = {name: native_error(client.dialect, 429, name, retry_after=9) for name in ("one", "two")}
            r.provider.on("^/v1", by_key(answers, r))
            answer = await client.tell(r)
            client.is_told(answer, 429, "one")
            # Gemini names it in the body.
            assert b'"9s"' in answer.body if client.dialect == "gemini" else answer.headers["retry-after"] == "9"


@every_client
@pytest.mark.parametrize("status", [500, 503, 529])
class TestFull:
    """5xx and 529."""

    async def test_it_is_tried_again_with_the_same_credential(self, client: Teller, status: int) -> None:
        naps = Naps()
        async with FakeProvider() as fake:
            fake.on("^/v1", lambda request: fake.write(request, TALE))
            fake.on("^/v1", native_error(client.dialect, status, "it is full"), times=2)
            options: Any = {"types": client.config(fake.url, retry=Retry()), "pools": {client.provider: keys("a", "b")}}
            async with rig(sleep=naps, **options) as r:
                assert client.hears(await client.tell(r)) == WELL
                assert [key_of(request) for request in fake.requests] == ["a", "a", "a"]
                assert {request.body for request in fake.requests} == {client.body}
                assert [step.status for step in (await r.flow()).story] == [status, status, 200]
        assert len(naps.taken) == 2

    async def test_it_stays_and_is_the_answer(self, client: Teller, status: int) -> None:
        async with FakeProvider() as fake:
            fake.on("^/v1", native_error(client.dialect, status, "it is full"))
            async with rig(types=client.config(fake.url, retry=Retry(attempts=2)), sleep=Naps()) as r:
                answer = await client.tell(r)
            client.is_told(answer, status, "it is full")
            assert "retry-after" not in answer.headers, "a wait that nobody named is not made up"
            assert len(fake.requests) == 2


@every_client
class TestHidden:
    """An error inside of a 200, before any content."""

    async def test_it_is_tried_again_and_the_client_never_sees_it(self, client: Teller) -> None:
        async with FakeProvider() as fake:
            fake.on("^/v1", lambda request: fake.write(request, TALE))
            fake.on("^/v1", client.hidden(), times=1)
            async with rig(types=client.config(fake.url, retry=Retry()), sleep=Naps()) as r:
                answer = await client.tell(r)
                assert client.hears(answer) == WELL
                assert b"it is full" not in answer.body
                assert len(fake.requests) == 2

    async def test_without_anything_configured_it_passes_as_it_is(self, client: Teller) -> None:
        async with rig() as r:
            r.provider.on("^/v1", client.hidden())
            answer = await client.tell(r)
            assert answer.status == 200
            assert b"it is full" in answer.body
            assert len(r.provider.requests) == 1


@every_client
@pytest.mark.parametrize("trouble", [401, 429, 503, 529, "hidden"])
async def test_another_provider_answers_in_the_clients_dialect(client: Teller, trouble: int | str) -> None:
    """The fallback speaks another dialect."""
    other = "openai" if client.dialect == "anthropic" else "anthropic"
    async with FakeProvider() as broken:
        broken.on("^/v1", native_error(client.dialect, trouble, "no") if isinstance(trouble, int) else client.hidden())
        async with rig(types=client.config(broken.url, fallback=[f"{other}/some-model"])) as r:
            r.provider.on("^/v1", lambda request: r.provider.write(request, TALE))
            assert client.hears(await client.tell(r)) == WELL
            assert (len(broken.requests), len(r.provider.requests)) == (1, 1)
            assert (await r.flow()).provider == other


@every_client
@pytest.mark.parametrize("how", ["error", "cut"])
async def test_after_content_nothing_is_ever_sent_again(client: Teller, how: str) -> None:
    """Whatever is configured: the client has seen the beginning of an answer."""

    def half(request: Received) -> Reply:
        if not client.stream:
            body = broken.write(request, Script("some-model", [Text(WELL * 40_000)])).pieces[0]  # more than is held
            length = str(len(body)).encode()
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: " + length + b"\r\n\r\n"
            return Reply(framing="raw", body=[Send(head + body[: len(body) // 2]), Cut()])
        pieces = broken.write(request, TALE).pieces
        content = next(number for number, piece in enumerate(pieces) if b"Quite" in piece)
        end = Cut() if how == "cut" else Send(error_in_stream(client.dialect, 401, "too late"))
        return sse([*map(Send, pieces[: content + 1]), end])

    async with FakeProvider() as broken:
        broken.on("^/v1", half)
        other = "openai" if client.dialect == "anthropic" else "anthropic"
        options: Any = {"retry": Retry(), "fallback": [other]}
        pools = {client.provider: keys("one", "two")}
        async with rig(types=client.config(broken.url, **options), pools=pools, sleep=Naps()) as r:
            answer = await client.tell(r)
            assert answer.status == 200
            assert b"too late" in answer.body or not answer.complete
            assert (len(broken.requests), len(r.provider.requests)) == (1, 0)


def guard(fake: FakeProvider, logins: TokenEndpoint, dialect: str) -> Callable[[Received], Reply]:
    def answer(request: Received) -> Reply:
        if logins.accepts(request):
            return fake.write(request, TALE)
        return native_error(dialect, 401, "not this token")

    return answer

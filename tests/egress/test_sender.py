"""Tries, credentials and providers, as stories: what is answered, what is sent, what the flow tells of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ccproxy.auth.base import Credential, SourceStatus, StaticSource
from ccproxy.auth.pool import LIMITED, REFUSED, CredentialPool
from ccproxy.egress.breaker import Breaker
from ccproxy.egress.retry import Policy
from ccproxy.egress.sender import Candidate, Other, Sender
from ccproxy.egress.transport import UpstreamRequest, UpstreamResponse
from ccproxy.errors import BadRequest, CredentialError, UpstreamError
from ccproxy.exchange.exchange import Step
from ccproxy.exchange.http import Headers
from ccproxy.lightllm.registry import Registry
from ccproxy.providers.answers.respond import WRITERS
from ccproxy.providers.config import Retry
from ccproxy.testing import error_in_stream
from ccproxy.util.clock import FakeClock

from .scripted import CUT, HANG, Answer, Scripted, Waits

BODY = b'{"model": "m"}'
SSE = {"content-type": "text/event-stream"}
JSON = {"content-type": "application/json"}
DOWN = UpstreamError("cannot connect to h:1: connection refused")
ANTHROPIC = Registry().get("anthropic")
STREAM = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","content":[],"usage":{}}}\n\n',
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n',
)


def error(status: int, **headers: str) -> Answer:
    body = WRITERS["anthropic"].error(status, "", "m")
    return Answer(status, JSON | {name.replace("_", "-"): value for name, value in headers.items()}, [body])


def good() -> Answer:
    return Answer(200, JSON, [b'{"type":"message"}'])


class Renewable:
    """A credential that can be renewed."""

    def __init__(self, label: str = "login", *, renewals: int = 99) -> None:
        self.label = label
        self.value = 1
        self.left = renewals
        self.fails: CredentialError | None = None
        self.renewed = 0

    async def get(self) -> Credential:
        if self.fails:
            raise self.fails
        return Credential(f"{self.label}-{self.value}")

    async def refresh(self, rejected: Credential | None = None) -> Credential:
        if rejected is not None and rejected.value == f"{self.label}-{self.value}":
            if not self.left:
                raise CredentialError("the login has ended")
            self.left -= 1
            self.value += 1
            self.renewed += 1
        return Credential(f"{self.label}-{self.value}")

    async def look(self) -> None:
        pass

    def status(self) -> SourceStatus:
        return SourceStatus()

    async def close(self) -> None:
        pass


class Rig:
    """A sender, a transport with these answers, and what became of it all."""

    def __init__(self, *answers: Answer | UpstreamError) -> None:
        self.clock = FakeClock()
        self.transport = Scripted(list(answers))
        self.waits = Waits(self.clock)
        self.sender = Sender(self.clock, self.waits)
        self.story: list[Step] = []

    def candidate(self, name: str = "one", *sources: Any, retry: Retry | None = None, **more: Any) -> Candidate:
        def make(credential: Credential | None, label: str) -> UpstreamRequest:
            fields = [(b"authorization", credential.value.encode())] if credential is not None else []
            return UpstreamRequest("POST", "http", name, 80, b"/v1/messages", Headers(fields), BODY)

        options: dict[str, Any] = {
            "make": make,
            "transport": self.transport,
            "credentials": CredentialPool(sources, clock=self.clock) if sources else None,
            "dialect": ANTHROPIC,
            "policy": Policy(retry, spread=lambda: 1.0),
        }
        return Candidate(name, **(options | more))

    async def send(self, first: Candidate, *others: Candidate, session: str = "") -> tuple[Candidate, UpstreamResponse]:
        pairs = [Other(other.name, made(other)) for other in others]
        return await self.sender.send(first, pairs, session=session, story=self.story)

    @property
    def sent(self) -> list[tuple[str, str]]:
        """To whom and with what."""
        return [(each.host, each.headers.text(b"authorization")) for each in self.transport.requests]

    @property
    def told(self) -> list[tuple[str, str, int, str, str]]:
        return [(step.provider, step.credential, step.status, step.problem, step.then) for step in self.story]


def made(candidate: Candidate) -> Callable[[], Awaitable[Candidate]]:
    """Makes the candidate when it is asked for."""

    async def make() -> Candidate:
        return candidate

    return make


async def whole(response: UpstreamResponse) -> bytes:
    return b"".join([piece async for piece in response.chunks()])


class TestPlainly:
    async def test_without_anything_configured_every_answer_is_passed_on_unread(self) -> None:
        for status in (200, 400, 429, 500, 529):
            answer = Answer(status, SSE, [b"x", HANG])
            rig = Rig(answer)

            _, response = await rig.send(rig.candidate())

            assert response is answer
            assert (answer.given, rig.story) == (0, [])

    async def test_no_answer_is_the_error(self) -> None:
        rig = Rig(DOWN)
        with pytest.raises(UpstreamError) as caught:
            await rig.send(rig.candidate())
        assert caught.value is DOWN
        assert rig.story == []

    async def test_what_the_request_itself_is_to_blame_for_is_raised(self) -> None:
        def make(credential: Credential | None, label: str) -> UpstreamRequest:
            raise BadRequest("no")

        rig = Rig()
        with pytest.raises(BadRequest):
            await rig.send(rig.candidate(make=make))


class TestRenewal:
    async def test_a_401_is_one_renewal_and_one_replay_of_the_same(self) -> None:
        source = Renewable()
        refused, answer = error(401), good()
        rig = Rig(refused, answer)

        _, response = await rig.send(rig.candidate("one", source))

        assert response is answer
        assert rig.sent == [("one", "login-1"), ("one", "login-2")]
        assert [each.body for each in rig.transport.requests] == [BODY, BODY]
        assert refused.closed
        assert rig.told == [
            ("one", "login", 401, "status 401", "renewed the credential"),
            ("one", "login", 200, "", ""),
        ]

    async def test_still_401_is_the_providers_answer(self) -> None:
        source = Renewable()
        last = error(401)
        rig = Rig(error(401), last)

        _, response = await rig.send(rig.candidate("one", source))

        assert response is last
        assert source.renewed == 1
        assert await whole(response) == WRITERS["anthropic"].error(401, "", "m")

    async def test_twenty_at_once_cause_one_renewal(self) -> None:
        source = Renewable()
        rig = Rig()

        async def send(request: UpstreamRequest) -> UpstreamResponse:
            await asyncio.sleep(0)
            return good() if request.headers.text(b"authorization") == "login-2" else error(401)

        rig.transport.send = send  # type: ignore[method-assign]
        candidate = rig.candidate("one", source)

        found = await asyncio.gather(*(rig.sender.send(candidate) for _ in range(20)))

        assert [response.status for _, response in found] == [200] * 20
        assert source.renewed == 1

    async def test_a_renewal_that_fails_leaves_the_providers_answer(self) -> None:
        rig = Rig(error(401))

        _, response = await rig.send(rig.candidate("one", Renewable(renewals=0)))

        assert response.status == 401
        assert rig.told[0][4] == "could not renew the credential: the login has ended"

    async def test_a_fixed_key_is_not_sent_twice(self) -> None:
        rig = Rig(error(401))

        _, response = await rig.send(rig.candidate("one", StaticSource(Credential("k"))))

        assert response.status == 401
        assert len(rig.sent) == 1
        assert rig.story == []

    async def test_a_body_that_cannot_be_sent_again_is_not_and_the_next_request_has_the_new_credential(self) -> None:
        source = Renewable()
        rig = Rig(error(401))
        candidate = rig.candidate("one", source, Renewable("other"), resendable=False, retry=Retry())

        _, response = await rig.send(candidate)

        assert response.status == 401
        assert (len(rig.sent), source.renewed) == (1, 1)
        assert candidate.credentials is not None
        assert candidate.credentials.resting(candidate.credentials.members[0]) == 0

    async def test_who_leaves_during_a_renewal_closes_the_answer(self) -> None:
        class Slow(Renewable):
            async def refresh(self, rejected: Credential | None = None) -> Credential:
                await asyncio.Event().wait()
                raise AssertionError

        refused = error(401)
        rig = Rig(refused)
        task = asyncio.create_task(rig.send(rig.candidate("one", Slow())))
        while not rig.sent:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task
        assert refused.closed

    async def test_a_source_that_fails_sends_nothing(self) -> None:
        source = Renewable()
        source.fails = CredentialError("no login", status=401)
        rig = Rig()

        with pytest.raises(CredentialError) as caught:
            await rig.send(rig.candidate("one", source))
        assert caught.value is source.fails
        assert rig.sent == []


class TestRetry:
    @pytest.mark.parametrize("failure", [DOWN, error(429), error(500), error(503), error(529)])
    async def test_what_may_pass_is_tried_again(self, failure: Answer | UpstreamError) -> None:
        rig = Rig(failure, failure, good())

        _, response = await rig.send(rig.candidate(retry=Retry(attempts=3, base_seconds=1)))

        assert response.status == 200
        assert rig.waits.seconds == [1, 2]
        assert [step.then for step in rig.story] == ["waited 1 s", "waited 2 s", ""]

    async def test_the_last_failure_is_the_answer_as_it_came(self) -> None:
        last = error(529, retry_after="1", x_own="kept")
        rig = Rig(error(529), last)

        _, response = await rig.send(rig.candidate(retry=Retry(attempts=2)))

        assert (response.status, response.headers) == (529, last.headers)
        assert await whole(response) == WRITERS["anthropic"].error(529, "", "m")
        await response.close()
        assert last.closed

    async def test_the_providers_wait_is_kept_to(self) -> None:
        rig = Rig(error(429, retry_after="7"), good())

        await rig.send(rig.candidate(retry=Retry()))

        assert rig.waits.seconds == [7]

    async def test_a_wait_that_is_too_long_is_the_clients_to_keep(self) -> None:
        rig = Rig(error(429, retry_after="3600"))

        _, response = await rig.send(rig.candidate(retry=Retry()))

        assert response.headers.text(b"retry-after") == "3600"
        assert rig.waits.seconds == []

    @pytest.mark.parametrize("status", [400, 403, 404, 413, 422])
    async def test_what_will_not_pass_is_not_tried_again(self, status: int) -> None:
        rig = Rig(error(status))

        _, response = await rig.send(rig.candidate(retry=Retry()), rig.candidate("two"))

        assert response.status == status
        assert len(rig.sent) == 1

    async def test_what_may_not_be_done_twice_is_not(self) -> None:
        rig = Rig(error(500))

        _, response = await rig.send(rig.candidate(retry=Retry(), repeatable=False), rig.candidate("two"))

        assert response.status == 500

    async def test_an_error_inside_of_a_200_counts(self) -> None:
        hidden = Answer(200, SSE, [STREAM[0], error_in_stream("anthropic", 529, "full")])
        rig = Rig(hidden, Answer(200, SSE, STREAM))

        _, response = await rig.send(rig.candidate(retry=Retry()))

        assert await whole(response) == b"".join(STREAM)
        assert hidden.closed
        assert rig.story[0].problem == "an error inside of the answer"

    async def test_if_it_stays_the_stream_is_passed_on_as_it_came(self) -> None:
        stream = [STREAM[0], error_in_stream("anthropic", 529, "full")]
        rig = Rig(Answer(200, SSE, stream))

        _, response = await rig.send(rig.candidate(retry=Retry(attempts=1)))

        assert await whole(response) == b"".join(stream)

    async def test_a_stream_cut_before_content_is_tried_again_and_after_it_never(self) -> None:
        rig = Rig(Answer(200, SSE, [STREAM[0], CUT]), Answer(200, SSE, [*STREAM, CUT]), good())

        _, response = await rig.send(rig.candidate(retry=Retry()))

        assert len(rig.sent) == 2
        with pytest.raises(UpstreamError):
            await whole(response)
        assert len(rig.sent) == 2

    async def test_who_leaves_while_the_beginning_is_held_closes_the_answer(self) -> None:
        held = Answer(200, SSE, [STREAM[0], HANG])
        rig = Rig(held)
        task = asyncio.create_task(rig.send(rig.candidate(retry=Retry())))
        while not held.given:
            await asyncio.sleep(0)
        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task
        assert held.closed


class TestSeveralCredentials:
    @pytest.mark.parametrize(("status", "rest"), [(429, LIMITED), (401, REFUSED)])
    async def test_one_that_is_limited_or_refused_rests_and_the_next_is_taken(self, status: int, rest: float) -> None:
        rig = Rig(error(status), good(), good())
        candidate = rig.candidate("one", StaticSource(Credential("a"), "A"), StaticSource(Credential("b"), "B"))

        _, response = await rig.send(candidate)
        await rig.send(candidate)

        assert response.status == 200
        assert rig.sent == [("one", "a"), ("one", "b"), ("one", "b")]
        assert rig.waits.seconds == []
        assert candidate.credentials is not None
        assert candidate.credentials.resting(candidate.credentials.members[0]) == rest
        assert rig.told[0] == ("one", "A", status, f"status {status}", "took the next credential")

    async def test_it_rests_as_long_as_the_provider_says(self) -> None:
        rig = Rig(error(429, retry_after="500"), good(), good())
        candidate = rig.candidate("one", StaticSource(Credential("a")), StaticSource(Credential("b")))
        await rig.send(candidate)
        rig.clock.advance(499)
        await rig.send(candidate)

        assert [value for _, value in rig.sent] == ["a", "b", "b"]

    async def test_a_full_provider_is_full_for_all_of_them(self) -> None:
        rig = Rig(error(529))
        candidate = rig.candidate("one", StaticSource(Credential("a")), StaticSource(Credential("b")))

        _, response = await rig.send(candidate)

        assert response.status == 529
        assert len(rig.sent) == 1
        assert candidate.credentials is not None
        assert candidate.credentials.resting(candidate.credentials.members[0]) == 0

    async def test_when_all_are_limited_the_first_refusal_is_the_answer(self) -> None:
        first = error(429, x_which="first")
        rig = Rig(first, error(429))
        candidate = rig.candidate("one", StaticSource(Credential("a")), StaticSource(Credential("b")))

        _, response = await rig.send(candidate)

        assert response.headers.text(b"x-which") == "first"

    async def test_one_that_cannot_be_had_stops_nobody(self) -> None:
        ended, other = Renewable("A"), Renewable("B")
        ended.fails = CredentialError("A has ended")
        rig = Rig(good())

        _, response = await rig.send(rig.candidate("one", ended, other))

        assert response.status == 200
        assert rig.sent == [("one", "B-1")]
        assert rig.told[0][3] == "A has ended"

    async def test_conversations_keep_to_theirs(self) -> None:
        rig = Rig(*(good() for _ in range(40)))
        candidate = rig.candidate("one", StaticSource(Credential("a")), StaticSource(Credential("b")))
        for n in range(20):
            for _ in range(2):
                await rig.send(candidate, session=f"s{n}")

        values = [value for _, value in rig.sent]
        assert values[::2] == values[1::2]
        assert set(values) == {"a", "b"}

    async def test_what_may_not_be_done_twice_is_sent_with_another_only_if_it_was_refused(self) -> None:
        sources = StaticSource(Credential("a")), StaticSource(Credential("b"))
        rig = Rig(error(429))
        await rig.send(rig.candidate("one", *sources, repeatable=False))
        assert len(rig.sent) == 1

        rig = Rig(error(401), good())
        _, response = await rig.send(rig.candidate("one", *sources, repeatable=False))
        assert response.status == 200


class TestFallback:
    @pytest.mark.parametrize("failure", [DOWN, error(429), error(529), error(401)])
    async def test_the_next_provider_is_asked(self, failure: Answer | UpstreamError) -> None:
        rig = Rig(failure, good())
        two = rig.candidate("two")

        used, response = await rig.send(rig.candidate(), two)

        assert (used, response.status) == (two, 200)
        assert [step.then for step in rig.story] == ["went on to two", ""]

    async def test_each_has_its_own_tries_and_credentials(self) -> None:
        rig = Rig(error(503), error(503), error(401), good())

        used, _ = await rig.send(rig.candidate(retry=Retry(attempts=2)), rig.candidate("two", Renewable()))

        assert used.name == "two"
        assert rig.sent == [("one", ""), ("one", ""), ("two", "login-1"), ("two", "login-2")]

    async def test_if_all_fail_the_first_failure_is_the_answer(self) -> None:
        first = error(529, x_which="first")
        second = error(503)
        rig = Rig(first, second, DOWN)
        one = rig.candidate()

        used, response = await rig.send(one, rig.candidate("two"), rig.candidate("three"))

        assert used is one
        assert (response.status, response.headers.text(b"x-which")) == (529, "first")
        assert await whole(response) == WRITERS["anthropic"].error(529, "", "m")
        assert second.closed
        assert [step.provider for step in rig.story] == ["one", "two", "three"]

    async def test_if_the_first_gave_no_answer_its_error_is_raised(self) -> None:
        rig = Rig(DOWN, error(500))

        with pytest.raises(UpstreamError) as caught:
            await rig.send(rig.candidate(), rig.candidate("two"))
        assert caught.value is DOWN

    async def test_a_fallback_that_does_not_take_the_request_is_none(self) -> None:
        async def make() -> Candidate:
            raise BadRequest("cannot be said there")

        rig = Rig(error(500), error(400), good())
        others = [Other("two", make), *(Other(name, made(rig.candidate(name))) for name in ("three", "four"))]

        used, response = await rig.sender.send(rig.candidate(), others, story=rig.story)

        assert (used.name, response.status) == ("four", 200)
        assert rig.told[1] == ("two", "", 0, "cannot be said there", "went on to three")

    async def test_a_credential_that_cannot_be_had_goes_on_too(self) -> None:
        source = Renewable()
        source.fails = CredentialError("no login")
        rig = Rig(good())

        used, _ = await rig.send(rig.candidate("one", source), rig.candidate("two"))

        assert used.name == "two"

    async def test_after_content_nobody_else_is_asked(self) -> None:
        rig = Rig(Answer(200, SSE, [*STREAM, error_in_stream("anthropic", 529, "full")]), good())

        used, _ = await rig.send(rig.candidate(), rig.candidate("two"))

        assert used.name == "one"
        assert len(rig.sent) == 1


class TestBreaker:
    def breaker(self, rig: Rig) -> Breaker:
        return Breaker(failures=2, seconds=30, clock=rig.clock)

    async def test_a_provider_that_fails_again_and_again_is_left_alone(self) -> None:
        rig = Rig(error(500), DOWN, good(), good(), good())
        one = rig.candidate(breaker=self.breaker(rig))
        two = rig.candidate("two")
        for _ in range(2):
            rig.transport.answers.insert(len(rig.sent) + 1, good())
            await rig.send(one, two)
        sent = len(rig.sent)

        used, _ = await rig.send(one, two)

        assert used is two
        assert len(rig.sent) == sent + 1
        assert "left alone" in rig.story[-2].problem

    async def test_alone_it_says_so(self) -> None:
        rig = Rig(DOWN, DOWN, good())
        one = rig.candidate(breaker=self.breaker(rig))
        for _ in range(2):
            with pytest.raises(UpstreamError):
                await rig.send(one)

        with pytest.raises(UpstreamError, match="failed 2 times in a row") as caught:
            await rig.send(one)
        assert caught.value.status == 503
        rig.clock.advance(30)
        assert (await rig.send(one))[1].status == 200
        assert one.breaker is not None
        assert one.breaker.state == "closed"

    async def test_tries_end_when_it_opens_with_the_providers_own_error(self) -> None:
        rig = Rig(error(500), error(503), error(500))

        _, response = await rig.send(rig.candidate(breaker=self.breaker(rig), retry=Retry(attempts=9)))

        assert response.status == 503
        assert len(rig.sent) == 2

    async def test_a_limit_is_no_sickness_and_a_client_error_is_health(self) -> None:
        rig = Rig(error(500), error(429), error(500), error(400))
        one = rig.candidate(breaker=self.breaker(rig))
        for _ in range(4):
            await rig.send(one, rig.candidate("two", make=_refuse))

        assert one.breaker is not None
        assert one.breaker.state == "closed"

    async def test_a_probe_that_is_given_up_leaves_room_for_another(self) -> None:
        rig = Rig(DOWN, DOWN, Answer(200, SSE, [STREAM[0], HANG]), good())
        one = rig.candidate(breaker=self.breaker(rig), retry=Retry(attempts=1))
        for _ in range(2):
            with pytest.raises(UpstreamError):
                await rig.send(one)
        rig.clock.advance(30)
        probe = asyncio.create_task(rig.send(one))
        while len(rig.sent) < 3:
            await asyncio.sleep(0)
        probe.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probe

        assert (await rig.send(one))[1].status == 200


def _refuse(credential: Credential | None, label: str) -> UpstreamRequest:
    raise BadRequest("not here")

"""Sends a request until it is answered, or until nothing more can be done: another try, another credential, another
provider.

    provider:    breaker -> credential -> send -> 401? renew it once, send the same again -> good?
                 -> refused or limited? the next credential -> wait, again -> the next provider

All of it happens before a byte of the answer is passed on; what has been passed on is never asked for again. If nothing
helps, the first failure is the answer, as it came.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from ccproxy.auth.base import Credential
from ccproxy.auth.pool import LIMITED, CredentialPool, Member
from ccproxy.egress.breaker import Breaker
from ccproxy.egress.peek import Held, hidden_error, read_error
from ccproxy.egress.retry import NO_CREDENTIAL, UNREACHABLE, Policy, Verdict, judge
from ccproxy.egress.transport import Sends, UpstreamRequest, UpstreamResponse
from ccproxy.errors import CCProxyError, CredentialError, UpstreamError
from ccproxy.exchange.exchange import Step
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.util.clock import Clock

#: Seconds that reading an error answer may take.
_READ_ERROR = 10.0
_HOLD = 15.0


@dataclass(slots=True)
class Candidate:
    """One provider to send a request to.

    Attributes:
        member: the credential that was tried last.
        name: the provider's name.
        make: the request with a credential in it (None: without) and its label. Raises CCProxyError.
        transport: the way there.
        credentials: its own, or None if it has none or the client's go along.
        dialect: what it answers in, or None if that is not known: then answers are judged by their status alone.
        policy: how often it is tried.
        breaker: its state of health, or None.
        resendable: the body can be sent more than once.
        repeatable: the operation may be carried out more than once.
        before: finds out what `make` needs to know first; an answer in place of the provider's says why it could not.
            Raises CCProxyError.
        mend: told of a 400, changes what `make` makes and returns True if that may help; the request is then sent once
            more with the same credential.
    """

    name: str
    make: Callable[[Credential | None, str], UpstreamRequest]
    transport: Sends
    credentials: CredentialPool | None = None
    dialect: Dialect | None = None
    policy: Policy = field(default_factory=Policy)
    breaker: Breaker | None = None
    resendable: bool = True
    repeatable: bool = True
    before: Callable[[Credential | None, str], Awaitable[UpstreamResponse | None]] | None = None
    mend: Callable[[ErrorInfo], bool] | None = None

    member: Member | None = None

    @property
    def hold(self) -> float:
        """Seconds that an answer without content is held."""
        return self.policy.retry.hold_seconds if self.policy.retry is not None else _HOLD


@dataclass(frozen=True, slots=True)
class Other:
    """Where to go on to.

    Attributes:
        name: of a provider, or of another model of the same one.
        make: makes the candidate.
        model: it is a model, asked only where the first one is full.
    """

    name: str
    make: Callable[[], Awaitable[Candidate]]
    model: bool = False


@dataclass(slots=True)
class _Result:
    """The end of a try: an answer or an error, whether it failed, and, if something may help, what."""

    response: UpstreamResponse | None = None
    error: CCProxyError | None = None
    verdict: Verdict | None = None
    failed: bool = False

    async def discard(self) -> None:
        if self.response is not None:
            await self.response.close()


class _Ask:
    """One request on its way: what it has been through."""

    def __init__(self, session: str, story: list[Step], *, judged: bool, now: float) -> None:
        self.session = session
        self.story = story
        self.judged = judged
        self.begin = now

    def note(self, step: Step) -> None:
        """Adds a try to the story, once it is one: a single try that went well is none."""
        if step.problem or step.then or self.story:
            self.story.append(step)

    def end(self) -> None:
        """A single try that nothing was done about is no story: the answer itself tells it."""
        if len(self.story) == 1 and not self.story[0].then:
            self.story.clear()


class Sender:
    """Sends requests.

    Args:
        sleep: how to wait.
        note: told of each try whether there was an answer: the provider's name, and what was wrong or "".
    """

    def __init__(
        self,
        clock: Clock,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        note: Callable[[str, str], None] | None = None,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._note = note

    async def send(
        self,
        first: Candidate,
        others: Sequence[Other] = (),
        *,
        session: str = "",
        story: list[Step] | None = None,
    ) -> tuple[Candidate, UpstreamResponse]:
        """The answer, and who gave it: the first that is good, or the first failure if none is.

        Args:
            first: where to begin.
            others: where to go on to, in order; made only when they are needed.
            session: tells conversations apart.
            story: takes the tries, if there are more than one.

        Raises the first CCProxyError where that came in place of an answer.
        """
        judged = bool(others) or first.policy.acts
        ask = _Ask(session, story if story is not None else [], judged=judged, now=self._clock.mono())
        result = await self._provider(first, ask)
        verdict = result.verdict
        if verdict is None or not (verdict.elsewhere and others and first.resendable and first.repeatable):
            ask.end()
            return first, _answer(result)
        try:
            for entry in others:
                if entry.model and not first.policy.takes_other_models(verdict, self._clock.mono() - ask.begin):
                    continue
                self._then(ask, f"went on to {entry.name}")
                try:
                    candidate = await entry.make()
                    other = await self._provider(candidate, ask)
                except CCProxyError as error:
                    ask.note(Step(entry.name, problem=str(error)))
                    continue
                if not other.failed:
                    await result.discard()
                    return candidate, _answer(other)
                await other.discard()
                if entry.model and other.verdict is not None:
                    verdict = other.verdict
        except BaseException:
            await result.discard()
            raise
        ask.end()
        return first, _answer(result)

    # -- one provider --

    async def _provider(self, candidate: Candidate, ask: _Ask) -> _Result:
        """As many tries as its policy allows."""
        attempt = 0
        while True:
            attempt += 1
            result = await self._guarded(candidate, ask)
            verdict = result.verdict
            if verdict is None or not (candidate.repeatable and candidate.resendable):
                return result
            delay = candidate.policy.delay(attempt, verdict, self._clock.mono() - ask.begin)
            if delay is None or (candidate.breaker is not None and candidate.breaker.state == "open"):
                return result
            await result.discard()
            self._then(ask, f"waited {delay:.3g} s")
            await self._sleep(delay)

    async def _guarded(self, candidate: Candidate, ask: _Ask) -> _Result:
        """One try, if the breaker lets it through."""
        breaker = candidate.breaker
        if breaker is None:
            return await self._credentials(candidate, ask)
        if not breaker.admit():
            error = UpstreamError(
                f"provider {candidate.name!r} has failed {breaker.failures} times in a row and is left alone for "
                f"{breaker.remaining:.0f} more seconds",
                hint=f"see providers.{candidate.name}.retry",
                status=503,
            )
            ask.note(Step(candidate.name, problem=error.message))
            return _Result(error=error, verdict=Verdict(elsewhere=True), failed=True)
        try:
            result = await self._credentials(candidate, ask)
        except BaseException:
            breaker.abandoned()
            raise
        if result.verdict is not None and result.verdict.unhealthy:
            breaker.failed()
        elif result.response is not None:
            breaker.succeeded()
        else:
            breaker.abandoned()
        return result

    async def _credentials(self, candidate: Candidate, ask: _Ask) -> _Result:
        """One try with each credential, as long as another one may help."""
        pool = candidate.credentials
        if pool is None:
            return await self._once(candidate, None, "", ask)
        tried: list[Member] = []
        first: _Result | None = None
        while (member := pool.choose(ask.session, tried)) is not None:
            if first is not None:
                self._then(ask, "took the next credential")
            try:
                result = await self._member(candidate, member, ask)
            except BaseException:
                if first is not None:
                    await first.discard()
                raise
            verdict = result.verdict
            if verdict is None or not verdict.credential:
                if first is not None:
                    await first.discard()
                return result
            pool.retire(member, verdict.credential, verdict.wait)
            tried.append(member)
            if first is None:
                first = result
            else:
                await result.discard()
            if not (candidate.resendable and (candidate.repeatable or verdict.credential == "refused")):
                break
        assert first is not None
        return first

    async def _member(self, candidate: Candidate, member: Member, ask: _Ask) -> _Result:
        """One try with one credential, which is renewed if it is refused."""
        source = member.source
        candidate.member = member
        try:
            credential = await source.get()
        except CredentialError as error:
            ask.note(Step(candidate.name, source.label, problem=error.message))
            several = candidate.credentials is not None and len(candidate.credentials) > 1
            next_one = Verdict(elsewhere=True, credential="refused", wait=LIMITED)
            return _Result(error=error, verdict=next_one if several else NO_CREDENTIAL, failed=True)
        result = await self._once(candidate, credential, source.label, ask)
        response = result.response
        if response is None or response.status != 401:
            return result
        try:
            renewed = await source.refresh(credential)
        except CredentialError as error:
            self._then(ask, f"could not renew the credential: {error.message}")
            return result
        except BaseException:
            await result.discard()
            raise
        if (renewed.value, renewed.companions) == (credential.value, credential.companions):
            return result
        if not candidate.resendable:
            self._then(ask, "renewed the credential for the next request")
            result.verdict = None  # the credential is good again and needs no rest
            return result
        self._then(ask, "renewed the credential")
        await result.discard()
        return await self._once(candidate, renewed, source.label, ask)

    # -- one try --

    async def _once(self, candidate: Candidate, credential: Credential | None, label: str, ask: _Ask) -> _Result:
        """One try, and one more if the request could be mended."""
        result = await self._try(candidate, credential, label, ask)
        response = result.response
        if candidate.mend is None or response is None or response.status != 400 or not candidate.resendable:
            return result
        try:
            held = response if isinstance(response, Held) else Held(response)
            error = await read_error(held, candidate.dialect, seconds=_READ_ERROR)
            mended = error is not None and candidate.mend(error)
        except BaseException:
            await result.discard()
            raise
        result.response = held
        if not mended:
            return result
        self._then(ask, "left out what was refused")
        await result.discard()
        return await self._try(candidate, credential, label, ask)

    async def _try(self, candidate: Candidate, credential: Credential | None, label: str, ask: _Ask) -> _Result:
        begin = self._clock.mono()
        try:
            response = await candidate.before(credential, label) if candidate.before is not None else None
            if response is None:
                response = await candidate.transport.send(candidate.make(credential, label))
        except UpstreamError as error:
            result = _Result(error=error, verdict=UNREACHABLE, failed=True)
            if self._note is not None:
                self._note(candidate.name, str(error))
        except CredentialError as error:
            result = _Result(error=error, verdict=NO_CREDENTIAL, failed=True)
        else:
            if self._note is not None:
                self._note(candidate.name, "")
            try:
                result = await self._judge(candidate, response, ask)
            except BaseException:
                await response.close()
                raise
        ask.note(
            Step(
                candidate.name,
                label,
                result.response.status if result.response is not None else 0,
                _problem(result),
                seconds=round(self._clock.mono() - begin, 3),
            )
        )
        return result

    async def _judge(self, candidate: Candidate, response: UpstreamResponse, ask: _Ask) -> _Result:
        """Looks as closely at an answer as somebody may act on what is found."""
        several = candidate.credentials is not None and len(candidate.credentials) > 1
        judged = ask.judged or several
        status, now = response.status, self._clock.wall()
        if status >= 400:
            if not judged:
                verdict = judge(status, response.headers, None, now=now) if status == 401 else None
                return _Result(response, verdict=verdict, failed=True)
            held = Held(response)
            error = await read_error(held, candidate.dialect, seconds=_READ_ERROR)
            verdict = judge(status, response.headers, error, now=now)
            return _Result(held, verdict=verdict if verdict.helps else None, failed=True)
        if status == 101 or not judged or not candidate.repeatable or candidate.dialect is None:
            return _Result(response)
        held = Held(response)
        try:
            hidden = await hidden_error(held, candidate.dialect, seconds=candidate.hold)
        except UpstreamError as error:
            await held.close()
            return _Result(error=error, verdict=UNREACHABLE, failed=True)
        if hidden is None:
            return _Result(held)
        verdict = judge(hidden.http_status, response.headers, hidden, now=now)
        return _Result(held, verdict=verdict if verdict.helps else None, failed=True)

    def _then(self, ask: _Ask, what: str) -> None:
        """Says of the last try what was done about it."""
        if ask.story:
            last = ask.story[-1]
            ask.story[-1] = Step(last.provider, last.credential, last.status, last.problem, what, last.seconds)


def _problem(result: _Result) -> str:
    if result.error is not None:
        return result.error.message
    if not result.failed or result.response is None:
        return ""
    status = result.response.status
    return f"status {status}" if status >= 400 else "an error inside of the answer"


def _answer(result: _Result) -> UpstreamResponse:
    if result.response is None:
        assert result.error is not None
        raise result.error
    return result.response

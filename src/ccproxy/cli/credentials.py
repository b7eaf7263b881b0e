"""What `ccproxy auth` does: looks at the credentials of the configuration, renews them, tries them out.

It works in its own process, whether a proxy runs or not. A login that is renewed here is locked like everywhere else,
and a running proxy sees the changed file at its next request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ccproxy.auth.base import Credential
from ccproxy.auth.build import SourceBuilder
from ccproxy.auth.pool import CredentialPool, Member, credential_report
from ccproxy.config.settings import Settings
from ccproxy.egress.pooled import PooledTransport
from ccproxy.egress.reach import unreachable
from ccproxy.egress.sender import Candidate, Sender
from ccproxy.egress.tokens import TokenPost
from ccproxy.egress.transport import Timeouts, UpstreamRequest
from ccproxy.errors import CCProxyError, CommandError, CredentialError
from ccproxy.exchange.exchange import Step
from ccproxy.exchange.http import Headers
from ccproxy.gateway.projects import question
from ccproxy.providers.base import Provider
from ccproxy.providers.registry import build_provider
from ccproxy.util.clock import SystemClock

_TRY_SECONDS = 30.0
_TIMEOUTS = Timeouts(_TRY_SECONDS, _TRY_SECONDS, _TRY_SECONDS)
#: The versions of their interfaces that providers want to be told.
_ASKED_FOR = {"anthropic": [(b"anthropic-version", b"2023-06-01")]}
_QUERIES = {"/backend-api/codex": b"client_version=0.0.0"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one credential: `good` or not, in words, and when it expires (seconds from now) where that is
    known and new."""

    source: str
    good: bool
    words: str
    expires_in: float | None = None


class Credentials:
    """The credentials of one configuration. Made and used within one event loop; `close` it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clock = SystemClock()
        self._transport = PooledTransport(settings.egress)
        self._builder = SourceBuilder(clock=self._clock, post=TokenPost(lambda: self._transport))

    async def close(self) -> None:
        """Lets go of the connections."""
        await self._transport.close()

    async def report(self, name: str | None) -> list[dict[str, object]]:
        """What can be told of the credentials, of all providers or of one, without asking anybody: the members of
        `credential_report` and `provider`."""
        found = []
        for each in self._settings.providers if name is None else [name]:
            pool = self._pool(each)
            for member in pool.members if pool is not None else ():
                await member.source.look()
            found += [{"provider": each, **entry} for entry in credential_report(pool, self._clock)]
        return found

    async def refresh(self, name: str) -> list[Outcome]:
        """Renews the credentials of a provider."""

        async def renew(member: Member) -> Outcome:
            await member.source.refresh()
            status = member.source.status()
            left = status.expires - self._clock.wall() if status.expires is not None else None
            return Outcome(member.source.label, True, "renewed" if status.renews else "read again", left)

        return await self._each(name, renew)

    async def test(self, name: str) -> list[Outcome]:
        """Asks the provider for its models, or Code Assist for a project, with each of its credentials."""
        pool = self._pool(name)
        provider = build_provider(name, self._settings.providers[name], pool)
        if provider.type.in_process:
            return [Outcome("none", True, "the provider answers by itself and needs no credential")]
        if provider.credentials is None:
            raise CommandError(f"provider {name!r} has no credential to test", hint=f"see providers.{name}.auth")

        async def ask(member: Member) -> Outcome:
            words = await self._ask(provider, CredentialPool([member.source], clock=self._clock))
            return Outcome(member.source.label, True, words)

        return await self._each(name, ask)

    async def check(self) -> list[str]:
        """What keeps the providers of the configuration from being used, a line each: every credential is got, and a
        connection to every provider is opened. No request is sent to a provider."""
        providers = [
            build_provider(name, config, self._pool(name)) for name, config in self._settings.providers.items()
        ]
        found = await asyncio.gather(*(self._check(provider) for provider in providers))
        return [line for lines in found for line in lines]

    async def _check(self, provider: Provider) -> list[str]:
        if provider.type.in_process:
            return []
        problems = []
        for member in provider.credentials.members if provider.credentials is not None else ():
            try:
                provider.credential_fields(await member.source.get())
            except CCProxyError as error:
                problems.append(str(error))
        if problem := await unreachable(provider, self._transport):
            problems.append(f"provider {provider.name!r}: {problem}")
        return problems

    async def _each(self, name: str, act: Callable[[Member], Awaitable[Outcome]]) -> list[Outcome]:
        pool = self._pool(name)
        if pool is None:
            raise CommandError(f"provider {name!r} has no credential", hint=f"see providers.{name}.auth")
        outcomes = []
        for member in pool.members:
            try:
                outcomes.append(await act(member))
            except CCProxyError as error:
                outcomes.append(Outcome(member.source.label, False, str(error)))
        return outcomes

    async def _ask(self, provider: Provider, pool: CredentialPool) -> str:
        """What the provider says, in words. Raises CCProxyError if that is not a welcome."""
        base = provider.base.rstrip("/")
        query = b"&".join(part for part in (provider.query, _QUERIES.get(base, b"")) if part)
        target = f"{base}/models".encode() + (b"?" + query if query else b"")

        assists = provider.wire == "code_assist"
        if assists:
            target = question(provider, None, b"", _TIMEOUTS).target

        def make(credential: Credential | None, label: str) -> UpstreamRequest:
            if assists:
                return question(provider, credential, b"", _TIMEOUTS)
            headers = Headers([(b"accept", b"application/json"), *_ASKED_FOR.get(provider.dialect, [])])
            if credential is not None:
                headers.pairs += provider.credential_fields(credential)
                if provider.type.amend is not None:
                    provider.type.amend(headers.pairs, credential)
            return UpstreamRequest(
                method="GET",
                scheme=provider.scheme,
                host=provider.host,
                port=provider.port,
                target=target,
                headers=headers,
                timeouts=_TIMEOUTS,
                verify=provider.verify,
            )

        story: list[Step] = []
        candidate = Candidate(provider.name, make, self._transport, credentials=pool)
        _, response = await Sender(self._clock).send(candidate, story=story)
        await response.close()
        renewed = "; the credential was renewed first" if any("renewed" in step.then for step in story) else ""
        where = f"{provider.origin}{target.partition(b'?')[0].decode()}"
        if response.status in {401, 403}:
            raise CredentialError(f"refused: {where} answered {response.status}{renewed}")
        if response.status >= 400:
            return f"not refused: {where} answered {response.status}, so it has no list of models or does not work{renewed}"
        return f"accepted: {where} answered {response.status}{renewed}"

    def _pool(self, name: str) -> CredentialPool | None:
        config = self._settings.providers.get(name)
        if config is None:
            known = ", ".join(self._settings.providers) or "none"
            raise CommandError(f"no provider {name!r} is configured", hint=f"there are: {known}")
        return self._builder.pool(config.auth, name)

"""The project that a Google login has at Code Assist, without which it generates nothing.

It is asked for once for each access token (a project belongs to the account behind the token), however many requests wait
for it; a failure is remembered for none of them. A refusal is handed on as the provider's answer, so that a token that was
refused is renewed, and a provider that is full is tried again, as with any other request.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

from ccproxy.auth.base import Credential
from ccproxy.egress.transport import Sends, Timeouts, UpstreamRequest
from ccproxy.errors import CredentialError, UpstreamError
from ccproxy.exchange.http import Headers
from ccproxy.lightllm.compression import decode
from ccproxy.lightllm.jsontext import loads_or_none
from ccproxy.providers.base import CODE_ASSIST, Provider
from ccproxy.util.aio import SingleFlight

#: Seconds that the answer may take.
_PATIENCE = 20.0
_LARGEST = 1024 * 1024
_MOST = 64
QUESTION = b'{"metadata":{"ideType":"IDE_UNSPECIFIED","platform":"PLATFORM_UNSPECIFIED","pluginType":"GEMINI"}}'


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer other than a project, kept whole: an `UpstreamResponse` that any number of requests can be given."""

    status: int
    reason: str
    headers: Headers
    body: bytes
    http_version: str = "1.1"

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body, in one piece."""
        yield self.body

    async def close(self) -> None:
        """Nothing is held."""


class Projects:
    """What is known of the projects of logins."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, str] = OrderedDict()
        self._asking: SingleFlight[str | Refusal] = SingleFlight()

    async def find(
        self, provider: Provider, credential: Credential | None, request: UpstreamRequest, transport: Sends
    ) -> str | Refusal:
        """The project of a login, or the answer that was given in its place.

        Args:
            request: the question, as `question` makes it.

        Raises UpstreamError where there is no answer, CredentialError where the account cannot use Code Assist.
        """
        secret = credential.value if credential is not None else ""
        key = f"{provider.name} {provider.origin} {hashlib.sha256(secret.encode()).hexdigest()}"
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        found = await self._asking.do(key, partial(_ask, provider, request, transport))
        if isinstance(found, str):
            self._known[key] = found
            if len(self._known) > _MOST:
                self._known.popitem(last=False)
        return found


def question(
    provider: Provider, credential: Credential | None, user_agent: bytes, timeouts: Timeouts
) -> UpstreamRequest:
    """The request that asks for the project of a login. Raises CredentialError."""
    fields = [
        (b"Content-Type", b"application/json"),
        (b"Accept", b"application/json"),
        (b"Content-Length", str(len(QUESTION)).encode()),
    ]
    if user_agent:
        fields.append((b"User-Agent", user_agent))
    if credential is not None:
        fields += provider.credential_fields(credential)
    path = provider.path.partition(CODE_ASSIST)[0] + CODE_ASSIST + ":loadCodeAssist"
    return UpstreamRequest(
        method="POST",
        scheme=provider.scheme,
        host=provider.host,
        port=provider.port,
        target=path.encode("latin-1") + (b"?" + provider.query if provider.query else b""),
        headers=Headers(fields),
        body=QUESTION,
        timeouts=Timeouts(timeouts.connect, _PATIENCE, _PATIENCE),
        verify=provider.verify,
    )


async def _ask(provider: Provider, request: UpstreamRequest, transport: Sends) -> str | Refusal:
    response = await transport.send(request)
    body = bytearray()
    try:
        async for chunk in response.chunks():
            body += chunk
            if len(body) > _LARGEST:
                raise UpstreamError(f"provider {provider.name!r} tells of its project in an answer that is too large")
    finally:
        await response.close()
    if response.status != 200:
        return Refusal(response.status, response.reason, response.headers, bytes(body))
    encoding = response.headers.text(b"content-encoding")
    return _project(provider, decode(bytes(body), encoding, _LARGEST, error=UpstreamError))


def _project(provider: Provider, body: bytes) -> str:
    told = loads_or_none(body)
    if not isinstance(told, dict):
        raise UpstreamError(f"provider {provider.name!r} does not tell its project: the answer is no JSON object")
    project = told.get("cloudaicompanionProject")
    if isinstance(project, dict):
        project = project.get("id")
    if isinstance(project, str) and project:
        return project
    refused = told.get("ineligibleTiers")
    why = [tier for tier in refused if isinstance(tier, dict)] if isinstance(refused, list) else []
    if why and not told.get("currentTier"):
        reason = why[0].get("reasonMessage") or why[0].get("reasonCode") or "no reason is given"
        url = why[0].get("validationUrl")
        raise CredentialError(
            f"the account of provider {provider.name!r} cannot use Code Assist: {_line(reason)}",
            hint=f"see {_line(url)}" if url else "log in with another account in gemini-cli",
            status=403,
        )
    if not told.get("currentTier"):
        raise CredentialError(
            f"the account of provider {provider.name!r} is not set up for Code Assist",
            hint="run gemini-cli once with this login",
            status=403,
        )
    raise CredentialError(
        f"the account of provider {provider.name!r} has no project at Code Assist",
        hint=f"set providers.{provider.name}.project",
        status=403,
    )


def _line(text: object) -> str:
    return " ".join(str(text).split())[:300]

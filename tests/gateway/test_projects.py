"""What is asked for a project, and what the answers mean; tests/gateway/test_forms.py has it on the wire."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import pytest

from ccproxy.auth.base import Credential
from ccproxy.egress.transport import Timeouts, UpstreamRequest, UpstreamResponse
from ccproxy.errors import CredentialError, UpstreamError
from ccproxy.exchange.http import Headers
from ccproxy.gateway.projects import Projects, Refusal, question
from ccproxy.providers.base import Provider
from ccproxy.providers.config import ProviderConfig
from ccproxy.providers.registry import build_provider

LOGIN = Credential("ya29.token")


def provider(**config: Any) -> Provider:
    return build_provider("p", ProviderConfig(**{"type": "code_assist", **config}), None)


class Backend:
    """Answers with what it is given, in turn; the last one for ever."""

    def __init__(self, *answers: Refusal) -> None:
        self.answers = list(answers)
        self.requests: list[UpstreamRequest] = []

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        self.requests.append(request)
        await asyncio.sleep(0)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    async def open_socket(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    async def close(self) -> None:
        pass


def told(body: object, status: int = 200, **headers: str) -> Refusal:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Refusal(status, "", Headers((n.encode(), v.encode()) for n, v in headers.items()), content)


async def find(backend: Backend, projects: Projects | None = None, login: Credential = LOGIN) -> str | Refusal:
    asking = question(provider(), login, b"", Timeouts())
    return await (projects or Projects()).find(provider(), login, asking, backend)


def test_the_question() -> None:
    asked = question(provider(base_url="http://127.0.0.1:1/prefix?a=b"), LOGIN, b"agent", Timeouts(connect=3))
    assert asked.target == b"/prefix/v1internal:loadCodeAssist?a=b"
    assert asked.headers.get(b"authorization") == b"Bearer ya29.token"
    assert asked.headers.get(b"user-agent") == b"agent"
    assert (asked.timeouts.connect, asked.timeouts.first_byte) == (3, 20)
    assert isinstance(asked.body, bytes) and json.loads(asked.body)["metadata"]["pluginType"] == "GEMINI"
    assert b"authorization" not in question(provider(), None, b"", Timeouts()).headers


@pytest.mark.parametrize("project", ["mine", {"id": "mine", "name": "Mine"}])
async def test_it_is_asked_once_for_each_token(project: object) -> None:
    backend, projects = Backend(told({"currentTier": {}, "cloudaicompanionProject": project})), Projects()
    found = await asyncio.gather(*(find(backend, projects) for _ in range(9)))
    assert set(found) == {"mine"} and len(backend.requests) == 1
    assert await find(backend, projects, Credential("ya29.another")) == "mine"
    assert len(backend.requests) == 2


async def test_an_answer_may_be_compressed() -> None:
    body = gzip.compress(b'{"cloudaicompanionProject":"mine"}')
    assert await find(Backend(told(body, **{"content-encoding": "gzip"}))) == "mine"


async def test_a_refusal_is_given_to_all_who_wait_and_forgotten() -> None:
    backend = Backend(told({"error": {"code": 403}}, 403), told({"cloudaicompanionProject": "mine"}))
    projects = Projects()
    refused = await asyncio.gather(*(find(backend, projects) for _ in range(3)))
    for each in refused:
        assert isinstance(each, Refusal)
        assert (each.status, [chunk async for chunk in each.chunks()]) == (403, [b'{"error": {"code": 403}}'])
        await each.close()
    assert await find(backend, projects) == "mine"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({}, "is not set up.*run gemini-cli once"),
        ({"currentTier": {"id": "t"}}, "has no project.*providers.p.project"),
        ({"ineligibleTiers": [{"reasonCode": "UNDER_AGE"}]}, "cannot use Code Assist: UNDER_AGE.*another account"),
        (
            {"ineligibleTiers": [{"reasonMessage": "Verify\nyourself.", "validationUrl": "https://v"}]},
            "Verify yourself..*https://v",
        ),
        ({"currentTier": None, "ineligibleTiers": "odd", "cloudaicompanionProject": ""}, "is not set up"),
    ],
)
async def test_an_account_that_has_none(answer: object, words: str) -> None:
    with pytest.raises(CredentialError, match=words) as refused:
        await find(Backend(told(answer)))
    assert refused.value.status == 403


@pytest.mark.parametrize("answer", [b"", b"[]", b"<html>", b"x" * (1024 * 1024 + 1)])
async def test_an_answer_that_cannot_be_read(answer: bytes) -> None:
    with pytest.raises(UpstreamError, match="project"):
        await find(Backend(told(answer)))


async def test_only_so_many_are_kept() -> None:
    backend, projects = Backend(told({"cloudaicompanionProject": "mine"})), Projects()
    for number in range(65):
        await find(backend, projects, Credential(f"ya29.{number}"))
    await find(backend, projects, Credential("ya29.64"))
    assert len(backend.requests) == 65
    await find(backend, projects, Credential("ya29.0"))
    assert len(backend.requests) == 66

"""The Code Assist backend of the kit: as strict as Google's, and full when it is told to be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy.testing import CodeAssist, FakeProvider, native_error

from .raw import ask, post

GOOD: dict[str, Any] = {"model": "g", "project": "project-of-tests", "request": {"contents": []}}


async def said(provider: FakeProvider, method: str, body: object, *headers: str) -> tuple[int, Any]:
    answer = await ask(provider, post(f"/v1internal:{method}", json.dumps(body).encode(), *headers))
    return answer.status, json.loads(answer.body)


@pytest.mark.parametrize(
    ("method", "body", "status", "words"),
    [
        ("generateContent", GOOD, 200, ""),
        ("generateContent", {**GOOD, "user_prompt_id": "p", "request": {"session_id": "s"}}, 200, ""),
        ("generateContent", {"contents": []}, 400, 'Unknown name "contents"'),
        ("generateContent", {**GOOD, "request": {"model": "g"}}, 400, 'Unknown name "model"'),
        ("generateContent", {**GOOD, "request": 5}, 400, "Unknown name"),
        ("generateContent", {"model": "g", "request": {}}, 403, "project None"),
        ("countTokens", {"request": {"model": "models/g", "contents": []}}, 200, ""),
        ("countTokens", {"request": {"tools": []}}, 400, 'Unknown name "tools"'),
        ("countTokens", {"contents": []}, 400, 'Unknown name "contents"'),
    ],
)
async def test_it_takes_its_own_form_alone(method: str, body: object, status: int, words: str) -> None:
    async with FakeProvider() as provider:
        CodeAssist(provider)
        found, answer = await said(provider, method, body)
        assert found == status, answer
        assert words in json.dumps(answer).replace('\\"', '"')


async def test_it_tells_the_project_of_an_account() -> None:
    async with FakeProvider() as provider:
        assist = CodeAssist(provider)
        assist.projects["token"] = "another"
        _, answer = await said(provider, "loadCodeAssist", {})
        assert (answer["cloudaicompanionProject"], answer["currentTier"]["id"]) == ("project-of-tests", "standard-tier")
        _, answer = await said(provider, "loadCodeAssist", {}, "Authorization: Bearer token")
        assert answer["cloudaicompanionProject"] == "another"
        assist.account = {"currentTier": None, "cloudaicompanionProject": None, "ineligibleTiers": []}
        _, answer = await said(provider, "loadCodeAssist", {})
        assert set(answer) == {"allowedTiers", "gcpManaged", "ineligibleTiers"}
        assist.refusal = native_error("gemini", 403)
        assert (await said(provider, "loadCodeAssist", {}))[0] == 403
        assert len(assist.loads) == 4


async def test_a_model_is_full_as_often_as_it_is_told() -> None:
    async with FakeProvider() as provider:
        assist = CodeAssist(provider)
        assist.fill("g", status=503, delay=1.5, times=1)
        status, answer = await said(provider, "generateContent", GOOD)
        assert status == 503
        reason, retry = answer["error"]["details"]
        assert (reason["reason"], retry["retryDelay"]) == ("MODEL_CAPACITY_EXHAUSTED", "1.5s")
        assert (await said(provider, "generateContent", GOOD))[0] == 200
        assist.fill("g", hidden=True)
        hidden = await ask(provider, post("/v1internal:streamGenerateContent?alt=sse", json.dumps(GOOD).encode()))
        assert hidden.status == 200 and b'"code": 429' in hidden.body.replace(b'"code":429', b'"code": 429')
        assist.empty("g")
        assert (await said(provider, "generateContent", GOOD))[0] == 200
        assert assist.asked == ["g"] * 4

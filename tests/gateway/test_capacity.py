"""`gemini_capacity` on the wire: what is done when a model is full, in the four dialects, streamed and not."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from rig import Rig, rig
from test_forms import ALL, BOTH, CONTENTS, JSON, ask, key

from ccproxy.providers.config import GeminiCapacity, ProviderConfig, Retry
from ccproxy.testing import CodeAssist, FakeProvider, native_error

OTHERS = ["flash", "lite"]


class Waits:
    """Waits that take no time, and are kept."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@asynccontextmanager
async def full(
    capacity: dict[str, Any] | None = None, *, types: dict[str, ProviderConfig] | None = None, **options: Any
) -> AsyncIterator[tuple[Rig, CodeAssist, Waits]]:
    """A gateway in front of a Code Assist backend. `capacity`: the settings; `options`: those of the provider."""
    waits = Waits()
    async with FakeProvider(text="Here you are.") as fake:
        assist = CodeAssist(fake)
        known = {"assist": ProviderConfig(type="code_assist", base_url=fake.url, **options), **(types or {})}
        settings = GeminiCapacity(**{"enabled": True, "fallback_models": OTHERS, **(capacity or {})})
        async with rig(types=known, sleep=waits, capacity=settings) as r:
            yield r, assist, waits


@ALL
@BOTH
@pytest.mark.parametrize("hidden", [False, True], ids=["status", "hidden"])
class TestInEveryDialect:
    async def test_the_same_model_is_asked_again_after_the_wait_it_names(
        self, dialect: str, streamed: bool, hidden: bool
    ) -> None:
        async with full() as (r, assist, waits):
            assist.fill("g", delay=2.5, hidden=hidden, times=2)
            answer = await ask(r, dialect, streamed, "assist")

            assert (answer.status, answer.complete) == (200, True), answer.body
            assert b"Here" in answer.body
            assert assist.asked == ["g", "g", "g"]
            assert waits.seconds == [2.5, 2.5]
            story = (await r.flow()).story
            assert [step.then for step in story] == ["waited 2.5 s", "waited 2.5 s", ""]

    async def test_then_the_other_models_are_asked_in_order(self, dialect: str, streamed: bool, hidden: bool) -> None:
        async with full({"sticky_retry_attempts": 1}) as (r, assist, waits):
            assist.fill("g", delay=1, hidden=hidden)
            assist.fill("flash", delay=1, hidden=hidden)
            answer = await ask(r, dialect, streamed, "assist")

            assert (answer.status, answer.complete) == (200, True), answer.body
            assert b"Here" in answer.body
            assert assist.asked == ["g", "g", "flash", "lite"]
            assert waits.seconds == [1]
            flow = await r.flow()
            then = [step.then for step in flow.story]
            assert then == ["waited 1 s", "went on to flash", "went on to lite", ""]
            assert flow.forwarded is not None and json.loads(flow.forwarded.body)["model"] == "lite"

    async def test_if_all_are_full_the_first_failure_comes_in_the_clients_words(
        self, dialect: str, streamed: bool, hidden: bool
    ) -> None:
        async with full({"sticky_retry_attempts": 0}) as (r, assist, _):
            for model in ("g", *OTHERS):
                assist.fill(model, status=503, hidden=hidden)
            answer = await ask(r, dialect, streamed, "assist")
            assert assist.asked == ["g", *OTHERS]
            if hidden and streamed and dialect == "gemini":
                assert b"No capacity available for model g." in answer.body
                return
            assert answer.status == 503, answer.body
            assert "No capacity available for model g." in json.loads(answer.body)["error"]["message"]


@pytest.mark.parametrize("status", [429, 503])
async def test_a_wait_that_is_too_long_goes_to_the_next_model_at_once(status: int) -> None:
    async with full() as (r, assist, waits):
        assist.fill("g", status=status, delay=61)
        assert (await ask(r, "gemini", True, "assist")).status == 200
        assert (assist.asked, waits.seconds) == (["g", "flash"], [])


async def test_a_wait_beyond_the_ceiling_ends_it() -> None:
    async with full() as (r, assist, waits):
        assist.fill("g", delay=301)
        answer = await ask(r, "openai", False, "assist")
        assert (answer.status, assist.asked, waits.seconds) == (429, ["g"], [])
        assert (await r.flow()).story == []


async def test_another_models_wait_beyond_the_ceiling_ends_it_too() -> None:
    async with full() as (r, assist, _):
        assist.fill("g", delay=61)
        assist.fill("flash", delay=301)
        answer = await ask(r, "openai", False, "assist")
        assert (answer.status, assist.asked) == (429, ["g", "flash"])
        assert "model g." in json.loads(answer.body)["error"]["message"]


async def test_no_wait_begins_that_would_end_after_the_budget() -> None:
    async with full({"total_retry_budget_seconds": 3}) as (r, assist, waits):
        assist.fill("g", delay=4)
        assert (await ask(r, "gemini", False, "assist")).status == 200
        assert (assist.asked, waits.seconds) == (["g", "flash"], [])


async def test_a_quota_of_the_day_is_not_waited_for() -> None:
    async with full() as (r, assist, waits):
        assist.fill("g", reason="QUOTA_EXHAUSTED")
        assert (await ask(r, "gemini", False, "assist")).status == 200
        assert (assist.asked, waits.seconds) == (["g", "flash"], [])


@pytest.mark.parametrize("status", [400, 404, 500])
async def test_other_failures_are_none_of_its_business(status: int) -> None:
    async with full() as (r, assist, waits):
        assist.fill("g", status=status, reason="")
        answer = await ask(r, "gemini", False, "assist")
        assert (answer.status, assist.asked, waits.seconds) == (status, ["g"], [])


async def test_switched_off_the_failure_goes_to_the_client() -> None:
    async with full({"enabled": False}) as (r, assist, waits):
        assist.fill("g", delay=1)
        answer = await ask(r, "gemini", False, "assist")
        assert (answer.status, assist.asked, waits.seconds) == (429, ["g"], [])


async def test_a_request_in_the_envelope_gets_another_model_too() -> None:
    async with full({"sticky_retry_attempts": 0}) as (r, assist, _):
        assist.fill("g")
        body = json.dumps({"model": "g", "project": "project-of-tests", "request": CONTENTS}).encode()
        answer = await r.request("POST", "/v1internal:generateContent", body, [JSON, key("assist")])
        assert answer.status == 200 and b'"response"' in answer.body
        assert assist.asked == ["g", "flash"]


async def test_the_model_that_was_asked_is_not_asked_as_another() -> None:
    async with full({"sticky_retry_attempts": 0, "fallback_models": ["g", "flash"]}) as (r, assist, _):
        assist.fill("g")
        assert (await ask(r, "gemini", False, "assist")).status == 200
        assert assist.asked == ["g", "flash"]


@BOTH
async def test_the_public_api_has_the_model_in_its_path(streamed: bool) -> None:
    async with FakeProvider() as fake:
        fake.on("/models/g:", native_error("gemini", 503))
        types = {"public": ProviderConfig(type="gemini", base_url=fake.url)}
        capacity = GeminiCapacity(enabled=True, fallback_models=["flash"], sticky_retry_attempts=0)
        async with rig(types=types, capacity=capacity) as r:
            assert (await ask(r, "gemini", streamed, "public")).status == 200
            assert ["g" in each.path.rpartition("/")[2].partition(":")[0] for each in fake.requests] == [True, False]


async def test_behind_the_models_come_the_other_providers() -> None:
    async with FakeProvider(text="From elsewhere.") as other:
        types = {"other": ProviderConfig(type="openai", base_url=other.url)}
        async with full({"sticky_retry_attempts": 0}, types=types, fallback=["other/m"]) as (r, assist, _):
            for model in ("g", *OTHERS):
                assist.fill(model)
            answer = await ask(r, "anthropic", True, "assist")
            assert answer.status == 200 and b"elsewhere" in answer.body
            assert [step.provider for step in (await r.flow()).story] == ["assist"] * 3 + ["other"]


async def test_retries_of_the_provider_are_for_its_other_failures() -> None:
    async with full({"sticky_retry_attempts": 1}, retry=Retry(attempts=5, base_seconds=0)) as (r, assist, _waits):
        assist.fill("g", status=500, reason="", times=2)
        assert (await ask(r, "gemini", False, "assist")).status == 200
        assert assist.asked == ["g", "g", "g"]
        assist.asked.clear()
        assist.fill("g", delay=1)
        assert (await ask(r, "gemini", False, "assist")).status == 200
        assert assist.asked == ["g", "g", "flash"]

"""Secrets in what goes out: reported, masked or stopped. `tests/pipeline/test_secrets.py` has the shapes."""

from __future__ import annotations

import json
import logging

import pytest

from ccproxy.errors import Refused
from ccproxy.hooks.redact_secrets import redact_secrets
from ccproxy.testing import TrackingContext

SECRET = "AKIA" + "IOSFODNN7EXAMPLE"
BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": f"my key is {SECRET}"}]}, indent=1).encode()
CLEAN = BODY.replace(SECRET.encode(), b"hidden")


async def test_masking(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    ctx = TrackingContext(redact_secrets, BODY)
    assert await ctx.run()
    assert ctx.content == BODY.replace(SECRET.encode(), b"[redacted:aws_key]")
    assert ctx.result.changed == ["body.messages.0.content"]
    assert ctx.result.notes == ["masked 1 aws_key, the first at messages.0.content"]
    assert "masked in what goes to the provider: 1 aws_key" in caplog.text
    assert SECRET not in caplog.text


async def test_auditing_changes_nothing() -> None:
    ctx = TrackingContext(redact_secrets, BODY, params={"mode": "audit"})
    await ctx.run()
    assert ctx.content == BODY
    assert (ctx.result.changed, ctx.result.notes) == ([], ["found 1 aws_key, the first at messages.0.content"])


async def test_blocking_names_the_place_and_not_the_secret() -> None:
    ctx = TrackingContext(redact_secrets, BODY, params={"mode": "block"})
    with pytest.raises(Refused) as caught:
        await ctx.run()
    assert caught.value.status == 400
    assert "the first a aws_key at messages.0.content" in str(caught.value)
    assert SECRET not in str(caught.value)


async def test_kinds_can_be_let_through() -> None:
    ctx = TrackingContext(redact_secrets, BODY, params={"mode": "block", "ignore": ["aws_key"]})
    await ctx.run()
    assert ctx.content == BODY


@pytest.mark.parametrize("mode", ["audit", "mask", "block"])
async def test_without_secrets_nothing_happens(mode: str) -> None:
    ctx = TrackingContext(redact_secrets, CLEAN, params={"mode": mode})
    await ctx.run()
    assert (ctx.content, ctx.result.notes) == (CLEAN, [])

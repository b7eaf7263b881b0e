"""One line for every exchange."""

from __future__ import annotations

import logging

import pytest
from rig import rig

from ccproxy.testing import no_answer

MESSAGE = b'{"model":"claude-x","messages":[]}'
FIELDS = [("Content-Type", "application/json"), ("x-api-key", "sk-ant-oat-ccproxy-anthropic")]


async def test_a_healthy_exchange_is_one_info_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "ccproxy.exchange"):
        async with rig() as r:
            await r.request("POST", "/v1/messages?beta=secret", MESSAGE, FIELDS)
            flow = await r.flow()
    (record,) = [record for record in caplog.records if record.name == "ccproxy.exchange"]
    assert record.levelname == "INFO"
    line = record.getMessage()
    assert line.startswith("POST /v1/messages -> anthropic claude-x 200 ")
    assert f"flow={flow.id}" in line
    assert "secret" not in line


async def test_a_failure_is_a_warning_that_says_why(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "ccproxy.exchange"):
        async with rig() as r:
            r.provider.reply(no_answer(), no_answer())
            await r.request("POST", "/v1/messages", MESSAGE, FIELDS)
            await r.flow()
    (record,) = [record for record in caplog.records if record.name == "ccproxy.exchange"]
    assert record.levelname == "WARNING"
    assert " 502 " in record.getMessage()
    assert "upstream_error: " in record.getMessage()


async def test_a_path_cannot_forge_a_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "ccproxy.exchange"):
        async with rig() as r:
            await r.request("GET", "/%0aforged%0dline", None, None)
            await r.flow()
    (record,) = [record for record in caplog.records if record.name == "ccproxy.exchange"]
    assert len(record.getMessage().splitlines()) == 1

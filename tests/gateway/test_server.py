"""Binding, and the orderly end."""

from __future__ import annotations

import asyncio
import socket

import pytest
from rig import read_answer, rig

from ccproxy.errors import CommandError
from ccproxy.gateway.server import Server
from ccproxy.testing import Gate, Pause, Reply, Send, silence

GET = b"GET /v1/models/x HTTP/1.1\r\nHost: localhost\r\nx-api-key: own\r\n\r\n"


async def test_ipv4_loopback_brings_the_ipv6_one_along_and_nothing_else() -> None:
    async with rig() as r:
        server = Server(r.gateway, r.runtime.config)
        urls = await server.start("127.0.0.1", 0)
        port = urls[0].rsplit(":", 1)[1]
        assert urls[0] == f"http://127.0.0.1:{port}"
        assert urls[1:] in ([f"http://[::1]:{port}"], [])
        await server.drain(0, asyncio.Event())


async def test_a_taken_port_is_said() -> None:
    async with rig() as r:
        with pytest.raises(CommandError, match="cannot listen on 127"):
            await Server(r.gateway, r.runtime.config).start("127.0.0.1", r.port)


async def test_a_taken_ipv6_port_is_said_since_localhost_may_mean_it() -> None:
    async with rig() as r:
        try:
            other = socket.create_server(("::1", 0), family=socket.AF_INET6)
        except OSError:
            pytest.skip("this machine has no IPv6 loopback")
        with other, pytest.raises(CommandError, match="cannot listen on ::1"):
            await Server(r.gateway, r.runtime.config).start("localhost", other.getsockname()[1])


async def test_draining_lets_running_answers_finish_and_takes_no_new_connection() -> None:
    async with rig() as r:
        gate = Gate()
        r.provider.reply(Reply(body=[Send(b"one "), Pause(gate), Send(b"two")]))
        reader, writer = await r.open()
        writer.write(GET)
        await reader.readuntil(b"one ")
        idle, _ = await r.open()
        drained = asyncio.create_task(r.server.drain(10, asyncio.Event()))
        assert await idle.read() == b"", "idle connections close at once"
        with pytest.raises(OSError):
            await r.open()
        gate.open()
        assert (await reader.read()).endswith(b"two\r\n0\r\n\r\n")
        await drained
        assert (await r.flow()).outcome == "complete"


@pytest.mark.parametrize("hurried", [False, True])
async def test_what_does_not_finish_is_cut_and_never_looks_complete(hurried: bool) -> None:
    async with rig() as r:
        r.provider.reply(silence())
        reader, writer = await r.open()
        writer.write(GET)
        await r.provider.wait_for_request(0)
        hurry = asyncio.Event()
        if hurried:
            hurry.set()
        await r.server.drain(0.02 if not hurried else 60, hurry)
        assert await reader.read() == b""
        await r.provider.wait_for_disconnect(0)
        flow = await r.flow()
        assert (flow.outcome, flow.error_kind) == ("failed", "shutdown")


async def test_after_the_drain_a_keep_alive_client_is_told_to_close() -> None:
    async with rig() as r:
        gate = Gate()
        r.provider.reply(Reply(body=[Pause(gate), Send(b"x")]))
        reader, writer = await r.open()
        writer.write(GET)
        await r.provider.wait_for_request(0)
        drained = asyncio.create_task(r.server.drain(10, asyncio.Event()))
        await asyncio.sleep(0)
        gate.open()
        answer = await read_answer(reader)
        assert answer.headers["connection"] == "close"
        await drained

"""Renewals by real processes: many at once, and one that is killed in the middle."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from ccproxy.testing import FakeProvider, Gate, TokenEndpoint

PATIENCE = 30.0

#: Says that it is ready, waits for a word, and prints its token or what went wrong.
CHILD = """
import asyncio, sys
from ccproxy.auth.build import SourceBuilder
from ccproxy.auth.config import AnthropicOAuth
from ccproxy.egress.config import EgressConfig
from ccproxy.egress.pooled import PooledTransport
from ccproxy.egress.tokens import TokenPost
from ccproxy.errors import CredentialError
from ccproxy.util.clock import SystemClock

async def main():
    transport = PooledTransport(EgressConfig())
    builder = SourceBuilder(clock=SystemClock(), post=TokenPost(lambda: transport))
    source = builder.source(AnthropicOAuth(file_path=sys.argv[1], endpoint=sys.argv[2]), "p")
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        print((await source.get()).value, flush=True)
    except CredentialError as error:
        print("error:", error, flush=True)
    await transport.close()

asyncio.run(main())
"""


async def child(path: Path, url: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", CHILD, str(path), url, stdin=pipe, stdout=pipe)
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), PATIENCE) == b"ready\n"
    return process


async def answer(process: asyncio.subprocess.Process) -> str:
    output, _ = await asyncio.wait_for(process.communicate(b"go\n"), PATIENCE)
    return output.decode().strip()


def login_file(folder: Path, endpoint: TokenEndpoint) -> Path:
    tokens = endpoint.sign_in()
    path = folder / ".claude" / ".credentials.json"
    path.parent.mkdir()
    expired = int((time.time() - 10) * 1000)
    login = {"accessToken": tokens.access, "refreshToken": tokens.refresh, "expiresAt": expired}
    path.write_text(json.dumps({"claudeAiOauth": login}))
    path.chmod(0o600)
    return path


async def test_eight_that_expire_at_once_cause_one_renewal_and_end_with_the_new_token(tmp_path: Path) -> None:
    async with FakeProvider() as provider:
        endpoint = TokenEndpoint(provider)
        path = login_file(tmp_path, endpoint)
        processes = [await child(path, endpoint.url) for _ in range(8)]

        tokens = await asyncio.gather(*(answer(process) for process in processes))

        assert endpoint.current is not None
        assert set(tokens) == {endpoint.current.access}
        assert len(endpoint.renewals) == 1
        assert json.loads(path.read_text())["claudeAiOauth"]["refreshToken"] == endpoint.current.refresh
        assert [each.name for each in path.parent.iterdir()] == [path.name]


async def test_one_that_is_killed_in_the_middle_holds_no_lock_and_its_loss_is_told(tmp_path: Path) -> None:
    async with FakeProvider() as provider:
        endpoint = TokenEndpoint(provider)
        endpoint.gate = Gate()
        path = login_file(tmp_path, endpoint)
        first, second = await child(path, endpoint.url), await child(path, endpoint.url)
        assert first.stdin is not None
        first.stdin.write(b"go\n")
        await provider.wait_for_request(0)
        first.kill()
        await first.wait()
        for folder in (path.parent / ".oauth_refresh.lock", path.parent.with_name(".claude.lock")):
            folder.rmdir()  # what only time would show to be left behind

        said = await answer(second)

        assert "after a renewal that was interrupted" in said
        assert "/login" in said
        assert len(endpoint.renewals) == 2

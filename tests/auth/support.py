"""Logins in files and a token endpoint in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from ccproxy.auth.anthropic import AnthropicVendor
from ccproxy.auth.call import TokenAnswer, TokenRequest
from ccproxy.auth.config import AnthropicOAuth
from ccproxy.auth.oauth import OAuthSource
from ccproxy.auth.store import FileStore
from ccproxy.errors import UpstreamError
from ccproxy.util.clock import FakeClock

Answer = tuple[int, object] | UpstreamError | Callable[[TokenRequest], tuple[int, object]]


@dataclass
class Endpoint:
    """Answers renewals, in order; the last answer again and again."""

    answers: list[Answer] = field(default_factory=list)
    requests: list[TokenRequest] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event | None = None

    @property
    def fields(self) -> list[dict[str, str]]:
        return [
            json.loads(request.body)
            if request.content_type == "application/json"
            else {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
            for request in self.requests
        ]

    async def __call__(self, request: TokenRequest) -> TokenAnswer:
        self.requests.append(request)
        self.arrived.set()
        if self.gate is not None:
            await self.gate.wait()
        answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
        if isinstance(answer, UpstreamError):
            raise answer
        status, body = answer(request) if callable(answer) else answer
        return TokenAnswer(status, body if isinstance(body, bytes) else json.dumps(body).encode())


def renewed(number: int = 2, **more: object) -> tuple[int, object]:
    return 200, {
        "access_token": f"sk-ant-oat01-{number:04d}-canary-access",
        "refresh_token": f"sk-ant-ort01-{number:04d}-canary-refresh",
        "expires_in": 3600,
        **more,
    }


REFUSED = (400, {"error": "invalid_grant", "error_description": "sk-ant-ort01-0001-canary-refresh is not known"})


class Claude:
    """A login of Claude Code in `folder`, valid for an hour, and a source for it."""

    def __init__(self, folder: Path, *answers: Answer, **config: Any) -> None:
        self.clock = FakeClock()
        self.endpoint = Endpoint(list(answers))
        self.path = folder / ".claude" / ".credentials.json"
        self.path.parent.mkdir(exist_ok=True)
        self.config = AnthropicOAuth(file_path=str(self.path), **config)
        self.slept = 0
        self.write()
        self.source = self.another()

    def another(self) -> OAuthSource:
        return OAuthSource(
            AnthropicVendor(self.config),
            FileStore(self.config.file_path),
            post=self.endpoint,
            clock=self.clock,
            provider="mine",
            header=self.config.header,
            headroom=self.config.headroom_seconds,
            timeout=self.config.timeout_seconds,
            renews=lambda: self.config.refresh is not False,
            sleep=self._sleep,
        )

    async def _sleep(self, seconds: float) -> None:
        self.slept += 1
        self.clock.advance(seconds)
        await asyncio.sleep(0)

    def write(self, number: int = 1, *, lifetime: float = 3600.0, **login: object) -> None:
        document = {
            "claudeAiOauth": {
                "accessToken": f"sk-ant-oat01-{number:04d}-canary-access",
                "refreshToken": f"sk-ant-ort01-{number:04d}-canary-refresh",
                "expiresAt": int((self.clock.wall() + lifetime) * 1000),
                "scopes": ["user:inference", "user:profile"],
                "subscriptionType": "max",
                **login,
            },
            "mcpOAuth": {"server": {"accessToken": "of-another"}},
        }
        self.path.write_text(json.dumps(document))
        self.path.chmod(0o600)

    @property
    def document(self) -> Any:
        return json.loads(self.path.read_text())

    @property
    def login(self) -> Any:
        return self.document["claudeAiOauth"]

    @property
    def note(self) -> Path:
        return self.path.with_name(".credentials.json.ccproxy-renewal")

    async def token(self) -> str:
        return (await self.source.get()).value


def access(number: int) -> str:
    return f"sk-ant-oat01-{number:04d}-canary-access"


def refresh(number: int) -> str:
    return f"sk-ant-ort01-{number:04d}-canary-refresh"

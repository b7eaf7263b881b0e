"""A flow: what is kept of an exchange after it ended. Secrets are already gone from it."""

from __future__ import annotations

from dataclasses import dataclass, field

Pairs = list[tuple[str, str]]


@dataclass(slots=True)
class Message:
    """One side of a recorded request or response.

    `body` holds the bytes as on the wire after transfer-encoding (content-encoding untouched), at most the configured
    number of them; `size` is how many there were. `headers` are redacted.
    """

    headers: Pairs
    body: bytes
    size: int
    http_version: str = "1.1"

    @property
    def truncated(self) -> bool:
        return len(self.body) < self.size


@dataclass(slots=True)
class RequestRecord(Message):
    """A request: the client's, or the one forwarded. Only `url` of the two may differ between them by design."""

    method: str = ""
    scheme: str = ""
    host: str = ""
    port: int = 0
    target: str = ""


@dataclass(slots=True)
class ResponseRecord(Message):
    """An answer as the provider (or ccproxy itself) gave it."""

    status: int = 0
    reason: str = ""
    timestamp_start: float = 0.0
    timestamp_end: float = 0.0


@dataclass(slots=True)
class Usage:
    """Tokens as the answer reported them, in one arithmetic: `input` counts every prompt token, cached ones included;
    `output` every generated one, reasoning included. None = not reported."""

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None


@dataclass(slots=True)
class WebSocketMessage:
    """One message of a WebSocket. `at` is seconds since the epoch; `text` tells text from binary."""

    from_client: bool
    text: bool
    body: bytes
    at: float


@dataclass(slots=True)
class Flow:
    """A recorded exchange."""

    id: str
    started: float
    duration: float
    door: str
    client_address: str
    client_key: str
    user_agent: str
    dialect: str
    operation: str
    model: str
    provider: str
    action: str
    reason: str
    credential: str
    outcome: str
    error_kind: str
    error: str
    streaming: bool
    ttfb: float | None
    request: RequestRecord
    forwarded: RequestRecord | None
    response: ResponseRecord | None
    usage: Usage | None = None
    websocket: list[WebSocketMessage] = field(default_factory=list)

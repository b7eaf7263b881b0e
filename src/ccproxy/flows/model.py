"""A flow: what is kept of an exchange after it ended. Secrets are already gone from it.

Moments are seconds since the epoch (0.0 = did not happen), durations seconds. The store fills in `seq`, and what it
reads off the bodies (usage, conversation); a flow read as a summary has its sizes but empty bodies.

A new field of `Flow` needs a default, a column (`rows.FACTS` or `rows.DERIVED`, a migration in `schema`) and, if it is a
fact, a new `journal.MAGIC`. Messages are stored as JSON by their field names: a new field there needs a default only.
"""

from __future__ import annotations

from msgspec import Struct, field

from ccproxy.exchange.exchange import Step
from ccproxy.exchange.hooks import HookResult
from ccproxy.lightllm.ir.losses import Loss

Pairs = list[tuple[str, str]]


class Message(Struct, omit_defaults=True):
    """One side of a recorded request or response.

    Attributes:
        headers: names and values in the order received, redacted.
        body: the bytes as on the wire after transfer-encoding (content-encoding untouched), at most the configured
            number of them.
        size: how many bytes there were.
        truncated: `body` is only the beginning.
        redacted: a secret was replaced in `body`, so it is not what was on the wire to the last byte.
        timestamp_start, timestamp_end: first and last byte of the message.
    """

    headers: Pairs
    body: bytes = b""
    size: int = 0
    http_version: str = "1.1"
    truncated: bool = False
    redacted: bool = False
    timestamp_start: float = 0.0
    timestamp_end: float = 0.0

    def header(self, name: str) -> str:
        """The first value of `name` (lower case), or ""."""
        length = len(name)
        for key, value in self.headers:
            if len(key) == length and key.lower() == name:
                return value
        return ""


class RequestRecord(Message, omit_defaults=True):
    """A request: the client's, or the one forwarded. `target` is path and query."""

    method: str = ""
    scheme: str = ""
    host: str = ""
    port: int = 0
    target: str = ""

    @property
    def url(self) -> str:
        """The whole URL; the port is left out where it is the scheme's own."""
        authority = f"[{self.host}]" if ":" in self.host else self.host
        if self.port != (443 if self.scheme == "https" else 80):
            authority = f"{authority}:{self.port}"
        return f"{self.scheme}://{authority}{self.target}"


class ResponseRecord(Message, omit_defaults=True):
    """An answer as the provider (or ccproxy itself) gave it."""

    status: int = 0
    reason: str = ""


class Usage(Struct):
    """Tokens as the answer reported them, in one arithmetic: `input` counts every prompt token, cached ones included;
    `output` every generated one, reasoning included. None = not reported."""

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None


class WebSocketMessage(Struct, array_like=True):
    """One message of a WebSocket. `at` is seconds since the epoch; `text` tells text from binary; `size` is the whole
    message's, of which `body` may be the beginning."""

    from_client: bool
    text: bool
    body: bytes
    size: int
    at: float


class WebSocketRecord(Struct, omit_defaults=True):
    """The messages of a WebSocket.

    `count`, `size` and `last` (when the last one came) count every message; `messages` holds the beginning of the
    conversation if `truncated`, and nothing in a summary.
    """

    messages: list[WebSocketMessage] = field(default_factory=list)
    count: int = 0
    size: int = 0
    last: float = 0.0
    truncated: bool = False
    redacted: bool = False


class Flow(Struct):
    """A recorded exchange.

    Attributes:
        seq: its place in the store's order; 0 before it is stored.
        model: the model the client asked for; `answer_model` the one the answer names.
        ttfb: from the first byte of the request to the first of the answer, or None if none came.
        reason: what decided the route; `credential`: the label of its source, never its value.
        run: the run whose jail it comes from, or ""; `process`: what sent it, `1234 git fetch < 1200 bash`, or "".
        session: the session that the client named, or one derived from how the conversation begins; see
            `conversation`, also for `conversation` (the thread in it), `parent` (the agent or session above) and
            `kind` (`main`, `subagent`, `title`, `count_tokens`, ...).
        response: what the upstream (or ccproxy itself) answered; `answer` what the client got, where that was converted.
        upstream_dialect: what `forwarded` and `response` are in, where that is not the client's dialect.
        story: the tries, where the exchange took more than one.
        losses: what a conversion could not carry over, in either direction; `hooks`: what the hooks did.
        timings: further moments by name, in seconds since `started`. Of a streamed answer `ttft`, when the first piece of
            content was there (text, thinking or tool call), and `last`, when the last one was; see `answer`.
        arrivals: when the pieces of a streamed answer came, as the provider sent them: where in the body of `response`
            a piece begins (bytes) and seconds since `started`; see `arrivals`. Empty in a summary.
        tools: the names of the tools that the answer calls, each once.
        cost: US dollars, or None if it is not known.
        shared: how many bytes at its beginning and at its end the forwarded body is known to have in common with the
            client's. Not stored.
    """

    id: str
    started: float
    duration: float
    door: str
    client_address: str
    client_port: int
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
    answer_model: str = ""
    websocket: WebSocketRecord | None = None
    seq: int = 0
    upstream_dialect: str = ""
    losses: list[Loss] = field(default_factory=list)
    answer: ResponseRecord | None = None
    story: list[Step] = field(default_factory=list)
    run: str = ""
    process: str = ""
    session: str = ""
    conversation: str = ""
    parent: str = ""
    kind: str = ""
    hooks: list[HookResult] = field(default_factory=list)
    timings: dict[str, float] = field(default_factory=dict)
    cost: float | None = None
    tools: list[str] = field(default_factory=list)
    arrivals: list[tuple[int, float]] = field(default_factory=list)
    shared: tuple[int, int] | None = None

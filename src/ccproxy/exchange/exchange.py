"""The live state of one request: everything the steps of `gateway/handler.py` hand to one another.

One object per request, created by the listener and finished by the recorder. Steps add to it; nothing else does.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Literal

from msgspec import Struct

from ccproxy.exchange.hooks import HookResult
from ccproxy.exchange.http import Headers, Snapshot
from ccproxy.exchange.route import Route
from ccproxy.lightllm.ir.losses import LossLedger

Outcome = Literal["pending", "complete", "client_gone", "upstream_cut", "upstream_error", "refused", "failed"]


def new_id() -> str:
    """A new exchange id: 12 random hexadecimal digits. It names, it does not protect."""
    return f"{random.getrandbits(48):012x}"


@dataclass(slots=True)
class Client:
    """Who asks. `key` is the name of the client key that was presented, `origin` the web origin of a page that may
    ask, `run` the run whose jail it is in, `process` what it is there; each "" for others."""

    address: str
    port: int
    user_agent: str = ""
    key: str = ""
    origin: str = ""
    run: str = ""
    process: str = ""


@dataclass(slots=True)
class Timings:
    """Moments in seconds of the monotonic clock (0.0 = did not happen), except `started`, seconds since the epoch."""

    started: float = 0.0
    begin: float = 0.0
    request_read: float = 0.0
    upstream_sent: float = 0.0
    upstream_head: float = 0.0
    first_byte: float = 0.0
    end: float = 0.0


@dataclass(slots=True)
class ResponseHead:
    """Status and header fields of an answer, as received from the provider or as made by ccproxy."""

    status: int
    reason: str
    headers: Headers
    http_version: str = "1.1"


@dataclass(slots=True)
class Failure:
    """Why an exchange did not end well: the error's kind and its one line."""

    kind: str
    message: str


class Step(Struct, frozen=True, omit_defaults=True):
    """One try of an exchange that took more than one.

    Attributes:
        provider: who was asked; `credential` is the label of what it was asked with.
        status: what it answered, 0 if nothing.
        problem: what was wrong, "" if nothing.
        then: what was done about it: "renewed the credential", "waited 2 s", "went on to other".
        seconds: how long the try took.
    """

    provider: str
    credential: str = ""
    status: int = 0
    problem: str = ""
    then: str = ""
    seconds: float = 0.0


@dataclass(slots=True)
class Exchange:
    """One request and its answer, while they happen."""

    id: str
    client: Client
    request: Snapshot
    timings: Timings
    door: Literal["gateway", "interceptor"] = "gateway"
    dialect: str = ""
    operation: str = ""
    model: str = ""
    streaming: bool = False
    route: Route | None = None
    credential: str = ""
    forwarded: Snapshot | None = None
    response: ResponseHead | None = None
    #: What the client got where that is not the upstream's answer as it came: the head of a converted one.
    answer: ResponseHead | None = None
    #: The dialect the upstream was asked in, where it is not the client's.
    upstream_dialect: str = ""
    #: What a conversion could not carry over.
    losses: LossLedger | None = None
    #: The tries, where there was more than one.
    story: list[Step] = field(default_factory=list)
    outcome: Outcome = "pending"
    failure: Failure | None = None
    #: The conversation it belongs to, as the client says, or "".
    session: str = ""
    #: Hooks that ran, in the order they began.
    hooks: list[HookResult] = field(default_factory=list)
    #: The field by which the interceptor handed the request over, for requests that are made of this one.
    handoff: bytes = field(default=b"", repr=False)
    #: Secrets seen in this exchange (the client's key, the injected credential): the recorder removes them everywhere.
    secrets: set[str] = field(default_factory=set, repr=False)

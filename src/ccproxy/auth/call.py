"""The seam between credential sources and the network: one small POST. The egress has the real one, tests their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A request to a token endpoint. Its body is secret. `timeout` is the longest it may take in all, in seconds."""

    url: str = field(repr=False)
    content_type: str
    body: bytes = field(repr=False)
    timeout: float = 15.0


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """What the endpoint said, decoded of its content-encoding. Its body is secret."""

    status: int
    body: bytes = field(repr=False)


#: Sends it. Raises UpstreamError if there is no whole answer.
Post = Callable[[TokenRequest], Awaitable[TokenAnswer]]

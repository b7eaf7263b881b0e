"""Where an exchange goes and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Action = Literal["passthrough", "redirect", "transform", "local"]


@dataclass(frozen=True, slots=True)
class Route:
    """The decision for one request.

    Attributes:
        action: `passthrough` keeps the request as it is, `redirect` changes where it goes, `transform` converts it,
            `local` is answered by ccproxy itself.
        reason: what decided, for `flows show`: "sentinel", "rule 2", "default upstream".
        provider: the name of the configured provider, or "" for a default upstream.
        scheme, host, port: the destination's origin.
        target: path and query for the upstream, as bytes on the wire.
        model: the model to put into the body in place of the client's, or ""; one that stands in the path is already
            in `target`.
        keep_credential: the client's own credential goes along (default upstreams and passthrough only).
    """

    action: Action
    reason: str
    provider: str = ""
    scheme: str = "https"
    host: str = ""
    port: int = 443
    target: bytes = b"/"
    model: str = ""
    keep_credential: bool = False

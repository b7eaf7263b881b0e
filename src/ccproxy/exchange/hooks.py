"""What a hook did to one exchange: kept on the exchange, stored with the flow."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field


class HookResult(Struct, omit_defaults=True):
    """One hook that ran.

    Attributes:
        name: the hook's, with `#2` for the second of the same name.
        stage: `inbound` or `outbound`.
        order: its turn in the stage, from 1.
        ms: how long it took, in milliseconds; what it did while the answer passed is not in it.
        changed: the places it wrote, each once: `headers.x-team`, `body.messages.3.content`.
        error: what went wrong, in one line; "" if nothing did.
        notes: what it wanted to have said about this exchange.
    """

    name: str
    stage: Literal["inbound", "outbound"]
    order: int
    ms: float = 0.0
    changed: list[str] = field(default_factory=list)
    error: str = ""
    notes: list[str] = field(default_factory=list)

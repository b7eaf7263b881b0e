"""`shape`: a name in the documented chain. In this version it does nothing, and says so at the start."""

from __future__ import annotations

from ccproxy.hooks import HookContext, hook


@hook(stage="outbound", pending="does nothing in this version")
def shape(ctx: HookContext) -> None:
    """Gives a request the form that the provider's own client has."""

"""`pplx_stamp_headers`: a name in the documented chain. In this version it does nothing, and says so at the start."""

from __future__ import annotations

from ccproxy.hooks import HookContext, hook


@hook(stage="outbound", pending="does nothing in this version")
def pplx_stamp_headers(ctx: HookContext) -> None:
    """Puts a Perplexity Pro session into the header fields that its web API wants."""

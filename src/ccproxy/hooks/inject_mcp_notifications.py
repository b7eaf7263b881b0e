"""`inject_mcp_notifications`: a name in the documented chain. In this version it does nothing, and says so at the start."""

from __future__ import annotations

from ccproxy.hooks import HookContext, hook


@hook(stage="outbound", pending="does nothing in this version")
def inject_mcp_notifications(ctx: HookContext) -> None:
    """Tells the model what MCP servers have reported since its last turn."""

"""`gemini_cli`: a name in the documented chain. In this version it does nothing, and says so at the start."""

from __future__ import annotations

from ccproxy.hooks import HookContext, hook


@hook(stage="outbound", pending="does nothing in this version")
def gemini_cli(ctx: HookContext) -> None:
    """Speaks Code Assist for a Gemini login: envelope, path, answer."""

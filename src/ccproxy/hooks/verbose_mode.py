"""`verbose_mode`: asks Anthropic for thinking that is not redacted."""

from __future__ import annotations

from ccproxy.hooks import HookContext, hook

_FIELD = "anthropic-beta"
_PREFIX = "redact-thinking-"


@hook(
    stage="outbound",
    reads=[f"headers.{_FIELD}"],
    writes=[f"headers.{_FIELD}"],
    when=lambda ctx: ctx.dialect == "anthropic",
)
def verbose_mode(ctx: HookContext) -> None:
    """Takes `redact-thinking-*` out of the anthropic-beta header, so that thinking arrives in full."""
    values = ctx.headers.all(_FIELD)
    if not any(_PREFIX in value for value in values):
        return
    kept = [word for value in values for word in map(str.strip, value.split(",")) if word]
    kept = [word for word in kept if not word.startswith(_PREFIX)]
    if kept:
        ctx.headers[_FIELD] = ",".join(kept)
    else:
        del ctx.headers[_FIELD]

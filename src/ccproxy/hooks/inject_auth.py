"""`inject_auth`: the provider's credential takes the place of the sentinel key.

The gateway does this itself, for every request and behind the last outbound hook, so that no hook ever sees a
credential of a provider, and no list without this hook lets a sentinel key out. Here is its name in the chain.
"""

from __future__ import annotations

from ccproxy.hooks import HookContext, hook


@hook(stage="inbound", every=True, locked=True, marker=True)
def inject_auth(ctx: HookContext) -> None:
    """Puts the provider's credential in the place of the sentinel key. Always done, listed here or not."""

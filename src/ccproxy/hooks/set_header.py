"""`set_header`: sets, fills in and removes header fields, from the configuration alone."""

from __future__ import annotations

import msgspec

from ccproxy.hooks import HookContext, hook


class Params(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Parameters.

    Attributes:
        set: values by name, whatever the client sends.
        default: values by name, where the client sends none.
        remove: names of fields that are taken out.
    """

    set: dict[str, str] = {}
    default: dict[str, str] = {}
    remove: list[str] = []


def _places(params: Params) -> list[str]:
    return [f"headers.{name}" for name in (*params.set, *params.default, *params.remove)]


@hook(
    reads=lambda params: [f"headers.{name}" for name in params.default],
    writes=_places,
    params=Params,
    every=True,
)
def set_header(ctx: HookContext, params: Params) -> None:
    """Sets header fields, fills in missing ones, removes others."""
    for name in params.remove:
        del ctx.headers[name]
    for name, value in params.set.items():
        ctx.headers[name] = value
    for name, value in params.default.items():
        if name not in ctx.headers:
            ctx.headers[name] = value

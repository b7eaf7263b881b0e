"""`set_param`: sets, fills in and removes fields of the body, from the configuration alone.

    - hook: ccproxy.hooks.set_param
      params:
        set: {temperature: 0}
        default: {max_tokens: 4096}
        remove: [metadata.user_id]
        match_model: ^gpt-

Paths are those of `ctx.body`: words joined with dots, positions of lists from 0.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ccproxy.hooks import HookContext, hook
from ccproxy.hooks.set_model import pattern


class Params(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Parameters.

    Attributes:
        set: values by path, put there whatever there was.
        default: values by path, put there where nothing is.
        remove: paths of what is taken out.
        match_model: a regular expression that the model must have a match for.
    """

    set: dict[str, Any] = {}
    default: dict[str, Any] = {}
    remove: list[str] = []
    match_model: str = ""

    def __post_init__(self) -> None:
        pattern(self.match_model)


def _places(params: Params) -> list[str]:
    return [f"body.{path}" for path in (*params.set, *params.default, *params.remove)]


def _reads(params: Params) -> list[str]:
    return [*(f"body.{path}" for path in params.default), *(["model"] if params.match_model else [])]


@hook(reads=_reads, writes=_places, params=Params, when=lambda ctx: ctx.body.is_json)
def set_param(ctx: HookContext, params: Params) -> None:
    """Sets fields of the body, fills in missing ones, removes others."""
    if params.match_model and not pattern(params.match_model).search(ctx.model):
        return
    for path in params.remove:
        del ctx.body[path]
    for path, value in params.set.items():
        ctx.body[path] = value
    for path, value in params.default.items():
        if path not in ctx.body:
            ctx.body[path] = value

"""`set_model`: asks for another model than the client does."""

from __future__ import annotations

import re

import msgspec

from ccproxy.errors import ConfigError
from ccproxy.hooks import HookContext, hook


class Params(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Parameters.

    Attributes:
        model: the model to ask for.
        match: a regular expression that the client's model must have a match for.
    """

    model: str
    match: str = ""

    def __post_init__(self) -> None:
        pattern(self.match)


def pattern(text: str) -> re.Pattern[str]:
    """A compiled expression (Python keeps the last ones). Raises ConfigError."""
    try:
        return re.compile(text)
    except re.error as error:
        raise ConfigError(f"{text!r} is not a regular expression: {error}") from None


@hook(reads=["model"], writes=["model"], params=Params)
def set_model(ctx: HookContext, params: Params) -> None:
    """Asks for `model` in place of the client's, where that one has a match for `match`."""
    if ctx.model and pattern(params.match).search(ctx.model):
        ctx.model = params.model

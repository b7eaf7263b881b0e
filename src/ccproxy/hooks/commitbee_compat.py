"""`commitbee_compat`: has models answer commitbee, which writes commit messages, with bare JSON.

commitbee parses the answer as JSON as it stands, and models like to put it between code fences.
"""

from __future__ import annotations

import msgspec

from ccproxy.hooks import HookContext, hook
from ccproxy.lightllm.ir.parts import Part, Text

#: How commitbee's instruction begins.
_SIGN = "You generate Conventional Commit messages from git diffs"
_RULE = (
    "\n\nAnswer with the JSON object alone: no code fence, no Markdown, no word before or after it. What you write is "
    "given to a JSON parser as it is."
)


@hook(
    stage="outbound",
    reads=["request"],
    writes=["request"],
    when=lambda ctx: ctx.generates and ctx.asks_model and _SIGN.encode() in ctx.body.raw,
)
def commitbee_compat(ctx: HookContext) -> None:
    """Tells the model to answer commitbee with bare JSON, without code fences."""
    request = ctx.request
    messages = tuple(
        msgspec.structs.replace(message, parts=_ruled(message.parts))
        if message.role in {"system", "developer"}
        else message
        for message in request.messages
    )
    ctx.request = msgspec.structs.replace(request, system=_ruled(request.system), messages=messages)


def _ruled(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    return tuple(
        msgspec.structs.replace(part, text=part.text + _RULE)
        if isinstance(part, Text) and _SIGN in part.text and _RULE not in part.text
        else part
        for part in parts
    )

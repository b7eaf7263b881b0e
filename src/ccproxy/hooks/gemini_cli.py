"""`gemini_cli`: requests of other clients reach Code Assist under gemini-cli's name.

    - hook: ccproxy.hooks.gemini_cli
      params: {user_agent: "GeminiCLI/1.0/{model} (linux; x64)"}

Code Assist shares its capacity out by client. What else a request needs there (envelope, path, project, session id, the
answer out of its envelope again) belongs to the provider and is done with this hook or without it. gemini-cli's own
requests stay as they are.
"""

from __future__ import annotations

import re

import msgspec

from ccproxy.hooks import HookContext, hook

_OWN = "GeminiCLI"
#: What names of models do not hold, and a header field cannot.
_ODD = re.compile(r"[^A-Za-z0-9._@/:-]")


class Params(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Parameters.

    Attributes:
        user_agent: what `user-agent` is to say; `{model}` is filled in.
        api_client: the same of `x-goog-api-client`.
    """

    user_agent: str = "GeminiCLI-tui/0.61.0/{model} (linux; x64; terminal) google-api-nodejs-client/10.9.0"
    api_client: str = "gl-node/24.21.0"


@hook(
    stage="outbound",
    reads=["headers.user-agent", "model"],
    writes=["headers.user-agent", "headers.x-goog-api-client"],
    params=Params,
    when=lambda ctx: "/v1internal:" in ctx.path,
)
def gemini_cli(ctx: HookContext, params: Params) -> None:
    """Gives requests of other clients gemini-cli's user agent, on their way to Code Assist."""
    if (ctx.headers.get("user-agent") or "").startswith(_OWN):
        return
    ctx.headers["user-agent"] = params.user_agent.replace("{model}", _ODD.sub("", ctx.model))
    ctx.headers["x-goog-api-client"] = params.api_client

"""`extract_session_id`: finds out which conversation a request belongs to, from where its client says so.

| client | place |
| --- | --- |
| Claude Code, Agent SDK | `x-claude-code-session-id`; `metadata.user_id`: JSON with a `session_id`, earlier `user_…_session_ID` |
| Codex | `session-id` or `thread-id` (earlier `session_id`, `conversation_id`); `client_metadata`, `prompt_cache_key` |
| opencode | `x-session-id`, `x-session-affinity` |
| gemini-cli (Google login) | `request.session_id` |
"""

from __future__ import annotations

from ccproxy.hooks import HookContext, hook
from ccproxy.lightllm.jsontext import loads_or_none

_HEADERS = (
    "x-claude-code-session-id",
    "session-id",
    "session_id",
    "thread-id",
    "conversation_id",
    "x-session-id",
    "x-session-affinity",
)
#: Places in the body, by dialect.
_BODY = {
    "openai": ("prompt_cache_key",),
    "openai_responses": ("client_metadata.session_id", "client_metadata.thread_id", "prompt_cache_key"),
    "gemini": ("request.session_id",),
}
_LONGEST = 200


@hook(
    stage="inbound",
    reads=[
        *(f"headers.{name}" for name in _HEADERS),
        "body.metadata.user_id",
        "body.client_metadata",
        "body.prompt_cache_key",
        "body.request.session_id",
    ],
    writes=["session"],
    on_error="skip",
)
def extract_session_id(ctx: HookContext) -> None:
    """Finds the conversation's id where the client puts it, for flows and other hooks."""
    found = _in_headers(ctx) or _in_body(ctx)
    if found and len(found) <= _LONGEST and found.isprintable():
        ctx.session = found


def _in_headers(ctx: HookContext) -> str:
    for name in _HEADERS:
        if found := ctx.headers.get(name):
            return found.strip()
    return ""


def _in_body(ctx: HookContext) -> str:
    if ctx.dialect == "anthropic":
        return _of_user(ctx.body.get("metadata.user_id"))
    for path in _BODY.get(ctx.dialect, ()):
        found = ctx.body.get(path)
        if isinstance(found, str) and found:
            return found
    return ""


def _of_user(user: object) -> str:
    """The session in Anthropic's user id."""
    if not isinstance(user, str):
        return ""
    if user.startswith("{"):
        told = loads_or_none(user)
        found = told.get("session_id") if isinstance(told, dict) else None
        return found if isinstance(found, str) else ""
    return user.rpartition("_session_")[2] if "_session_" in user else ""

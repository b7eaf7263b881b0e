"""Configuration of credential sources: the values of `providers.NAME.auth`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

HeaderName = Annotated[
    str,
    Meta(
        description="Header that carries the credential; `authorization` sends it as Bearer, any other name as it is. "
        "Default: what the provider type expects."
    ),
]


class Command(Struct, tag="command", tag_field="type", forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Run a shell command and use what it prints."""

    command: Annotated[str, Meta(min_length=1, description="Shell command; its standard output is the credential.")]
    header: HeaderName = ""
    ttl_seconds: Annotated[float, Meta(ge=0, description="How long an output is used before the command runs again.")] = (
        30.0
    )
    timeout_seconds: Annotated[float, Meta(gt=0, description="The command is ended after this time.")] = 10.0


class File(Struct, tag="file", tag_field="type", forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Read a file and use its content."""

    file: Annotated[str, Meta(min_length=1, description="Path of the file; `~` is the home directory.")]
    header: HeaderName = ""


class AnthropicOAuth(
    Struct, tag="anthropic_oauth", tag_field="type", forbid_unknown_fields=True, kw_only=True, frozen=True
):
    """Share a Claude Code login."""

    file_path: str = "~/.claude/.credentials.json"
    access_path: str = "claudeAiOauth.accessToken"
    refresh_path: str = "claudeAiOauth.refreshToken"
    expiry_path: str = "claudeAiOauth.expiresAt"
    header: HeaderName = "authorization"
    endpoint: str = ""
    client_id: str = ""
    client_secret: str = ""


class GoogleOAuth(Struct, tag="google_oauth", tag_field="type", forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Share a gemini-cli login."""

    file_path: str = "~/.gemini/oauth_creds.json"
    access_path: str = "access_token"
    refresh_path: str = "refresh_token"
    expiry_path: str = "expiry_date"
    header: HeaderName = "authorization"
    endpoint: str = ""
    client_id: str = ""
    client_secret: str = ""


class CodexOAuth(Struct, tag="codex_oauth", tag_field="type", forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Share a Codex login."""

    file_path: str = "~/.codex/auth.json"
    header: HeaderName = "authorization"
    endpoint: str = ""
    client_id: str = ""


OAuth = AnthropicOAuth | GoogleOAuth | CodexOAuth
Auth = Command | File | AnthropicOAuth | GoogleOAuth | CodexOAuth
Kind = Literal["command", "file", "anthropic_oauth", "google_oauth", "codex_oauth"]

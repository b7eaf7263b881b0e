"""Configuration of credential sources: the values of `providers.NAME.auth`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

CLAUDE_FILE = "~/.claude/.credentials.json"

HeaderName = Annotated[
    str,
    Meta(
        description="Header that carries the credential; `authorization` sends it as Bearer, any other name as it is. "
        "Default: what the provider type expects.",
        extra={"format": "header"},
    ),
]
LoginFile = Annotated[str, Meta(min_length=1, description="File the login is kept in; `~` is the home directory.")]
AccessPath = Annotated[str, Meta(min_length=1, description="Where the access token stands in the file, dotted.")]
RefreshPath = Annotated[str, Meta(min_length=1, description="Where the refresh token stands in the file, dotted.")]
ExpiryPath = Annotated[str, Meta(min_length=1, description="Where the time of expiry stands in the file, dotted.")]
Endpoint = Annotated[
    str, Meta(description="URL that renews the token. Default: the vendor's own.", extra={"format": "url"})
]
Headroom = Annotated[float, Meta(ge=0, description="Renew the token this many seconds before it expires.")]
#: Below the 60 seconds after which Claude Code takes over a lock.
Timeout = Annotated[
    float, Meta(gt=0, le=40, description="Longest time a renewal may take, waiting for other programs not included.")
]
Refresh = Annotated[
    bool,
    Meta(
        description="Renew the token when it expires or is refused. `false` leaves that to the program whose login it "
        "is, and only reads what it writes."
    ),
]
ClientId = Annotated[str, Meta(description="OAuth client the login belongs to. Default: the vendor's own.")]
ClientSecret = Annotated[str, Meta(description="Secret of that client, where it has one.", extra={"secret": True})]


class Command(Struct, tag="command", tag_field="type", forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Run a shell command and use what it prints."""

    command: Annotated[
        str,
        Meta(min_length=1, description="Shell command; its standard output is the credential.", extra={"secret": True}),
    ]
    header: HeaderName = ""
    ttl_seconds: Annotated[
        float, Meta(ge=0, description="How long an output is used before the command runs again.")
    ] = 30.0
    timeout_seconds: Annotated[float, Meta(gt=0, description="The command is ended after this time.")] = 10.0


class File(Struct, tag="file", tag_field="type", forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Read a file and use its content."""

    file: Annotated[str, Meta(min_length=1, description="Path of the file; `~` is the home directory.")]
    header: HeaderName = ""


class AnthropicOAuth(
    Struct, tag="anthropic_oauth", tag_field="type", forbid_unknown_fields=True, kw_only=True, frozen=True
):
    """Share a Claude Code login."""

    file_path: LoginFile = CLAUDE_FILE
    access_path: AccessPath = "claudeAiOauth.accessToken"
    refresh_path: RefreshPath = "claudeAiOauth.refreshToken"
    expiry_path: ExpiryPath = "claudeAiOauth.expiresAt"
    header: HeaderName = "authorization"
    endpoint: Endpoint = ""
    encoding: Annotated[Literal["json", "form"], Meta(description="How the request to the endpoint is written.")] = (
        "json"
    )
    client_id: ClientId = ""
    client_secret: ClientSecret = ""
    refresh: Annotated[
        bool | None,
        Meta(
            description="Renew the token when it expires or is refused. `false` leaves that to Claude Code and only "
            "reads what it writes. Default: true for a file, false for the macOS keychain."
        ),
    ] = None
    keychain: Annotated[
        Literal["auto", "always", "never"],
        Meta(
            description="Read the login from the macOS keychain, where Claude Code keeps it there. `auto`: on macOS, as "
            "long as file_path is the default, and the file where the keychain has none."
        ),
    ] = "auto"
    keychain_service: Annotated[str, Meta(min_length=1, description="Name of the entry in the keychain.")] = (
        "Claude Code-credentials"
    )
    headroom_seconds: Headroom = 60.0
    timeout_seconds: Timeout = 15.0


class GoogleOAuth(Struct, tag="google_oauth", tag_field="type", forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Share a gemini-cli login."""

    file_path: LoginFile = "~/.gemini/oauth_creds.json"
    access_path: AccessPath = "access_token"
    refresh_path: RefreshPath = "refresh_token"
    expiry_path: ExpiryPath = "expiry_date"
    header: HeaderName = "authorization"
    endpoint: Endpoint = ""
    client_id: Annotated[
        str, Meta(description="OAuth client the login belongs to. Default: that of the installed gemini-cli.")
    ] = ""
    client_secret: ClientSecret = ""
    refresh: Refresh = True
    headroom_seconds: Headroom = 60.0
    timeout_seconds: Timeout = 15.0


class CodexOAuth(Struct, tag="codex_oauth", tag_field="type", forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Share a Codex login."""

    file_path: LoginFile = "~/.codex/auth.json"
    header: HeaderName = "authorization"
    endpoint: Endpoint = ""
    client_id: ClientId = ""
    refresh: Refresh = True
    headroom_seconds: Headroom = 60.0
    timeout_seconds: Timeout = 15.0


OAuth = AnthropicOAuth | GoogleOAuth | CodexOAuth
Auth = Command | File | AnthropicOAuth | GoogleOAuth | CodexOAuth
Kind = Literal["command", "file", "anthropic_oauth", "google_oauth", "codex_oauth"]

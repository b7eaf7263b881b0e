"""The clients, and the ways in which people use them: one table.

A client is added by adding its package to package.json, its lines to `cases`, and, if it reads files with a tool of
another name, that name to `play.READERS`. Every client does the same task without a terminal.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

TASK = "Use a tool to read the file needle.txt in the current directory and tell me its exact content. Do nothing else."

SENTINEL = "sk-ant-oat-ccproxy-"
#: The client's own key, the one that the configured providers use, and the token of a saved Claude login.
OWN = "sk-own-0123456789abcdef0123456789"
THEIRS = "sk-theirs-0123456789abcdef0123456789"
LOGIN = "sk-ant-oat01-login-0123456789abcdef"
#: A model that is not full.
ROOMY = "gemini-2.5-flash-lite"
#: The token of a saved Google login.
GOOGLE = "ya29.login-0123456789abcdef0123456789"

#: The hosts of providers that clients in a jail reach, each with an address of its own, and a hook that leaves a mark.
HOSTS = {
    "api.anthropic.com": "203.0.113.10",
    "api.openai.com": "203.0.113.11",
    "generativelanguage.googleapis.com": "203.0.113.12",
}
MARK = ("x-marked", "by a hook")
MARKING_HOOK = f"""
from ccproxy.hooks import HookContext, hook


@hook(writes=["headers.{MARK[0]}"], stage="outbound", every=True)
def mark(ctx: HookContext) -> None:
    ctx.headers["{MARK[0]}"] = "{MARK[1]}"
"""

#: For every client: no colours, no dialogue, nothing reported, nothing updated.
QUIET = {
    "LANG": "C.UTF-8",
    "TERM": "dumb",
    "NO_COLOR": "1",
    "CI": "1",
    "DO_NOT_TRACK": "1",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "OPENCODE_DISABLE_AUTOUPDATE": "1",
    "OPENCODE_DISABLE_MODELS_FETCH": "1",
    "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
    "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1",
}
#: A provider that stays broken is to be given up soon.
IMPATIENT = {"CLAUDE_CODE_MAX_RETRIES": "1"}

_CLAUDE = ("-p", TASK, "--model", "claude-sonnet-4-5-20250929", "--allowedTools", "Read")
_CODEX = ("exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", TASK)
_CODEX_OLDER = ("exec", "-m", "gpt-5.1-codex", *_CODEX[1:])
_GEMINI = ("-m", "gemini-2.5-flash", "--approval-mode", "yolo", "--skip-trust", "-p", TASK)
_QWEN = ("--auth-type", "openai", "--approval-mode", "yolo", "-m", "gpt-4o", "-p", TASK)


@dataclass(frozen=True)
class Case:
    """One way of using one client.

    Attributes:
        command: the name it is started by; `words` are its arguments.
        env: its environment beside the common one, with `{proxy}` for the proxy's URL; `files` are put into its home directory.
        options: options of `ccproxy run`.
        credential: what the provider must get: a field's value holds it.
        note: words that `ccproxy run` must say on stderr.
        websocket: the provider accepts upgrades.
        google: Google's own hosts are there.
        login: whose login the provider's credential is (`claude` or `codex`, see `LOGINS`); "" for a key. It has expired,
            or, with `refused`, the provider refuses its token: either way it must be renewed once.
        formed: the request reaches the provider in another form of its dialect.
        full: the model that is asked first shall be full.
        errors: the statuses with which the provider shall fail. Where there are some, its answers are cut, too, and the
            client is interrupted.
    """

    command: str
    mode: str
    words: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, object] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    credential: str = OWN
    note: str = ""
    websocket: bool = False
    google: bool = False
    login: str = ""
    refused: bool = False
    formed: bool = False
    full: bool = False
    errors: tuple[int, ...] = ()


@dataclass(frozen=True)
class Login:
    """A login that the proxy shares with a client.

    Attributes:
        file: its file, in the proxy's folder; `endpoint` is the path of its token endpoint.
        tokens: how its access tokens begin.
        content: what the file holds, for an access token, a refresh token and a time of expiry (epoch seconds).
    """

    file: str
    endpoint: str
    tokens: str
    content: Callable[[str, str, float], object]


def _claude_file(access: str, refresh: str, expires: float) -> object:
    return {"claudeAiOauth": {"accessToken": access, "refreshToken": refresh, "expiresAt": int(expires * 1000)}}


def _codex_file(access: str, refresh: str, expires: float) -> object:
    # When it expires stands in the token; one that was never renewed is due as well.
    renewed = "2099-01-01T00:00:00Z" if expires > 2e9 else "2020-01-01T00:00:00Z"
    tokens = {"id_token": access, "access_token": access, "refresh_token": refresh, "account_id": ACCOUNT}
    return {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": tokens, "last_refresh": renewed}


#: The account of the Codex login, and how every refresh token begins.
ACCOUNT = "account-of-the-proxy"
REFRESH = "refresh-canary-"
LOGINS = {
    "claude": Login("claude-login.json", "/claude/token", "sk-ant-oat01-access-", _claude_file),
    "codex": Login("codex-login.json", "/codex/token", "eyJhbGciOiAibm9uZSJ9.", _codex_file),
}


def configuration(port: int, upstream: str, tokens: str, folder: Path) -> dict[str, object]:
    """The proxy's configuration: every upstream is the stand-in, providers have a key or a login of their own.

    Args:
        tokens: the base URL of the token endpoints.
        folder: where the files of the logins are.
    """

    def login(name: str, kind: str, base: str) -> dict[str, object]:
        found = LOGINS[name]
        auth = {"type": f"{kind}_oauth", "file_path": str(folder / found.file), "endpoint": f"{tokens}{found.endpoint}"}
        return {"type": kind, "base_url": base, "auth": auth}

    def provider(kind: str) -> dict[str, object]:
        return {"type": kind, "base_url": upstream, "auth": {"type": "command", "command": f"echo {THEIRS}"}}

    dialects = ("anthropic", "openai", "gemini", "codex", "code_assist")
    return {
        "ccproxy": {
            "port": port,
            "gemini_capacity": {"enabled": True, "fallback_models": [ROOMY], "sticky_retry_attempts": 1},
            "gateway": {"default_upstreams": dict.fromkeys(dialects, upstream)},
            "providers": {
                "claude": provider("anthropic"),
                "gpt": provider("openai"),
                "responses": provider("openai_responses"),
                "gemini": provider("gemini"),
                "assist": {**provider("code_assist"), "project": "a-project"},
                "claude-login": login("claude", "anthropic", upstream),
                "codex-login": login("codex", "codex", f"{upstream}/backend-api/codex"),
                "vertex": {**provider("vertex_claude"), "project": "a-project", "location": "us-east5"},
            },
        }
    }


def jailed_configuration(document: Any, authority: Path) -> dict[str, object]:
    """The proxy's configuration where clients are in a jail: they reach their providers by name, through a hook.

    Args:
        document: the configuration where they are not.
        authority: whom the proxy trusts.
    """
    del document["ccproxy"]["gateway"]
    document["ccproxy"]["egress"] = {"ca_file": str(authority)}
    document["ccproxy"]["hooks"] = {"outbound": ["./mark.py"]}
    found: dict[str, object] = document
    return found


def jailed_cases() -> list[Case]:
    """The ways of using clients in a jail, with nothing in their environment but a key. The sentinel key goes to the
    host that the client would ask anyway."""
    modes = {"own key", "own key, WebSocket", "own key, HTTP after 426", "anthropic", "openai", "sentinel"}
    # By itself the one reads no other variable, and the other asks somebody else.
    more = {
        "codex": {"CODEX_API_KEY": f"{SENTINEL}responses"},
        "qwen": {"OPENAI_BASE_URL": "https://api.openai.com/v1"},
    }
    return [
        replace(
            case,
            mode=f"{case.mode}, jail",
            options=("--inspect",),
            errors=(),
            env={**more.get(case.command, {}), **case.env},
        )
        for case in cases()
        if case.mode in modes
    ]


def cases() -> list[Case]:
    """All of them, a client's together."""
    return [*_claude(), *_codex(), *_gemini(), *_qwen(), *_opencode()]


def _claude() -> list[Case]:
    vertex = {
        "CLAUDE_CODE_USE_VERTEX": "1",
        "CLAUDE_CODE_SKIP_VERTEX_AUTH": "1",
        "ANTHROPIC_VERTEX_BASE_URL": "{proxy}/v1",
        "ANTHROPIC_VERTEX_PROJECT_ID": "another-project",
        "CLOUD_ML_REGION": "us-east5",
    }
    login = {
        "accessToken": LOGIN,
        "refreshToken": "sk-ant-ort01-login-0123456789abcdef",
        "expiresAt": 4_102_444_800_000,
        "scopes": ["user:inference", "user:profile"],
        "subscriptionType": "max",
    }
    return [
        Case("claude", "own key", _CLAUDE, {"ANTHROPIC_API_KEY": OWN}, errors=(429, 500, 529)),
        Case("claude", "own token", _CLAUDE, {"ANTHROPIC_AUTH_TOKEN": OWN}),
        Case("claude", "saved login", _CLAUDE, files={".claude/.credentials.json": {"claudeAiOauth": login}}, credential=LOGIN),
        Case("claude", "sentinel", _CLAUDE, {"ANTHROPIC_API_KEY": f"{SENTINEL}claude"}, credential=THEIRS),
        Case("claude", "no key", _CLAUDE, credential=THEIRS, note="selects provider claude"),
        Case("claude", "--provider", _CLAUDE, {"ANTHROPIC_API_KEY": OWN}, options=("--provider", "claude"), credential=THEIRS),
        Case("claude", "proxy's login, expired", _CLAUDE, {"ANTHROPIC_API_KEY": f"{SENTINEL}claude-login"}, credential=LOGINS["claude"].tokens, login="claude"),
        Case("claude", "proxy's login, refused", _CLAUDE, {"ANTHROPIC_API_KEY": f"{SENTINEL}claude-login"}, credential=LOGINS["claude"].tokens, login="claude", refused=True),
        Case("claude", "own login, proxy's instead", _CLAUDE, files={".claude/.credentials.json": {"claudeAiOauth": login}}, options=("--provider", "claude-login"), credential=LOGINS["claude"].tokens, login="claude"),
        Case("claude", "to Vertex AI", _CLAUDE, {"ANTHROPIC_API_KEY": f"{SENTINEL}vertex"}, credential=THEIRS, formed=True),
        Case("claude", "Vertex mode", _CLAUDE, vertex, options=("--provider", "vertex"), credential=THEIRS),
        Case("claude", "Vertex mode to claude", _CLAUDE, vertex, options=("--provider", "claude"), credential=THEIRS, formed=True),
        *_converted("claude", _CLAUDE, "ANTHROPIC_API_KEY", ("gpt", "responses", "gemini", "assist")),
    ]  # fmt: skip


def _codex() -> list[Case]:
    built_in = {"CODEX_API_KEY": OWN}
    claims = {
        "exp": 4_102_444_800,
        "email": "someone@example.com",
        "https://api.openai.com/auth": {"chatgpt_account_id": "account-1", "chatgpt_plan_type": "plus"},
    }
    tokens = {"id_token": _jwt(claims), "access_token": _jwt(claims), "refresh_token": "rt-0123456789", "account_id": "account-1"}  # fmt: skip
    store = {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": tokens, "last_refresh": "2099-01-01T00:00:00Z"}
    return [
        Case("codex", "own key, WebSocket", _CODEX, built_in, websocket=True, errors=(429, 500)),
        Case("codex", "own key, older model", _CODEX_OLDER, built_in, websocket=True),
        Case("codex", "own key, HTTP after 426", _CODEX, built_in, errors=(429, 500)),
        Case("codex", "own provider", _CODEX_OLDER, {"OPENAI_API_KEY": OWN}, errors=(429, 500)),
        Case("codex", "saved key", _CODEX, files={".codex/auth.json": {"OPENAI_API_KEY": OWN}}),
        Case("codex", "saved login", _CODEX, files={".codex/auth.json": store}, credential=_jwt(claims)),
        Case("codex", "saved login, WebSocket", _CODEX, files={".codex/auth.json": store}, credential=_jwt(claims), websocket=True),
        Case("codex", "sentinel", _CODEX, {"OPENAI_API_KEY": f"{SENTINEL}responses"}, credential=THEIRS),
        Case("codex", "no key", _CODEX, credential=THEIRS, note="OPENAI_API_KEY selects provider"),
        *_chatgpt({".codex/auth.json": store}),
        *_converted("codex", _CODEX, "OPENAI_API_KEY", ("claude", "gpt", "gemini", "assist")),
        Case("codex", "to claude, WebSocket", _CODEX, {"CODEX_API_KEY": f"{SENTINEL}claude"}, credential=THEIRS),
        Case("codex", "older model to claude", _CODEX_OLDER, {"OPENAI_API_KEY": f"{SENTINEL}claude"}, credential=THEIRS),
    ]  # fmt: skip


def _chatgpt(saved: Mapping[str, object]) -> list[Case]:
    """Codex with the ChatGPT login of the proxy in place of a key, and of its own (`saved`)."""
    sentinel = {"CODEX_API_KEY": f"{SENTINEL}codex-login"}
    ways: list[tuple[str, Mapping[str, str], Mapping[str, object], tuple[str, ...], bool]] = [
        ("proxy's login, HTTP after 426", sentinel, {}, (), False),
        ("proxy's login, WebSocket", sentinel, {}, (), True),
        ("own login, proxy's instead", {}, saved, ("--provider", "codex-login"), False),
    ]
    return [
        Case(
            "codex",
            f"{mode}, {'refused' if refused else 'expired'}",
            _CODEX,
            env,
            files,
            options=options,
            credential=LOGINS["codex"].tokens,
            websocket=websocket,
            login="codex",
            refused=refused,
        )
        for mode, env, files, options, websocket in ways
        for refused in (False, True)
    ]


def _gemini() -> list[Case]:
    # Without a terminal 0.61 needs to know the kind of login; it retries ten times unless told otherwise.
    settings = {"security": {"auth": {"selectedType": "gemini-api-key"}}, "general": {"maxAttempts": 2}}
    files = {".gemini/settings.json": settings}
    by_login = {"security": {"auth": {"selectedType": "oauth-personal"}}, "general": {"maxAttempts": 2}}
    login = {"access_token": GOOGLE, "refresh_token": "1//refresh-0123456789", "expiry_date": 4_102_444_800_000, "token_type": "Bearer"}  # fmt: skip
    saved = {".gemini/settings.json": by_login, ".gemini/oauth_creds.json": login}
    given = {"GOOGLE_GENAI_USE_GCA": "true", "GOOGLE_CLOUD_ACCESS_TOKEN": GOOGLE}
    return [
        Case("gemini", "own key", _GEMINI, {"GEMINI_API_KEY": OWN}, files, errors=(429, 500)),
        Case("gemini", "sentinel", _GEMINI, {"GEMINI_API_KEY": f"{SENTINEL}gemini"}, files, credential=THEIRS),
        Case("gemini", "no key", _GEMINI, {}, files, credential=THEIRS, note="selects provider gemini"),
        Case("gemini", "saved login", _GEMINI, {}, saved, credential=GOOGLE, google=True, errors=(403, 500)),
        Case("gemini", "login from outside", _GEMINI, given, {".gemini/settings.json": by_login}, credential=GOOGLE),
        *_converted("gemini", _GEMINI, "GEMINI_API_KEY", ("claude", "gpt", "responses"), files),
        Case("gemini", "to Code Assist", _GEMINI, {"GEMINI_API_KEY": f"{SENTINEL}assist"}, files, credential=THEIRS, full=True, errors=(403, 500)),
    ]  # fmt: skip


def _qwen() -> list[Case]:
    # It waits out any 429 for minutes.
    return [
        Case("qwen", "own key", _QWEN, {"OPENAI_API_KEY": OWN}, errors=(400, 500)),
        Case("qwen", "sentinel", _QWEN, {"OPENAI_API_KEY": f"{SENTINEL}gpt"}, credential=THEIRS),
        *_converted("qwen", _QWEN, "OPENAI_API_KEY", ("claude", "responses", "gemini"), errors=(400,)),
    ]


def _opencode() -> list[Case]:
    def words(model: str) -> tuple[str, ...]:
        return ("run", "--model", model, TASK)

    anthropic, openai, google = map(
        words, ("anthropic/claude-sonnet-4-5-20250929", "openai/gpt-5.1", "google/gemini-2.5-flash")
    )
    return [
        Case("opencode", "anthropic", anthropic, {"ANTHROPIC_API_KEY": OWN}, errors=(429, 500)),
        Case("opencode", "openai", openai, {"OPENAI_API_KEY": OWN}),
        Case("opencode", "google", google, {"GOOGLE_GENERATIVE_AI_API_KEY": OWN}),
        Case("opencode", "no key", anthropic, credential=THEIRS, note="selects provider claude"),
        *_converted("opencode", anthropic, "ANTHROPIC_API_KEY", ("gpt", "gemini")),
    ]


def _converted(
    command: str,
    words: tuple[str, ...],
    variable: str,
    providers: tuple[str, ...],
    files: Mapping[str, object] | None = None,
    errors: tuple[int, ...] = (429, 500),
) -> list[Case]:
    """A client with a sentinel key for providers that speak other dialects; the first one fails, too."""
    return [
        Case(
            command,
            f"to {name}",
            words,
            {variable: f"{SENTINEL}{name}"},
            files or {},
            credential=THEIRS,
            errors=errors if name == providers[0] else (),
        )
        for name in providers
    ]


def _jwt(claims: object) -> str:
    """A token that says `claims` and is signed by nobody."""

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}.c2lnbmF0dXJl"

"""What each LLM client needs to talk to the proxy: one table, and the rules that hold for all.

`prepare` is a function of the command line, the environment and the logins saved in the home directory; it starts
nothing. Base URLs are set for every command, because it may start other clients. Keys are the delicate part:

* A key or login of the user's own is never replaced, unless `--provider` says so: it goes to the provider unchanged.
* Without one, a client would not even start. So it gets a sentinel key, which selects a provider of the proxy.
* A saved login counts for the client that owns it, and for commands not in the table, which may start that client:
  a sentinel key in a variable would win over the login.

A client is added by adding a line to `CLIENTS`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ccproxy.errors import CommandError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
SENTINEL = "sk-ant-oat-ccproxy-"


@dataclass(frozen=True, slots=True)
class Offer:
    """A provider of the running proxy. `dialects` is what it speaks; empty = all (the demo provider)."""

    name: str
    dialects: tuple[str, ...]


@dataclass(slots=True)
class Launch:
    """What to run: the words of the command, its whole environment, and what to tell the user on stderr."""

    words: list[str]
    environment: dict[str, str]
    base_url: str
    home: Path
    forced: str | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Family:
    """The clients of one vendor's API, as far as keys go.

    Attributes:
        dialects: what a provider must speak to serve them, the preferred one first.
        keys: variables in which a user keeps a key.
        variable: where the sentinel key goes.
        login: whether the user has a saved login of this vendor's own client, which needs no key.
    """

    name: str
    dialects: tuple[str, ...]
    keys: tuple[str, ...]
    variable: str
    login: Callable[[Launch], bool]


@dataclass(frozen=True, slots=True)
class Client:
    """A known client.

    Attributes:
        commands: the names it is started by.
        families: the APIs it can speak, by `Family.name`.
        logs_in: the families whose saved login it uses.
        variables: where it takes its key from, if not from the family's variable.
        prefers: the dialect it speaks, where its family has several.
        adjust: what it needs beyond the common environment.
    """

    commands: tuple[str, ...]
    families: tuple[str, ...] = ("anthropic", "openai", "gemini")
    logs_in: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    prefers: str = ""
    adjust: Callable[[Launch], None] | None = None


def offers(providers: object) -> list[Offer]:
    """The providers that `/health` reports, as far as they can be understood."""
    found: list[Offer] = []
    for item in providers if isinstance(providers, list) else ():
        if isinstance(item, dict) and isinstance(item.get("name"), str) and isinstance(item.get("dialects"), list):
            found.append(Offer(item["name"], tuple(map(str, item["dialects"]))))
    return found


def prepare(
    words: Sequence[str],
    environment: Mapping[str, str],
    *,
    base_url: str,
    offers: Sequence[Offer],
    client_key: str = "",
    forced: str | None = None,
) -> Launch:
    """The command as it has to be started.

    Args:
        words: the command and its arguments.
        environment: the user's.
        base_url: the proxy's, without a final slash.
        offers: the proxy's providers, in the order of preference.
        client_key: a key the gateway asks for, appended to sentinel keys.
        forced: the provider whose sentinel key takes the place of every key.

    Raises CommandError if the environment holds something that cannot be extended.
    """
    launch = Launch(list(words), dict(environment), base_url, Path(environment.get("HOME") or Path.home()), forced)
    client = _client(words[0])
    _set_base_urls(launch)
    _set_keys(launch, client, offers, client_key)
    if client is not None and client.adjust is not None:
        client.adjust(launch)
    return launch


def _client(word: str) -> Client | None:
    name = Path(word).name
    return next((client for client in CLIENTS if name in client.commands), None)


def _set_base_urls(launch: Launch) -> None:
    root, versioned = launch.base_url, f"{launch.base_url}/v1"
    launch.environment |= {
        "ANTHROPIC_BASE_URL": root,
        "ANTHROPIC_API_BASE": root,
        "OPENAI_BASE_URL": versioned,
        "OPENAI_API_BASE": versioned,
        "GOOGLE_GEMINI_BASE_URL": root,
        "GOOGLE_VERTEX_BASE_URL": root,
        "CODE_ASSIST_ENDPOINT": root,
    }
    upper, lower = launch.environment.get("NO_PROXY", ""), launch.environment.get("no_proxy", "")
    # Where only one of the two is set, the other must not hide it.
    launch.environment["NO_PROXY"] = _with_loopback(upper or lower)
    launch.environment["no_proxy"] = _with_loopback(lower or upper)


def _with_loopback(hosts: str) -> str:
    listed = [host.strip() for host in hosts.split(",") if host.strip()]
    if "*" in listed:
        return hosts
    return ",".join([*listed, *(host for host in LOOPBACK if host not in listed)])


def _set_keys(launch: Launch, client: Client | None, offers: Sequence[Offer], client_key: str) -> None:
    chosen: list[str] = []
    for family in FAMILIES:
        variable = (client.variables if client else {}).get(family.name, family.variable)
        keys = dict.fromkeys((*family.keys, variable))
        if launch.forced is not None:
            for key in keys:
                launch.environment.pop(key, None)
            name: str | None = launch.forced
        elif _provided(launch, client, family, keys):
            continue
        else:
            name = _choose(family, offers, client)
        if name is not None:
            launch.environment[variable] = f"{SENTINEL}{name}{f'.{client_key}' if client_key else ''}"
            chosen.append(f"{variable} selects provider {name}")
    if chosen and launch.forced is None:
        launch.notes.append(f"you have no key of your own here: {', '.join(chosen)}")


def _provided(launch: Launch, client: Client | None, family: Family, keys: Iterable[str]) -> bool:
    """Whether the command needs no sentinel key: it does not speak this API, or the user has a key or a login."""
    if client is not None and family.name not in client.families:
        return True
    if any(launch.environment.get(key) for key in keys):
        return True
    return (client is None or family.name in client.logs_in) and family.login(launch)


def _choose(family: Family, offers: Sequence[Offer], client: Client | None) -> str | None:
    """The provider for a key of `family`."""
    first = client.prefers if client is not None else ""
    for dialect in sorted(family.dialects, key=lambda dialect: dialect != first):
        if speaking := [offer for offer in offers if dialect in offer.dialects]:
            # One that speaks it beside an API of another family comes after those whose own it is.
            return min(speaking, key=lambda offer: offer.dialects[0] not in family.dialects).name
    alone = client is not None and client.families == (family.name,)
    if alone and (converting := next((offer.name for offer in offers if offer.dialects), None)):
        # To a command that may choose, a key that it did not ask for would say: choose me.
        return converting
    return next((offer.name for offer in offers if not offer.dialects), None)


def _read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file; empty if there is none."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _inner(value: object, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _folder(launch: Launch, variable: str, default: str) -> Path:
    """A client's own folder: where the variable says, else in the home directory."""
    return Path(launch.environment.get(variable) or launch.home / default)


# Claude Code: the login is in a file, on macOS in the keychain, of which only a trace in its settings can be seen.


def _claude_login(launch: Launch) -> bool:
    if launch.environment.get("CLAUDE_CODE_OAUTH_TOKEN"):
        return True
    folder = _folder(launch, "CLAUDE_CONFIG_DIR", ".claude")
    store = _read_json(_folder(launch, "CLAUDE_SECURESTORAGE_CONFIG_DIR", str(folder)) / ".credentials.json")
    oauth = store.get("claudeAiOauth")
    if _inner(oauth, "refreshToken") or _inner(oauth, "accessToken"):
        return True
    settings = _read_json(
        folder / ".claude.json" if launch.environment.get("CLAUDE_CONFIG_DIR") else launch.home / ".claude.json"
    )
    if settings.get("primaryApiKey") or _read_json(folder / "settings.json").get("apiKeyHelper"):
        return True
    return sys.platform == "darwin" and bool(settings.get("oauthAccount"))


# Codex reads no base URL from the environment. An own provider entry speaks plain HTTP with OPENAI_API_KEY; with a key or
# login saved in its store the built-in provider has to be kept, since only that one uses the store. It refuses to send a
# ChatGPT login to an http URL that ends in the path of the account's backend, so that goes to /v1 as well: the gateway
# tells it by its ChatGPT-Account-ID.


def _codex_login(launch: Launch) -> bool:
    if launch.environment.get("CODEX_API_KEY") or launch.environment.get("CODEX_ACCESS_TOKEN"):
        return True
    store = _read_json(_folder(launch, "CODEX_HOME", ".codex") / "auth.json")
    return bool(store.get("OPENAI_API_KEY") or _inner(store, "tokens", "access_token"))


def _adjust_codex(launch: Launch) -> None:
    if launch.forced is None and _codex_login(launch):
        options = [f'openai_base_url="{launch.base_url}/v1"']
    else:
        entry = f'name="ccproxy",base_url="{launch.base_url}/v1",env_key="OPENAI_API_KEY",wire_api="responses"'
        options = ['model_provider="ccproxy"', f"model_providers.ccproxy={{{entry}}}"]
    launch.words[1:1] = [word for option in options for word in ("-c", option)]


# gemini-cli: where the kind of login is not stored, the base URL variable selects a kind ("gateway") that version 0.61
# itself then refuses without a terminal.


def _gemini_folder(launch: Launch) -> Path:
    return _folder(launch, "GEMINI_CLI_HOME", "") / ".gemini"


def _gemini_kind(launch: Launch) -> Any:
    settings = _read_json(_gemini_folder(launch) / "settings.json")
    return _inner(settings, "security", "auth", "selectedType") or settings.get("selectedAuthType")


def _gemini_login(launch: Launch) -> bool:
    if launch.environment.get("GOOGLE_GENAI_USE_GCA") == "true":
        return True
    folder = _gemini_folder(launch)
    if stored := _gemini_kind(launch):
        return stored in {"oauth-personal", "login_with_google"}
    return (folder / "oauth_creds.json").exists() and not launch.environment.get("GEMINI_API_KEY")


def _adjust_gemini(launch: Launch) -> None:
    if not _gemini_login(launch):
        if not _gemini_kind(launch):
            launch.notes.append(
                'gemini may say "Invalid auth method selected": choose its API key once with /auth, or put '
                '{"security":{"auth":{"selectedType":"gemini-api-key"}}} into ~/.gemini/settings.json'
            )
        return
    if launch.forced is None:
        del launch.environment["GOOGLE_GEMINI_BASE_URL"]
    else:
        launch.notes.append("gemini is set to its Google login and may ignore the key: change that with its /auth")


# opencode: base URLs are options of its providers; those given here win over those of its configuration files.


def _adjust_opencode(launch: Launch) -> None:
    text = launch.environment.get("OPENCODE_CONFIG_CONTENT") or "{}"
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise CommandError(
            "OPENCODE_CONFIG_CONTENT is not a JSON object, so the base URLs cannot be added to it",
            hint="mend or unset it",
        )
    for name, version in (("anthropic", "v1"), ("openai", "v1"), ("google", "v1beta")):
        options = content
        for step in ("provider", name, "options"):
            if not isinstance(options.get(step), dict):
                options[step] = {}
            options = options[step]
        options["baseURL"] = f"{launch.base_url}/{version}"
    launch.environment["OPENCODE_CONFIG_CONTENT"] = json.dumps(content)


FAMILIES = (
    Family(
        "anthropic",
        ("anthropic",),
        ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
        "ANTHROPIC_API_KEY",
        _claude_login,
    ),
    Family("openai", ("openai", "openai_responses"), ("OPENAI_API_KEY",), "OPENAI_API_KEY", _codex_login),
    Family("gemini", ("gemini",), ("GEMINI_API_KEY", "GOOGLE_API_KEY"), "GEMINI_API_KEY", _gemini_login),
)

CLIENTS = (
    # An API key in the environment makes Claude Code ask whether to use it; a token does not.
    Client(("claude",), ("anthropic",), ("anthropic",), {"anthropic": "ANTHROPIC_AUTH_TOKEN"}),
    Client(("codex",), ("openai",), ("openai",), prefers="openai_responses", adjust=_adjust_codex),
    Client(("gemini",), ("gemini",), ("gemini",), adjust=_adjust_gemini),
    Client(("opencode",), variables={"gemini": "GOOGLE_GENERATIVE_AI_API_KEY"}, adjust=_adjust_opencode),
    Client(("qwen",), ("openai",)),
    Client(("aider", "litellm", "llm")),
)

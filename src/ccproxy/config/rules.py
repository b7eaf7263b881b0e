"""Rules that concern several settings, and warnings about what is valid but will surprise."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ccproxy.auth.config import GoogleOAuth
from ccproxy.config.formats import is_loopback
from ccproxy.config.problems import Path, Problems, dotted, named, quoted, suggestion
from ccproxy.config.settings import Settings
from ccproxy.config.tree import Node, Table, find, place_of
from ccproxy.errors import ConfigError
from ccproxy.providers.config import ProviderConfig
from ccproxy.providers.registry import build_provider, parse_fallback, provider_types


def check(data: Mapping[str, object], tree: Node, problems: Problems) -> None:
    """Checks what no single setting can tell.

    Args:
        data: the values that are valid by themselves, as `validate.check` returns them.
        tree: the same with places, invalid ones included.
        problems: takes what is wrong. Settings that already have a problem are left alone.
    """
    providers = _mapping(data.get("providers"))
    for name, config in providers.items():
        _provider(name, _mapping(config), providers, tree, problems)
    _rules(data, tree, problems)
    _listener(data, tree, problems)
    _client_keys(data, tree, problems)


def warnings(settings: Settings, tree: Node) -> list[str]:
    """One line for each thing that is accepted and does not do, or does more than, what one may expect."""
    found: list[tuple[Path, str]] = []
    for name, provider in settings.providers.items():
        if not provider.verify:
            found.append(
                (
                    ("providers", name, "verify"),
                    "TLS certificates are not verified: anyone on the way can read the credential",
                )
            )
        auth = provider.auth if isinstance(provider.auth, list) else [provider.auth]
        plain = provider.type in {"gemini", "google"} and not (provider.host or provider.base_url)
        if plain and any(isinstance(each, GoogleOAuth) for each in auth):
            words = "a login of gemini-cli is for Code Assist, not for the public API; use type: code_assist"
            found.append((("providers", name, "auth"), words))
    return [f"{place_of(tree, path)}: {dotted(path)}: {text}" for path, text in found]


def _provider(
    name: str, config: Mapping[str, object], known: Mapping[str, object], tree: Node, problems: Problems
) -> None:
    path: Path = ("providers", name)
    kind = config.get("type")
    if isinstance(kind, str) and kind not in provider_types():
        at: Path = (*path, "type")
        options = suggestion(kind, provider_types())
        problems.add(place_of(tree, at), at, f"unknown provider type {named(kind)}{options}")
    if config.get("host") and config.get("base_url"):
        at = (*path, "base_url")
        problems.add(place_of(tree, at), at, "host is given too; keep one of the two")
    if problems.under(path):
        return
    _fallback(name, config, known, tree, problems)
    try:
        build_provider(name, msgspec.convert(config, ProviderConfig), None)
    except ConfigError as error:
        # Its message begins with the setting, which stands before ours as well.
        setting, _, message = error.message.partition(": ")
        at = (*path, setting.rpartition(".")[2])
        problems.add(place_of(tree, at), at, f"{message}; {error.hint}" if error.hint else message)


def _fallback(
    name: str, config: Mapping[str, object], known: Mapping[str, object], tree: Node, problems: Problems
) -> None:
    if config.get("auth") == []:
        at: Path = ("providers", name, "auth")
        problems.add(place_of(tree, at), at, "an empty list; name a credential, or remove the line")
    entries = config.get("fallback")
    for position, entry in enumerate(entries if isinstance(entries, list) else []):
        at = ("providers", name, "fallback", position)
        target, _ = parse_fallback(str(entry))
        if target == name:
            problems.add(place_of(tree, at), at, "the provider itself; to try it again, use retry")
        elif target not in known:
            others = [other for other in known if other != name]
            problems.add(place_of(tree, at), at, f"no provider {named(target)}{suggestion(target, others)}")


def _rules(data: Mapping[str, object], tree: Node, problems: Problems) -> None:
    providers = find(tree, ("providers",))
    known = list(providers.entries) if isinstance(providers, Table) else []
    transforms = _mapping(data.get("inspector")).get("transforms")
    for position, rule in enumerate(transforms if isinstance(transforms, list) else []):
        path: Path = ("inspector", "transforms", position)
        if problems.under(path):
            continue
        at: Path = (*path, "dest_provider")
        provider = str(_mapping(rule).get("dest_provider", ""))
        if provider and provider not in known:
            problems.add(place_of(tree, at), at, f"no provider {named(provider)}{suggestion(provider, known)}")
        elif not provider and _mapping(rule).get("action") != "passthrough":
            problems.add(place_of(tree, path), at, f"the rule needs a provider to send to{suggestion('', known)}")


def _listener(data: Mapping[str, object], tree: Node, problems: Problems) -> None:
    host = str(data.get("host", "127.0.0.1"))
    keys = find(tree, ("gateway", "client_keys"))
    if not is_loopback(host) and not (isinstance(keys, Table) and keys.entries):
        problems.add(
            place_of(tree, ("host",)),
            ("host",),
            f"{quoted(host)} can be reached from other machines, and no gateway.client_keys keep them from using your "
            "credentials; add a key or bind 127.0.0.1",
        )


def _client_keys(data: Mapping[str, object], tree: Node, problems: Problems) -> None:
    owners: dict[object, str] = {}
    for name, key in _mapping(_mapping(data.get("gateway")).get("client_keys")).items():
        first = owners.setdefault(key, name)
        if first != name:
            at: Path = ("gateway", "client_keys", name)
            problems.add(place_of(tree, at), at, f"the same key as that of {named(first)}; give each client its own")


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}

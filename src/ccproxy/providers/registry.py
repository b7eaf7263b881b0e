"""The provider types there are, found as the modules of `kinds/`, and configured providers made from settings."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from types import MappingProxyType, ModuleType

from ccproxy.auth.pool import CredentialPool
from ccproxy.errors import ConfigError
from ccproxy.providers import kinds
from ccproxy.providers.base import CODE_ASSIST, Provider, ProviderType
from ccproxy.providers.config import ProviderConfig
from ccproxy.util.address import Address, parse_address

#: The operations that a path can end with, and whose they are.
_MAINS = {
    "/chat/completions": "openai",
    "/responses": "openai_responses",
    "/messages": "anthropic",
    "/models/{model}:{action}": "gemini",
}


@cache
def provider_types() -> Mapping[str, ProviderType]:
    """Every provider type by name."""
    return types_in(kinds)


def types_in(package: ModuleType) -> Mapping[str, ProviderType]:
    """The provider types of a package by name: each of its modules defines `TYPES`. Raises ConfigError if one does
    not, or if two types have one name."""
    found: dict[str, ProviderType] = {}
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda info: info.name):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        declared: tuple[ProviderType, ...] | None = getattr(module, "TYPES", None)
        if declared is None:
            raise ConfigError(f"{module.__name__} defines no TYPES")
        for kind in declared:
            if kind.name in found:
                raise ConfigError(f"provider type {kind.name!r} is defined twice")
            found[kind.name] = kind
    return MappingProxyType(found)


def build_provider(name: str, config: ProviderConfig, credentials: CredentialPool | None) -> Provider:
    """A configured provider. Raises ConfigError where type, address or path cannot be used."""
    kind = provider_types().get(config.type)
    where = f"providers.{name}"
    if kind is None:
        raise ConfigError(f"{where}.type: unknown provider type {config.type!r}", hint=_known_types())
    kind = _placed(where, config, kind)
    address = _address(where, config, kind)
    path = _join(address.path, config.path, kind)
    _check_place(where, config, kind, path)
    if not path.isascii() or not path.isprintable():
        raise ConfigError(f"{where}.path: write spaces and characters beyond ASCII as %XX")
    if not path and not kind.in_process:
        raise ConfigError(f"{where}.path: provider type {kind.name!r} needs a path")
    main = _main_of(path, kind) or kind.main
    return Provider(
        name=name,
        type=kind,
        scheme=address.scheme,
        host=address.host,
        port=address.port,
        path=path,
        main=main,
        base=path.removesuffix(main) if path.endswith(main) else path.rpartition("/")[0],
        dialects=_dialects(config, kind, address.host, main),
        query=address.query,
        credentials=credentials,
        retry=config.retry,
        fallback=tuple(parse_fallback(entry) for entry in config.fallback),
        verify=config.verify,
        family=_family(where, config.family) or ("code_assist" if CODE_ASSIST in path else ""),
        models=tuple(config.models) or kind.models,
        project=config.project,
    )


def _placed(where: str, config: ProviderConfig, kind: ProviderType) -> ProviderType:
    """The type with the host and path of its project, if that is what the configuration gives."""
    if kind.place is None or config.path or not (config.project or config.location):
        return kind
    for name, value in (("project", config.project), ("location", config.location)):
        if not value:
            raise ConfigError(f"{where}.{name}: provider type {kind.name!r} needs a {name} too")
    host, path = kind.place(config.project, config.location)
    return replace(kind, host=host, path=path)


def _check_place(where: str, config: ProviderConfig, kind: ProviderType, path: str) -> None:
    """Nothing is said in vain."""
    if config.location and (kind.place is None or config.path):
        raise ConfigError(f"{where}.location: the place is said by host and path", hint="remove it, or the path")
    if config.project and CODE_ASSIST not in path and (kind.place is None or config.path):
        raise ConfigError(f"{where}.project: nothing is made of it here", hint="only Google's clouds have projects")


def _family(where: str, name: str) -> str:
    """The family that the configuration names, if it is one."""
    if not name:
        return ""
    from ccproxy.lightllm.families import FAMILIES  # imports every dialect

    if name not in FAMILIES:
        raise ConfigError(f"{where}.family: {name!r} is not known", hint=f"known: {', '.join(sorted(FAMILIES))}")
    return name


def parse_fallback(entry: str) -> tuple[str, str]:
    """The provider and the model of an entry of `fallback`: `NAME` or `NAME/MODEL`."""
    name, _, model = entry.partition("/")
    return name, model


def _dialects(config: ProviderConfig, kind: ProviderType, host: str, main: str) -> tuple[str, ...]:
    """What a provider speaks, that of its main operation first."""
    dialects = tuple(dict.fromkeys(config.dialects)) or kind.dialects
    first = _MAINS.get(main, "")
    if not config.dialects and kind.elsewhere and not host.endswith(kind.own_hosts):
        dialects = (first,) if first in kind.dialects else kind.elsewhere
    return tuple(sorted(dialects, key=lambda dialect: dialect != first))


def _known_types() -> str:
    return f"known types: {', '.join(sorted(provider_types()))}"


def _address(where: str, config: ProviderConfig, kind: ProviderType) -> Address:
    if config.base_url:
        field, text = "base_url", config.base_url
    elif config.host or kind.host:
        field, text = "host", f"https://{config.host}" if config.host else f"{kind.scheme}://{kind.host}"
    else:
        or_place = ", or a project and a location" if kind.place is not None else ""
        raise ConfigError(f"{where}.host: provider type {kind.name!r} needs a host or a base_url{or_place}")
    try:
        address = parse_address(text)
    except ValueError as error:
        hint = "give https://HOST[:PORT][/PREFIX][?QUERY], credentials under auth"
        raise ConfigError(f"{where}.{field}: {error}", hint=hint) from None
    if field == "host" and (address.path or address.query):
        raise ConfigError(f"{where}.host: a host name has no path", hint="use base_url, or put the path under path")
    return address


def _join(prefix: str, path: str, kind: ProviderType) -> str:
    """The prefix of a base URL and a path (the type's own if none is given), without saying anything twice.

    People write a base URL with and without the version (`…/v1`), with all that the type's own path begins with
    (`…/api/anthropic`), and now and then with the whole path of the operation.
    """
    own = path or kind.path
    if not prefix:
        return own
    if not path and _main_of(prefix, kind):
        return prefix
    before, after = prefix.split("/"), own.split("/")[1:]
    for shared in range(min(len(before), len(after) - 1), 0, -1):
        if before[-shared:] == after[:shared]:
            return "/".join([*before, *after[shared:]])
    complete = _is_version(before[-1]) or (kind.versioned_base and any(map(_is_version, before)))
    if not path and complete and _is_version(after[0]):
        return "/".join([*before, *after[1:]])
    return prefix + own


def _main_of(path: str, kind: ProviderType) -> str:
    """The operation that `path` ends with, or ""."""
    return next((main for main in (kind.main, *_MAINS) if main and path.endswith(main)), "")


def _is_version(segment: str) -> bool:
    return segment[:1] == "v" and segment[1:2].isdigit()

"""The provider types there are, found as the modules of `kinds/`, and configured providers made from settings."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from urllib.parse import urlsplit

from ccproxy.auth.base import CredentialSource
from ccproxy.errors import ConfigError
from ccproxy.providers import kinds
from ccproxy.providers.base import Provider, ProviderType
from ccproxy.providers.config import ProviderConfig


@cache
def provider_types() -> Mapping[str, ProviderType]:
    """Every provider type by name. Each module in `kinds/` defines `TYPES`."""
    found: dict[str, ProviderType] = {}
    for info in sorted(pkgutil.iter_modules(kinds.__path__), key=lambda info: info.name):
        module = importlib.import_module(f"{kinds.__name__}.{info.name}")
        for kind in module.TYPES:
            if kind.name in found:
                raise ConfigError(f"provider type {kind.name!r} is defined twice")
            found[kind.name] = kind
    return MappingProxyType(found)


def build_provider(name: str, config: ProviderConfig, source: CredentialSource | None) -> Provider:
    """A configured provider. Raises ConfigError where type, address or path cannot be used."""
    kind = provider_types().get(config.type)
    where = f"providers.{name}"
    if kind is None:
        raise ConfigError(f"{where}.type: unknown provider type {config.type!r}", hint=_known_types())
    scheme, host, port, prefix, query = _address(where, config, kind)
    path = _join(prefix, config.path or kind.path, kind.main)
    if not path and not kind.in_process:
        raise ConfigError(f"{where}.path: provider type {kind.name!r} needs a path")
    return Provider(
        name=name,
        type=kind,
        scheme=scheme,
        host=host,
        port=port,
        path=path,
        base=path.removesuffix(kind.main) if kind.main and path.endswith(kind.main) else path.rpartition("/")[0],
        query=query,
        source=source,
        verify=config.verify,
        models=tuple(config.models) or kind.models,
    )


def _known_types() -> str:
    return f"known types: {', '.join(sorted(provider_types()))}"


def _address(where: str, config: ProviderConfig, kind: ProviderType) -> tuple[str, str, int, str, bytes]:
    """Scheme, host, port, path prefix and query."""
    if config.base_url:
        field, text = "base_url", config.base_url
    elif config.host or kind.host:
        field, text = "host", f"https://{config.host or kind.host}"
    else:
        raise ConfigError(f"{where}.host: provider type {kind.name!r} needs a host or a base_url")
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as error:
        raise ConfigError(f"{where}.{field}: {error}") from None
    if url.scheme not in {"http", "https"} or not url.hostname or "@" in url.netloc or url.fragment:
        raise ConfigError(
            f"{where}.{field}: not a usable address",
            hint="give https://HOST[:PORT][/PREFIX][?QUERY], credentials under auth",
        )
    if field == "host" and (url.path or url.query):
        raise ConfigError(f"{where}.host: a host name has no path", hint="use base_url, or put the path under path")
    return (
        url.scheme,
        url.hostname,
        port or (443 if url.scheme == "https" else 80),
        url.path.rstrip("/"),
        url.query.encode("ascii"),
    )


def _join(prefix: str, path: str, main: str) -> str:
    """The prefix of a base URL and a path, without saying anything twice: people write the base with and without the
    version (`…/v1`) and now and then the whole path of the operation."""
    if not prefix:
        return path
    if main and prefix.endswith(main):
        return prefix
    first, _, rest = path.removeprefix("/").partition("/")
    if rest and prefix.endswith(f"/{first}"):
        return f"{prefix}/{rest}"
    return prefix + path

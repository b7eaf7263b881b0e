"""From a request to its route: rules first, then the sentinel, then the default upstream of the dialect.

Pure: it looks at values and returns a value or raises one of our errors; nothing is sent, no credential is fetched.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from ccproxy.errors import BadRequest, ConfigError, CredentialError, NoRoute, NotSupported
from ccproxy.exchange.route import Route
from ccproxy.providers.base import Provider
from ccproxy.routing.config import TransformRule
from ccproxy.routing.detect import Operation
from ccproxy.routing.sentinel import strip_key


@dataclass(frozen=True, slots=True)
class Rule:
    """A compiled entry of `inspector.transforms`."""

    number: int
    host: re.Pattern[str] | None
    path: re.Pattern[str]
    model: re.Pattern[str] | None
    config: TransformRule

    @property
    def label(self) -> str:
        return f"rule {self.number}"


def compile_rules(configs: list[TransformRule]) -> tuple[Rule, ...]:
    """The rules in order, numbered from 1. Raises ConfigError for a bad regular expression."""

    def pattern(number: int, key: str, text: str) -> re.Pattern[str]:
        try:
            return re.compile(text)
        except re.error as error:
            raise ConfigError(f"inspector.transforms[{number - 1}].{key}: {error}") from None

    return tuple(
        Rule(
            number=number,
            host=pattern(number, "match_host", config.match_host) if config.match_host else None,
            path=pattern(number, "match_path", config.match_path),
            model=pattern(number, "match_model", config.match_model) if config.match_model else None,
            config=config,
        )
        for number, config in enumerate(configs, 1)
    )


@dataclass(frozen=True, slots=True)
class Facts:
    """What routing looks at."""

    target: bytes
    path: str
    query: bytes
    hosts: tuple[str, ...]
    operation: Operation
    model: str
    sentinel: str | None


class Router:
    """The routing of one configuration."""

    def __init__(
        self, providers: Mapping[str, Provider], rules: tuple[Rule, ...], default_upstreams: Mapping[str, str | None]
    ) -> None:
        self._providers = providers
        self._rules = rules
        self._defaults = {
            name: None if url is None else _Upstream.parse(url) for name, url in default_upstreams.items()
        }

    def resolve(self, facts: Facts) -> Route:
        """The route. Raises NoRoute, NotSupported, BadRequest or CredentialError with the fix in the message."""
        rule = self._match(facts)
        if rule is not None and rule.config.action != "passthrough":
            return self._by_rule(rule, facts)
        reason = rule.label if rule is not None else ""
        if facts.sentinel is not None:
            return self._by_sentinel(facts.sentinel, facts, reason or "sentinel")
        return self._by_default(facts, reason or "default upstream")

    def _match(self, facts: Facts) -> Rule | None:
        for rule in self._rules:
            if not rule.path.search(facts.path):
                continue
            if rule.host is not None and not any(rule.host.search(host) for host in facts.hosts):
                continue
            if rule.model is not None and not rule.model.search(facts.model):
                continue
            return rule
        return None

    def _by_rule(self, rule: Rule, facts: Facts) -> Route:
        provider = self._providers.get(rule.config.dest_provider)
        if provider is None:
            raise NoRoute(f"{rule.label}: provider {rule.config.dest_provider!r} is not configured")
        return self._to_provider(provider, facts, rule.label, model=rule.config.dest_model, action=rule.config.action)

    def _by_sentinel(self, name: str, facts: Facts, reason: str) -> Route:
        provider = self._providers.get(name)
        if provider is None:
            known = ", ".join(sorted(self._providers)) or "none"
            raise CredentialError(
                f"the sentinel key names provider {name!r}, which is not configured",
                hint=f"add it under providers, or use one of: {known}",
                status=401,
            )
        return self._to_provider(provider, facts, reason)

    def _to_provider(
        self, provider: Provider, facts: Facts, reason: str, *, model: str = "", action: str = "redirect"
    ) -> Route:
        operation = facts.operation
        if operation.dialect and not provider.speaks(operation.dialect):
            raise NotSupported(
                f"{reason}: the client speaks {operation.dialect}, provider {provider.name!r} speaks "
                f"{' and '.join(provider.type.dialects)}; conversion between dialects is not part of this version",
                hint=f"point a {provider.dialect} client at it, or choose a provider that speaks {operation.dialect}",
            )
        return Route(
            action="redirect",
            reason=reason,
            provider=provider.name,
            scheme=provider.scheme,
            host=provider.host,
            port=provider.port,
            target=_target(provider, operation, strip_key(facts.query), model),
            model=model,
        )

    def _by_default(self, facts: Facts, reason: str) -> Route:
        operation = facts.operation
        if not operation.dialect:
            raise NoRoute(
                f"no route for {facts.path}: it belongs to no dialect ccproxy knows",
                hint="use a sentinel key sk-ant-oat-ccproxy-NAME or a rule under inspector.transforms",
            )
        upstream = self._defaults.get(operation.upstream)
        if upstream is None:
            raise NoRoute(
                f"no route for {facts.path}: gateway.default_upstreams.{operation.upstream} is null",
                hint="use a sentinel key sk-ant-oat-ccproxy-NAME, or set the default upstream",
            )
        return Route(
            action="passthrough",
            reason=reason,
            scheme=upstream.scheme,
            host=upstream.host,
            port=upstream.port,
            target=upstream.target(facts),
            keep_credential=True,
        )


@dataclass(frozen=True, slots=True)
class _Upstream:
    scheme: str
    host: str
    port: int
    prefix: str
    query: bytes

    def target(self, facts: Facts) -> bytes:
        """Byte for byte the client's, unless the path needed tidying or this upstream stands under a prefix."""
        if facts.operation.canonical == facts.path and not self.prefix and not self.query:
            return facts.target
        return _with_query(self.prefix + facts.operation.canonical, self.query, facts.query)

    @staticmethod
    def parse(url: str) -> _Upstream:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise ConfigError(f"gateway.default_upstreams: {url!r}: {error}") from None
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigError(f"gateway.default_upstreams: {url!r} is not an http(s) URL")
        return _Upstream(
            parts.scheme,
            parts.hostname,
            port or (443 if parts.scheme == "https" else 80),
            parts.path.rstrip("/"),
            parts.query.encode("ascii"),
        )


def _target(provider: Provider, operation: Operation, query: bytes, model: str) -> bytes:
    """Path and query at the provider: its own path for the main operation, else the operation beside it."""
    if provider.type.in_process or not provider.path:
        path = operation.canonical
    elif (provider.path.endswith(provider.type.main) and _is_main(provider, operation)) or (
        "{action}" in provider.path and operation.action
    ):
        path = provider.path
    else:
        path = _beside(provider, operation)
    if "{" in path:
        path = path.replace("{action}", operation.action)
        if "{model}" in path:
            name = model or operation.model
            if not name:
                raise BadRequest(f"provider {provider.name!r} needs the model in its path, and the request names none")
            path = path.replace("{model}", _quoted(name))
    elif model and operation.model:
        path = path.replace(f"/models/{operation.model}:", f"/models/{_quoted(model)}:")
    return _with_query(path, provider.query, query)


def _is_main(provider: Provider, operation: Operation) -> bool:
    return operation.rest == provider.type.main or (bool(operation.action) and "{action}" in provider.type.main)


def _beside(provider: Provider, operation: Operation) -> str:
    """A sibling of the main operation. What no dialect knows goes under the provider's prefix as the client wrote it."""
    if operation.name != "other" or operation.canonical != operation.rest:
        return provider.base + operation.rest
    prefix, _, version = provider.base.rpartition("/")
    return (prefix if version[:1] == "v" and version[1:2].isdigit() else provider.base) + operation.rest


def _quoted(model: str) -> str:
    return "".join(c if c.isalnum() or c in "-._~@/" else "".join(f"%{b:02X}" for b in c.encode()) for c in model)


def _with_query(path: str, first: bytes, second: bytes) -> bytes:
    query = b"&".join(part for part in (first, second) if part)
    target = path.encode("latin-1")
    return target + b"?" + query if query else target

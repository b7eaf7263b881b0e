"""From a request to its route: rules first, then the sentinel, then the default upstream of the dialect.

Pure: it looks at values and returns a value or raises one of our errors; nothing is sent, no credential is fetched.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from ccproxy.errors import ConfigError, CredentialError, NoRoute, NotSupported
from ccproxy.exchange.http import Headers
from ccproxy.exchange.route import Route
from ccproxy.providers.base import CODE_ASSIST, Provider
from ccproxy.routing.config import TransformRule
from ccproxy.routing.detect import Operation, detect
from ccproxy.routing.sentinel import strip_key
from ccproxy.util.address import Address, parse_address


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
    """What routing looks at. `destination` is where a request that was caught on its way was going."""

    target: bytes
    path: str
    query: bytes
    hosts: tuple[str, ...]
    operation: Operation
    model: str
    sentinel: str | None
    destination: Address | None = None


class Router:
    """The routing of one configuration. `dialects` are those that can be converted into one another."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        rules: tuple[Rule, ...],
        default_upstreams: Mapping[str, str | None],
        dialects: frozenset[str],
    ) -> None:
        self._providers = providers
        self._rules = rules
        self._dialects = dialects
        self._defaults = {name: None if url is None else _parse(name, url) for name, url in default_upstreams.items()}

    def resolve(self, facts: Facts) -> Route:
        """The route. Raises NoRoute, NotSupported or CredentialError with the fix in the message."""
        rule = self._match(facts)
        if rule is not None and rule.config.action != "passthrough":
            return self._by_rule(rule, facts)
        reason = rule.label if rule is not None else ""
        if facts.sentinel is not None:
            return self._by_sentinel(facts.sentinel, facts, reason or "sentinel")
        if facts.destination is not None:
            return _onwards(facts, facts.destination, reason or "intercepted")
        return self._by_default(facts, reason or "default upstream")

    def to(self, name: str, facts: Facts, reason: str, *, model: str = "") -> Route:
        """The route to a provider that was chosen by its name, whatever rules and sentinel say. Raises NoRoute or
        NotSupported.

        Args:
            model: the model to ask for in place of the client's, or "".
        """
        provider = self._providers.get(name)
        if provider is None:
            known = ", ".join(sorted(self._providers)) or "none"
            raise NoRoute(f"{reason}: provider {name!r} is not configured", hint=f"there are: {known}")
        return self._to_provider(provider, facts, reason, model=model)

    def _match(self, facts: Facts) -> Rule | None:
        for rule in self._rules:
            # A pattern is written for the documented path; clients leave out the version, or say it twice.
            if not (rule.path.search(facts.path) or rule.path.search(facts.operation.canonical)):
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
        return self._to_provider(provider, facts, rule.label, model=rule.config.dest_model)

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

    def _to_provider(self, provider: Provider, facts: Facts, reason: str, *, model: str = "") -> Route:
        operation = facts.operation
        if self._converts(provider, operation):
            return Route(
                action="transform",
                reason=reason,
                provider=provider.name,
                scheme=provider.scheme,
                host=provider.host,
                port=provider.port,
                target=b"",  # known when the request is written: `converted_target`
                model=model,
            )
        _check_form(provider, operation, reason)
        other = takes_another_form(provider, operation)
        return Route(
            action="redirect",
            reason=reason,
            provider=provider.name,
            scheme=provider.scheme,
            host=provider.host,
            port=provider.port,
            # Known when the request has been put into the other form: `converted_target`.
            target=b"" if other else _target(_path(provider, operation, model), provider.query, facts),
            model=model if other or _in_body(facts) else "",
        )

    def _converts(self, provider: Provider, operation: Operation) -> bool:
        """Whether the request must and can be converted."""
        return (
            not _speaks(provider, operation)
            and {operation.dialect, provider.dialect} <= self._dialects
            and (operation.generates or operation.name in {"count_tokens", "model"})
        )

    def _by_default(self, facts: Facts, reason: str) -> Route:
        operation = facts.operation
        if not operation.dialect:
            raise NoRoute(
                f"no route for {facts.path}: it belongs to no dialect ccproxy knows",
                hint="use a sentinel key sk-ant-oat-ccproxy-NAME or a rule under inspector.transforms",
            )
        if not operation.upstream:
            raise NoRoute(
                f"no route for {facts.path}: this path is another service's, and no default upstream has it",
                hint="use a sentinel key sk-ant-oat-ccproxy-NAME or a rule under inspector.transforms, "
                "or give the client a base URL without the prefix",
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
            target=_target(upstream.path + operation.canonical, upstream.query, facts, keep_key=True),
            keep_credential=True,
        )


def converted_target(provider: Provider, path: str) -> bytes:
    """Path and query at the provider for a request that was written in its dialect, or put into another form of it.

    Args:
        path: the documented path of the operation, with its query, as `lightllm` gives it.
    """
    path, _, query = path.partition("?")
    operation = detect(path, query.encode(), Headers())
    target = _path(provider, operation, "").encode("latin-1")
    queries = [part for part in (provider.query, query.encode()) if part]
    return b"?".join([target, b"&".join(queries)]) if queries else target


def _onwards(facts: Facts, destination: Address, reason: str) -> Route:
    """To where the client meant it to go, as it is."""
    return Route(
        action="passthrough",
        reason=reason,
        scheme=destination.scheme,
        host=destination.host,
        port=destination.port,
        target=facts.target,
        keep_credential=True,
    )


def _parse(name: str, url: str) -> Address:
    try:
        return parse_address(url)
    except ValueError as error:
        raise ConfigError(f"gateway.default_upstreams.{name}: {error}") from None


def _check_form(provider: Provider, operation: Operation, reason: str) -> None:
    """Raises NotSupported where the provider wants another form of request than the client sends."""

    def refusal(client: str, wanted: str, hint: str) -> NotSupported:
        return NotSupported(
            f"{reason}: the client speaks {client}, provider {provider.name!r} speaks {wanted}", hint=hint
        )

    if not _speaks(provider, operation):
        raise NotSupported(
            f"{reason}: {operation.canonical} is an endpoint of {operation.dialect}; provider {provider.name!r} speaks "
            f"{' and '.join(provider.dialects)}, which has none like it",
            hint=f"model requests are converted, this is not; choose a provider that speaks {operation.dialect}",
            status=400,
        )
    if provider.type.in_process:
        return
    if takes_another_form(provider, operation):
        return
    wrapped, wraps = operation.wire == "code_assist", CODE_ASSIST in provider.path
    if wrapped and not wraps:
        raise refusal("gemini in the form of Code Assist", "the plain one", "only model requests are rewritten")
    if wraps and not wrapped and operation.dialect == "gemini" and operation.action:
        raise refusal("plain gemini", "the form of Code Assist", f"which has no {operation.action}")


def takes_another_form(provider: Provider, operation: Operation) -> bool:
    """Whether a request has to be, and can be, put into another form of the same dialect for its provider."""
    asks = operation.generates or operation.name == "count_tokens"
    if not asks or provider.type.in_process or not provider.speaks(operation.dialect):
        return False
    return operation.wire != (provider.wire if operation.dialect == provider.dialect else "plain")


def _in_body(facts: Facts) -> bool:
    """Whether the body is where the model stands: not if it is in the path, nor if nothing names one (a list of
    batches, telemetry), where it must not be added."""
    return not facts.operation.model and (facts.operation.generates or bool(facts.model))


def _speaks(provider: Provider, operation: Operation) -> bool:
    """Whether the request can go to the provider as it is."""
    if not operation.dialect or provider.speaks(operation.dialect):
        return True
    # What is neither of OpenAI's two ways to ask a model (embeddings, files, models) goes with both.
    return operation.dialect == "openai" and operation.name != "chat" and provider.speaks("openai_responses")


def _path(provider: Provider, operation: Operation, model: str) -> str:
    """The path at the provider: its own for the main operation; every other operation is found beside it."""
    if not provider.type.in_process and _is_main(provider, operation, model):
        path = provider.path.replace("{action}", operation.action)
        return path.replace("{model}", _quoted(model) if model and operation.model else operation.segment)
    path = operation.canonical if provider.type.in_process else _beside(provider, operation)
    if model and operation.model and operation.segment:
        named = f"{operation.segment}:{operation.action}"
        path = f"{path.removesuffix(named)}{_quoted(model)}:{operation.action}"
    return path


def _is_main(provider: Provider, operation: Operation, model: str) -> bool:
    if "{action}" not in provider.path:
        return operation.rest == provider.main
    if "{model}" in provider.path and not model:
        # A tuned or deployed model has a path of its own, into which it cannot be put.
        return bool(operation.segment)
    return bool(operation.action)


def _beside(provider: Provider, operation: Operation) -> str:
    """A sibling of the main operation. What no dialect knows goes under the provider's prefix as the client wrote it."""
    base, canonical = provider.base, operation.canonical
    for own in ("/backend-api/", "/projects/"):
        # The client names the whole path, of which the provider's base is only one branch.
        if own in base and own in canonical:
            return base.partition(own)[0] + canonical[canonical.index(own) :]
    if operation.name != "other" or canonical != operation.rest:
        return base + operation.rest
    prefix, _, version = base.rpartition("/")
    if version[:1] != "v" or not version[1:2].isdigit():
        prefix = base
    return canonical if prefix and canonical.startswith(f"{prefix}/") else prefix + operation.rest


def _quoted(model: str) -> str:
    return quote(model, safe="-._~@/")


def _target(path: str, query: bytes, facts: Facts, *, keep_key: bool = False) -> bytes:
    """Path and query as bytes: the client's query as it stands, behind what the destination's base URL carries along."""
    own = facts.query if keep_key else strip_key(facts.query)
    target = path.encode("latin-1")
    if query:
        return b"%b?%b&%b" % (target, query, own) if own else b"%b?%b" % (target, query)
    if own == facts.query:
        return target + b"".join(facts.target.partition(b"?")[1:])
    return b"%b?%b" % (target, own) if own else target

"""Both stages as the configuration has them, and as one request wants them (`x-ccproxy-hooks: +a,-b`).

Everything about hooks that can be wrong in a configuration is found here, all of it at once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec

from ccproxy.errors import BadRequest, ConfigError, Forbidden
from ccproxy.pipeline.config import Hooks, entries
from ccproxy.pipeline.hook import Hook, Stage
from ccproxy.pipeline.loader import Loader, built_in
from ccproxy.pipeline.overrides import Overrides
from ccproxy.pipeline.runner import Configured, Pipeline
from ccproxy.util.paths import config_dir

#: How many different overrides are kept made up.
_KEPT = 32


class Pipelines:
    """The hooks of one configuration.

    Args:
        inbound, outbound: the stages.
        loader: finds built-in hooks that a request asks for.
    """

    def __init__(self, inbound: Pipeline, outbound: Pipeline, loader: Loader) -> None:
        self.inbound = inbound
        self.outbound = outbound
        self._loader = loader
        self._changed: OrderedDict[Overrides, Pipelines] = OrderedDict()

    def __bool__(self) -> bool:
        """Whether any hook runs."""
        return bool(self.inbound) or bool(self.outbound)

    @property
    def names(self) -> list[str]:
        """The names of all configured hooks, without repetitions."""
        return list(dict.fromkeys(one.hook.name for one in (*self.inbound.hooks, *self.outbound.hooks)))

    @property
    def warnings(self) -> list[str]:
        """One line for each configured hook that does nothing yet."""
        return [
            f"hooks.{pipeline.stage}: hook {one.name} {one.hook.pending}"
            for pipeline in (self.inbound, self.outbound)
            for one in pipeline.hooks
            if one.hook.pending
        ]

    def with_overrides(self, overrides: Overrides) -> Pipelines:
        """These hooks with some switched on and off. Raises BadRequest for a name nobody knows, Forbidden for a hook
        that no request may switch off."""
        known = self._changed.get(overrides)
        if known is None:
            known = self._changed[overrides] = self._change(overrides)
            if len(self._changed) > _KEPT:
                self._changed.popitem(last=False)
        else:
            self._changed.move_to_end(overrides)
        return known

    def _change(self, overrides: Overrides) -> Pipelines:
        stages: dict[Stage, list[Configured]] = {
            "inbound": list(self.inbound.hooks),
            "outbound": list(self.outbound.hooks),
        }
        for name in overrides.off:
            self._require(name)
            for stage, hooks in stages.items():
                locked = [one for one in hooks if one.hook.name == name and one.hook.locked]
                if locked:
                    raise Forbidden(f"x-ccproxy-hooks: {name} cannot be switched off for a request")
                stages[stage] = [one for one in hooks if one.hook.name != name]
        for name in overrides.on:
            self._require(name)
            if name in self.names:
                for stage, hooks in stages.items():
                    stages[stage] = [_forced(one) if one.hook.name == name else one for one in hooks]
                continue
            hook = self._loader.load(name).hook
            try:
                added = Configured(hook, name, params_of(hook, {}), name, forced=True)
            except ConfigError as error:
                raise BadRequest(f"x-ccproxy-hooks: +{name} needs parameters: {error.message}") from None
            stages[hook.stage or "inbound"].append(added)
        try:
            inbound, outbound = (Pipeline(stage, hooks) for stage, hooks in stages.items())
        except ConfigError as error:
            raise BadRequest(f"x-ccproxy-hooks: {error.message}") from None
        return Pipelines(inbound, outbound, self._loader)

    def _require(self, name: str) -> None:
        names = sorted({*self.names, *built_in()})
        if name not in names:
            near = get_close_matches(name, names, 1)
            raise BadRequest(
                f"x-ccproxy-hooks: there is no hook {name[:60]!r}",
                hint=f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}",
            )


def hook_directory(config: Path | None) -> Path:
    """The directory that hook files are relative to: that of the configuration file, or where it would be."""
    return config.absolute().parent if config is not None else config_dir()


def build(config: Hooks, loader: Loader, *, origins: Mapping[str, str] | None = None) -> Pipelines:
    """The hooks of a configuration.

    Args:
        config: the setting `hooks`.
        loader: finds them.
        origins: where each setting was written (`hooks.inbound[0]` → `FILE:3`), for the messages.

    Raises ConfigError with every problem, a line each.
    """
    problems: list[str] = []
    stages: dict[Stage, list[Configured]] = {"inbound": [], "outbound": []}

    def note(where: str, error: ConfigError) -> None:
        place = next((origins[key] for key in (f"{where}.hook", where) if key in origins), "") if origins else ""
        problems.append(f"{place}: {where}: {error}" if place else f"{where}: {error}")

    for where, entry in entries(config):
        stage: Stage = "outbound" if where.startswith("hooks.outbound") else "inbound"
        try:
            hook = loader.load(entry.hook).hook
            if hook.stage not in (None, stage):
                raise ConfigError(f"{hook.name} is an {hook.stage} hook", hint=f"put it under hooks.{hook.stage}")
            params = params_of(hook, entry.params)
            hook.reads_with(params)
            hook.writes_with(params)
        except ConfigError as error:
            note(where, error)
            continue
        count = sum(one.hook.name == hook.name for one in stages[stage])
        name = f"{hook.name}#{count + 1}" if count else hook.name
        stages[stage].append(Configured(hook, name, params, entry.hook))
    made: list[Pipeline] = []
    for stage, hooks in stages.items():
        try:
            made.append(Pipeline(stage, hooks))
        except ConfigError as error:
            note(f"hooks.{stage}", error)
    if problems:
        raise ConfigError("\n".join(problems))
    return Pipelines(made[0], made[1], loader)


def params_of(hook: Hook, given: Mapping[str, Any]) -> object:
    """A hook's parameters as its own type: any that msgspec converts to, or one with pydantic's `model_validate`.
    Raises ConfigError."""
    model = hook.params
    if model is None:
        if given:
            raise ConfigError(f"{hook.name} takes no parameters, and is given {', '.join(map(str, given))}")
        return None
    unknown = [name for name in given if (known := _fields(model)) is not None and name not in known]
    if unknown:
        fields = sorted(_fields(model) or ())
        near = get_close_matches(str(unknown[0]), fields, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(fields) or 'none'}"
        raise ConfigError(f"params: {hook.name} has no parameter {unknown[0]!r}", hint=hint)
    validate = getattr(model, "model_validate", None)
    try:
        return validate(dict(given)) if validate is not None else msgspec.convert(dict(given), model)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"params of {hook.name}: {' '.join(str(error).split())}") from None


def _fields(model: type) -> set[str] | None:
    """The names a type of parameters has, or None where it does not say."""
    if issubclass(model, msgspec.Struct):
        return {field.encode_name for field in msgspec.structs.fields(model)}
    named = getattr(model, "model_fields", None) or getattr(model, "__dataclass_fields__", None)
    return set(named) if named is not None else None


def _forced(one: Configured) -> Configured:
    return Configured(one.hook, one.name, one.params, one.spec, forced=True)

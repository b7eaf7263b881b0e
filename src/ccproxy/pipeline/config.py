"""Configuration of the hooks: the values of `hooks`."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct, field

HookPath = Annotated[str, Meta(extra={"format": "hook"})]

#: What runs where the configuration says nothing: hooks that change no byte.
DEFAULT_INBOUND = ("ccproxy.hooks.inject_auth", "ccproxy.hooks.extract_session_id")


class HookEntry(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A hook with parameters."""

    hook: Annotated[
        HookPath,
        Meta(description="Dotted path of the hook, its file (./my_hook.py, beside this one), or its short name."),
    ]
    params: Annotated[dict[str, Any], Meta(description="What the hook takes as its parameters.")] = {}


class HooksConfig(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """The hooks of the two stages. `ccproxy hooks list` shows those there are, and the order they run in."""

    inbound: Annotated[list[HookPath | HookEntry], Meta(description="Hooks that run before the route is chosen.")] = (
        field(default_factory=lambda: list(DEFAULT_INBOUND))
    )
    outbound: Annotated[
        list[HookPath | HookEntry], Meta(description="Hooks that run on what goes to the provider.")
    ] = []


#: The value of `hooks` in the settings: a flat list is the inbound stage.
type Hooks = HooksConfig | list[HookPath | HookEntry]


def entries(config: Hooks) -> list[tuple[str, HookEntry]]:
    """Every configured hook with its place in the settings: `hooks.inbound[0]`."""
    stages = {"hooks": config} if isinstance(config, list) else {
        "hooks.inbound": config.inbound,
        "hooks.outbound": config.outbound,
    }  # fmt: skip
    return [
        (f"{where}[{number}]", entry if isinstance(entry, HookEntry) else HookEntry(hook=entry))
        for where, listed in stages.items()
        for number, entry in enumerate(listed)
    ]

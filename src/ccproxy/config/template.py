"""The commented configuration file that `ccproxy init` writes.

Made from the models: every key stands in it with its description and its default, so it cannot fall behind them. Only
the examples below are written by hand. Two kinds of comment: `# Text` explains, `#key: value` is a setting that is
switched off; removing that one character switches it on, and a file with all of them on is valid too.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from msgspec import inspect

from ccproxy.config import schema
from ccproxy.config.render import scalar
from ccproxy.config.schema import Facts, Key

_WIDTH = 110
_LONGEST_FLOW = 60

_HEAD = """\
Configuration of ccproxy.

A line that begins with "# " explains. A line that begins with "#" and a key is a setting with its default or an
example: remove the "#" to switch it on. `ccproxy config check` tells whether the file is right; a running proxy
takes changes over by itself, for new requests.

Environment variables win over this file: CCPROXY_PORT=4001, CCPROXY_GATEWAY__DRAIN_SECONDS=5.
"""

#: What to show where the default would show nothing, by path. The first example of a kind is filled up with the
#: defaults of the keys it does not give.
_EXAMPLES: Mapping[tuple[str, ...], object] = MappingProxyType(
    {
        ("providers",): {
            "demo": {"type": "demo"},
            "anthropic": {
                "type": "anthropic",
                "host": "api.anthropic.com",
                "path": "/v1/messages",
                "auth": {"type": "command", "command": "printenv ANTHROPIC_API_KEY", "header": "x-api-key"},
            },
            "openai": {
                "type": "openai",
                "auth": {"type": "file", "file": "~/.config/openai.key"},
                "models": ["gpt-4o", "gpt-4o-mini"],
            },
            "deepseek": {
                "type": "anthropic",
                "base_url": "https://api.deepseek.com/anthropic",
                "auth": "printenv DEEPSEEK_API_KEY",
            },
            "gemini": {
                "type": "gemini",
                "path": "/v1beta/models/{model}:{action}",
                "auth": "printenv GEMINI_API_KEY",
            },
            "claude-login": {
                "type": "anthropic",
                "auth": {"type": "anthropic_oauth"},
                "retry": {"attempts": 3},
                "fallback": ["deepseek/deepseek-chat"],
            },
            "gemini-login": {
                "type": "code_assist",
                "auth": {"type": "google_oauth"},
            },
            "codex-login": {"type": "codex", "auth": {"type": "codex_oauth"}},
        },
        ("hooks",): {
            "inbound": ["ccproxy.hooks.inject_auth", "ccproxy.hooks.extract_session_id"],
            "outbound": [
                "ccproxy.hooks.verbose_mode",
                {"hook": "ccproxy.hooks.redact_secrets", "params": {"mode": "mask"}},
            ],
        },
        ("inspector", "transforms"): [
            {"match_path": "^/v1/messages", "match_model": "^claude-.*haiku", "dest_provider": "deepseek"},
        ],
    }
)
_NOTES: Mapping[tuple[str, ...], str] = MappingProxyType(
    {
        ("providers", "demo"): "Answers by itself, without an account or a network: to see that everything works.",
        ("providers", "anthropic"): "An API key that a command prints. All keys of a provider:",
        ("providers", "openai"): "An API key in a file.",
        ("providers", "deepseek"): "Messages API under a prefix, given as a URL.",
        ("providers", "gemini"): "The model and the action stand in the path.",
        ("providers", "claude-login"): "The login of Claude Code; when it fails, another provider is asked.",
        ("providers", "gemini-login"): "The login of gemini-cli, for every client.",
        ("providers", "codex-login"): "The login of Codex.",
    }
)
_DEMO = ("providers", "demo")
#: What is switched on, beside the sections, whose keys are switched off one by one.
_ON = frozenset({("providers",), _DEMO, (*_DEMO, "type"), ("hooks",)})


def template() -> str:
    """The text of the file. Always the same for the same version."""
    lines = [f"# {line}".rstrip() for line in _HEAD.splitlines()]
    lines += ["", "ccproxy:", *_Template().struct(schema.settings_type(), {}, (), 1)]
    return "".join(f"{line}\n" for line in lines)


class _Template:
    """Remembers which models have been shown in full; each is, once."""

    def __init__(self) -> None:
        self._shown: set[type] = set()

    def struct(
        self, struct: inspect.StructType, given: Mapping[str, object], path: tuple[str, ...], indent: int
    ) -> Iterator[str]:
        """The keys of a model: all of them with their descriptions the first time, then those that are given."""
        full = struct.cls not in self._shown and path != _DEMO
        if full:
            self._shown.add(struct.cls)
        if struct.tag_field is not None:
            yield from _prose(schema.summary(struct), indent)
            yield f"{'  ' * indent}#{struct.tag_field}: {struct.tag}"
        for key in schema.keys(struct):
            here = (*path, key.name)
            if not full and key.name not in given:
                continue
            section = isinstance(key.type, inspect.StructType) or here in _ON
            if section and not path:
                yield ""
            if full:
                yield from _prose(_description(key), indent)
            value = given.get(key.name, _EXAMPLES.get(here, key.default))
            yield from self._value(key.name, key.type, value, here, indent, off=not section)

    def _value(
        self, name: str, bare: inspect.Type, value: object, path: tuple[str, ...], indent: int, *, off: bool
    ) -> Iterator[str]:
        """`name: value`, in as many lines as it takes."""
        lead = f"{'  ' * indent}{'#' if off else ''}{name}:"
        struct = _struct_of(bare, value)
        if struct is not None:
            yield lead
            yield from self.struct(struct, value if isinstance(value, Mapping) else {}, path, indent + 1)
        elif isinstance(value, Mapping) and value:
            yield lead
            yield from self._entries(_inner(bare), value, path, indent + 1)
        elif isinstance(value, list) and _needs_lines(value):
            yield lead
            for item in value:
                yield from self._item(_inner(bare), item, path, indent + 1)
        else:
            yield f"{lead} {scalar(value)}"

    def _entries(
        self, bare: inspect.Type, entries: Mapping[str, object], path: tuple[str, ...], indent: int
    ) -> Iterator[str]:
        for position, (name, value) in enumerate(entries.items()):
            here = (*path, name)
            if note := _NOTES.get(here):
                yield from [""] if position else []
                yield from _prose(note, indent)
            yield from self._value(name, bare, value, here, indent, off=here not in _ON)

    def _item(self, bare: inspect.Type, value: object, path: tuple[str, ...], indent: int) -> Iterator[str]:
        lead = "  " * indent
        struct = _struct_of(bare, value)
        if struct is None or not isinstance(value, Mapping):
            yield f"{lead}#- {scalar(value)}"
            return
        started = False
        for line in self.struct(struct, value, path, indent + 1):
            text = line.lstrip()
            if started:
                yield line
            elif text.startswith("# "):
                yield f"{lead}{text}"
            else:
                started = True
                yield f"{lead}#- {text.removeprefix('#')}"


def _needs_lines(value: list[object]) -> bool:
    return any(isinstance(item, Mapping) for item in value) or len(scalar(value)) > _LONGEST_FLOW


def _struct_of(bare: inspect.Type, value: object) -> inspect.StructType | None:
    """The model that `value` is an example or the default of, if it is one of a model."""
    for member, _ in schema.members(bare, Facts()):
        if not isinstance(member, inspect.StructType):
            continue
        if isinstance(value, member.cls):
            return member
        if isinstance(value, Mapping) and (member.tag_field is None or value.get(member.tag_field) == member.tag):
            return member
    return None


def _inner(bare: inspect.Type) -> inspect.Type:
    for member, _ in schema.members(bare, Facts()):
        if isinstance(member, inspect.DictType):
            return schema.unwrap(member.value_type)[0]
        if isinstance(member, inspect.ListType):
            return schema.unwrap(member.item_type)[0]
    return inspect.AnyType()


def _description(key: Key) -> str:
    text = key.facts.description
    if not text and isinstance(key.type, inspect.StructType):
        text = schema.summary(key.type)
    if isinstance(key.type, inspect.LiteralType) and not all(str(word) in text for word in key.type.values):
        text = f"{text} One of {schema.phrase(key.type)}.".strip()
    return text


def _prose(text: str, indent: int) -> Iterator[str]:
    lead = f"{'  ' * indent}# "
    yield from textwrap.wrap(
        text, _WIDTH, initial_indent=lead, subsequent_indent=lead, break_long_words=False, break_on_hyphens=False
    )

"""Writes docs/reference/config.md from the configuration models. `--check` only says whether the page is up to date.

Every table is made from what the models say of themselves, so the page holds nothing that the program does not do.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from msgspec import inspect

from ccproxy.config import schema
from ccproxy.config.render import scalar
from ccproxy.config.schema import Facts, Key
from ccproxy.providers.registry import provider_types

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "config.md"

HEAD = """\
# Configuration

<!-- Written by tools/gen_config_reference.py from the configuration models: do not edit. -->

The configuration is one YAML file with the one top key `ccproxy:`. `ccproxy init` writes a commented one,
`ccproxy config check` says whether it is valid, `ccproxy config show` prints the effective settings (credentials
masked) with the place each came from, `ccproxy config schema` prints a JSON Schema for editors.

## Where settings come from

Later ones win:

1. the defaults below;
2. the file: `--config PATH`, else `ccproxy.yaml` in `$CCPROXY_CONFIG_DIR`, else in `$XDG_CONFIG_HOME/ccproxy`
   (`~/.config/ccproxy`). A file named by `--config` must exist; without any file the defaults hold;
3. environment variables that begin with `CCPROXY_`, with `__` between the keys, in any case: `CCPROXY_PORT=4001`,
   `CCPROXY_GATEWAY__DRAIN_SECONDS=5`, `CCPROXY_PROVIDERS__DEMO__TYPE=demo`. Values are YAML scalars, or flow collections
   such as `[a, b]` and `{type: demo}`; where a setting wants text the value is taken as it stands. Mappings are merged
   key by key, lists are replaced. A variable that names no setting is an error;
4. command line flags.

YAML is read after version 1.2: `true` and `false` are the booleans (`yes`, `no`, `on`, `off` count where a boolean is
wanted), there are no dates and no octal numbers. Anchors, aliases and `<<` work; tags, repeated keys and a second
document are errors. Unknown keys are errors.

Problems are reported all at once, a line each, with exit code 2:

    ccproxy.yaml:7: ccproxy.providers.x.typ: unknown key "typ"; did you mean "type"?

A running proxy takes a changed file over for new requests, within about a second or at once on SIGHUP. A file that is
invalid, empty or gone leaves the settings in force as they are, and one line in the log says why.
"""


@dataclass(frozen=True)
class Section:
    """A table of the page. `variables` is the path for environment variables, None where they do not reach."""

    title: str
    struct: inspect.StructType
    variables: tuple[str, ...] | None


def render() -> str:
    """The whole page."""
    parts = [HEAD]
    for section in sections("", schema.settings_type(), ()):
        parts.append("\n".join(table(section)) + "\n")
    parts.append("\n".join(types()) + "\n")
    return "\n".join(parts)


def sections(title: str, struct: inspect.StructType, variables: tuple[str, ...] | None) -> Iterator[Section]:
    """The model and every model inside it, in the order of the file."""
    yield Section(title, struct, variables)
    for key in schema.keys(struct):
        path = f"{title}.{key.name}".lstrip(".")
        below = None if variables is None else (*variables, key.name)
        yield from inner_sections(path, key.type, below)


def inner_sections(path: str, bare: inspect.Type, variables: tuple[str, ...] | None) -> Iterator[Section]:
    for member, _ in schema.members(bare, Facts()):
        match member:
            case inspect.StructType(tag=None):
                yield from sections(path, member, variables)
            case inspect.StructType():
                yield from sections(f"{path} ({member.tag_field}: {member.tag})", member, variables)
            case inspect.DictType():
                below = None if variables is None else (*variables, "NAME")
                yield from inner_sections(f"{path}.NAME", schema.unwrap(member.value_type)[0], below)
            case inspect.ListType() if not isinstance(bare, inspect.UnionType):
                yield from inner_sections(f"{path}[]", schema.unwrap(member.item_type)[0], None)


def table(section: Section) -> Iterator[str]:
    yield f"## `{section.title}`" if section.title else "## Top level"
    yield ""
    yield schema.summary(section.struct)
    yield ""
    with_variables = section.variables is not None
    yield f"| Key | Type | Default | Meaning |{' Variable |' if with_variables else ''}"
    yield f"| --- | --- | --- | --- |{' --- |' if with_variables else ''}"
    if section.struct.tag_field is not None:
        yield row(
            f"`{section.struct.tag_field}`",
            f"`{section.struct.tag}`",
            "required",
            "",
            section,
            section.struct.tag_field,
        )
    for key in schema.keys(section.struct):
        yield row(f"`{key.name}`", kind(key.type), default(key), meaning(key), section, key.name)


def row(name: str, type_: str, default_: str, meaning_: str, section: Section, key: str) -> str:
    cells = [name, type_, default_, meaning_]
    if section.variables is not None:
        cells.append(f"`{schema.variable((*section.variables, key))}`")
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def kind(bare: inspect.Type) -> str:
    match bare:
        case inspect.UnionType():
            return " or ".join(dict.fromkeys(kind(schema.unwrap(member)[0]) for member in bare.types))
        case inspect.ListType():
            return f"list of {kind(schema.unwrap(bare.item_type)[0])}"
        case inspect.DictType():
            return f"mapping of names to {kind(schema.unwrap(bare.value_type)[0])}"
        case inspect.StructType():
            return "section"
        case inspect.AnyType():
            return "anything"
        case inspect.LiteralType():
            return " or ".join(f"`{value}`" for value in bare.values)
        case _:
            return schema.phrase(bare).removeprefix("a ")


def default(key: Key) -> str:
    if key.required:
        return "required"
    if (
        isinstance(key.type, inspect.StructType)
        or isinstance(key.default, tuple)
        or hasattr(key.default, "__struct_fields__")
    ):
        return ""
    return f"`{scalar(key.default)}`"


def meaning(key: Key) -> str:
    if not key.facts.description and isinstance(key.type, inspect.StructType):
        return schema.summary(key.type)
    return key.facts.description


def types() -> Iterator[str]:
    yield "## Provider types"
    yield ""
    yield "What `providers.NAME.type` may be, and what a provider of the type has if the configuration does not say."
    yield ""
    yield "| Type | Speaks | Host | Path |"
    yield "| --- | --- | --- | --- |"
    for name, found in sorted(provider_types().items()):
        dialects = ", ".join(found.dialects) or "every dialect"
        plain = "http://" if found.scheme == "http" else ""
        host = (
            "none: answered in process"
            if found.in_process
            else f"`{plain}{found.host}`"
            if found.host
            else "must be given"
        )
        path = f"`{found.path}`" if found.path else "" if found.in_process else "must be given"
        yield f"| `{name}` | {dialects} | {host} | {path} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit with 1 if the page is not up to date")
    wanted = render()
    if parser.parse_args().check:
        if PAGE.read_text(encoding="utf-8") == wanted:
            return 0
        print(f"{PAGE} is not up to date; run tools/gen_config_reference.py", file=sys.stderr)
        return 1
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Writes docs/reference/hooks.md from the code. `--check` only says whether the page is up to date.

Declarations, contexts, built-in hooks and their parameters are described by their own docstrings.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from ccproxy.hooks import Hook, HookContext
from ccproxy.pipeline import loader, places
from ccproxy.pipeline.loader import Loader, built_in
from ccproxy.pipeline.secrets import Kind
from ccproxy.pipeline.views import BodyView, HeaderView

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "hooks.md"

HEAD = """\
# Hooks

<!-- Written by tools/gen_hooks_reference.py from the code: do not edit. -->

[Write a hook](../how-to/write-a-hook.md) is the place to begin. Everything here can be imported from `ccproxy.hooks`
(`hook`, `HookContext`); values of requests and answers are in `ccproxy.lightllm.ir`.

## In the configuration

    hooks:
      inbound:
        - ccproxy.hooks.extract_session_id
        - ./hooks/my_hook.py
        - hook: set_model
          params: {model: gpt-x}

"""


def _attributes(doc: str) -> Iterator[tuple[str, str]]:
    """Names and texts of an `Attributes:` section."""
    _, _, section = doc.partition("Attributes:\n")
    for found in re.finditer(r"^(\w+(?:, \w+)*): (.*(?:\n {4,}.*)*)", textwrap.dedent(section), re.MULTILINE):
        yield found[1], _line(found[2])


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace(" Args: ", " Arguments: ")


def _members(kind: type) -> Iterator[tuple[str, str]]:
    """Public members of a class: how they are written, and what they are."""
    for name, member in vars(kind).items():
        if name.startswith("_") or name in {"failed", "undo", "hook", "tracked"}:
            continue
        doc = inspect.getdoc(member) or ""
        if isinstance(member, property):
            yield f"{name}" + (" (can be set)" if member.fset else ""), _line(doc)
        elif inspect.isfunction(member):
            parameters = list(inspect.signature(member).parameters.values())[1:]
            words = [one.name if one.kind is not one.KEYWORD_ONLY else f"{one.name}=…" for one in parameters]
            yield f"{name}({', '.join(words)})", _line(doc)


def _table(head: tuple[str, str], rows: Iterator[tuple[str, str]]) -> Iterator[str]:
    yield f"| {head[0]} | {head[1]} |"
    yield "| --- | --- |"
    for name, text in rows:
        word, _, more = name.partition(" (can")
        yield f"| `{word}`{' (can' + more if more else ''} | {text} |"
    yield ""


def _doc_table(doc: str | None) -> Iterator[str]:
    """The table in a module's docstring."""
    yield from [line for line in (doc or "").splitlines() if line.startswith("|")]
    yield ""


def _hook(name: str) -> Iterator[str]:
    module = importlib.import_module(f"ccproxy.hooks.{name}")
    hook = Loader(Path()).load(name).hook
    yield f"### `{name}`"
    yield ""
    stage = hook.stage or "either stage"
    more = [", cannot be switched off for a request"] if hook.locked else []
    yield f"{hook.summary} ({stage}{''.join(more)})" + (f" **It {hook.pending}.**" if hook.pending else "")
    yield ""
    doc = (module.__doc__ or "").partition("\n\n")[2].rstrip()
    if doc and not hook.pending:
        yield doc
        yield ""
    if hook.params is not None:
        yield from _table(("Parameter", "Meaning"), _attributes(inspect.getdoc(hook.params) or ""))
    if name == "redact_secrets":
        yield f"Kinds: {', '.join(f'`{kind}`' for kind in Kind.__value__.__args__)}."
        yield ""


def render() -> str:
    """The text of the page."""
    lines = [
        "A hook is named in one of these ways:",
        "",
        *_doc_table(loader.__doc__),
        "## Places",
        "",
        "What `reads` and `writes` may name:",
        "",
        *_doc_table(places.__doc__),
        "Two places overlap where one holds the other.",
        "",
        "## `@hook`",
        "",
        *_table(("Word", "Meaning"), iter([("reads, writes", "The places; or a function from the parameters to them."), *_attributes(inspect.getdoc(Hook) or "")])),
        "## `HookContext`",
        "",
        *_table(("Member", "Meaning"), iter([("hook", "The hook's name in this stage."), ("services", "What the application lends, by type: `ctx.services.get(Kind)`."), *_members(HookContext)])),
        "### `ctx.headers`",
        "",
        "Fields are read and set like entries of a dict: `ctx.headers[\"x-a\"] = \"1\"`, `del ctx.headers[\"x-a\"]`.",
        "",
        *_table(("Member", "Meaning"), _members(HeaderView)),
        "### `ctx.body`",
        "",
        _line(inspect.getdoc(BodyView) or ""),
        "",
        *_table(("Member", "Meaning"), _members(BodyView)),
        "## Built-in hooks",
        "",
        *(line for name in built_in() for line in _hook(name)),
    ]  # fmt: skip
    return HEAD + "\n".join(lines).rstrip() + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description="Writes docs/reference/hooks.md.")
    parser.add_argument("--check", action="store_true", help="only say whether it is up to date")
    text = render()
    if parser.parse_args().check:
        current = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
        if current != text:
            print(f"{PAGE} is out of date: run tools/gen_hooks_reference.py", file=sys.stderr)
        return int(current != text)
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

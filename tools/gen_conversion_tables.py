"""Writes the tables of docs/explanation/conversion.md from the code: `--check` only says whether they are up to date.

A table stands between `<!-- table: NAME -->` and `<!-- end -->`. What a dialect takes comes from its `Capabilities`, stop
reasons and errors from what its encoder writes, losses from the README beside its code (which a test compares with the
code). tests/tools/test_gen_conversion_tables.py fails when the page is not up to date.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import ccproxy.lightllm.dialects as package
from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.errors import STATUS, ErrorInfo
from ccproxy.lightllm.ir.events import End, PartEnd, PartStart, Start, Stop, StopReason, TextDelta
from ccproxy.lightllm.ir.parts import Text, ToolCall
from ccproxy.lightllm.ir.reasoning import BUDGETS
from ccproxy.lightllm.registry import Registry
from ccproxy.testing.conformance import checked, collected, decode_document

PAGE = Path(__file__).resolve().parent.parent / "docs" / "explanation" / "conversion.md"
TITLES = {
    "anthropic": "Anthropic",
    "openai": "Chat Completions",
    "openai_responses": "Responses",
    "gemini": "Gemini",
}

_TABLE = re.compile(r"(<!-- table: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

type Row = list[str]


def _dialects() -> list[Dialect]:
    registry = Registry()
    return [registry.get(name) for name in TITLES]


def _table(head: Row, rows: list[Row]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _yes(value: object) -> str:
    return "yes" if value else "no"


def _said(names: object) -> str:
    return ", ".join(f"`{name}`" for name in names) if names else "no"  # type: ignore[attr-defined]


def _media(types: frozenset[str]) -> str:
    """Media types in short: `png` for `image/png`, `any` for `image/*`, office formats in two words."""
    office = {kind for kind in types if "vnd." in kind}
    short = {"text" if kind == "text/*" else kind.partition("/")[2].replace("*", "any") for kind in types - office}
    return ", ".join([*sorted(short), *(["office documents"] if office else [])]) or "no"


_TAKES: dict[str, Callable[[Dialect], str]] = {
    "images": lambda d: _media(d.capabilities.image_types),
    "images by URL": lambda d: _yes(d.capabilities.image_urls),
    "how closely to look at an image": lambda d: _yes(d.capabilities.image_detail),
    "documents": lambda d: _media(d.capabilities.document_types),
    "documents by URL": lambda d: _yes(d.capabilities.document_urls),
    "recordings": lambda d: _media(d.capabilities.audio_types),
    "images in tool results": lambda d: _yes(d.capabilities.result_media),
    "instructions in mid-conversation": lambda d: _yes(d.capabilities.system_anywhere),
    "thinking of earlier turns": lambda d: {"signed": "signed by it", "any": "yes", "none": "no"}[
        d.capabilities.thinking
    ],
    "freeform tools": lambda d: _yes(d.capabilities.custom_tools),
    "groups of tools": lambda d: _yes(d.capabilities.namespaces),
    "provider's tools that convert": lambda d: _said(sorted(d.capabilities.hosted_tools)),
    "a choice among several tools": lambda d: _yes(d.capabilities.allowed_tools),
    "a forced call": lambda d: _yes(d.capabilities.forced_calls),
    "no parallel calls": lambda d: _yes(d.capabilities.parallel_control),
    "sampling": lambda d: _said(sorted(d.capabilities.sampling)),
    "temperature": lambda d: "{:g} to {:g}".format(*d.capabilities.temperature),
    "stop sequences": lambda d: f"{d.capabilities.max_stop:,}" if d.capabilities.max_stop else "none",
    "output limit": lambda d: "demanded" if d.capabilities.needs_max_tokens else "optional",
    "JSON answers": lambda d: _yes(d.capabilities.json_mode),
    "answers bound to a schema": lambda d: _yes(d.capabilities.json_schema),
    "effort words": lambda d: _said(d.capabilities.efforts),
    "thinking budget in tokens": lambda d: _yes(d.capabilities.budgets),
    "highest thinking budget": lambda d: f"{most:,}" if (most := d.capabilities.max_budget) else "",
    "thinking that the model decides on": lambda d: _yes(d.capabilities.adaptive),
    "cache marks": lambda d: _yes(d.capabilities.cache_marks),
    "cache key": lambda d: _yes(d.capabilities.cache_key),
    "user": lambda d: _yes(d.capabilities.user),
    "metadata": lambda d: _yes(d.capabilities.metadata),
    "verbosity": lambda d: _yes(d.capabilities.verbosity),
    "token count": lambda d: _yes(d.write_count_request),
}


#: Capabilities that are no question of taking something: spelling, or what only other providers of a dialect lack.
UNSHOWN = {
    "answer_media",
    "blank_stop",
    "demands_thinking",
    "developer_role",
    "enable_thinking",
    "envelope",
    "json_word",
    "legacy_limit",
    "max_tokens",
    "output_schema",
    "reasoning",
    "schema",
    "stream_usage",
    "strict_schema",
    "text_parts",
    "thinking_off",
    "thinking_switch",
    "thinks_unasked",
    "tool_name",
    "two_cuts",
}


def capabilities() -> str:
    """What each dialect takes, when its own provider speaks it."""
    dialects = _dialects()
    rows = [[name, *(of(dialect) for dialect in dialects)] for name, of in _TAKES.items()]
    return _table(["", *TITLES.values()], rows)


def stops() -> str:
    """The word that a client gets for each reason to stop: what an answer of another dialect is written with."""
    rows = [
        [reason.replace("_", " "), *(f"`{_word(dialect, reason)}`" for dialect in _dialects())]
        for reason in get_args(StopReason.__value__)
    ]
    return _table(["The answer", *TITLES.values()], rows)


def _word(dialect: Dialect, reason: StopReason) -> str:
    part = ToolCall("call_1", "f") if reason == "tool_use" else Text("")
    said = [TextDelta("x")] if reason != "tool_use" else []
    events = [Start("i", "m"), PartStart(0, part), *said, PartEnd(), End(Stop(reason, sequence="x"))]
    stop = checked(decode_document(dialect, collected(dialect, events))).stop
    assert stop is not None
    return stop.native or "completed"


def errors() -> str:
    """Status and word of each kind of error, as a client gets them where the provider gave no other status."""
    rows = [
        [kind.replace("_", " "), *(_error(dialect, ErrorInfo(kind, "message")) for dialect in _dialects())]
        for kind in STATUS
    ]
    return _table(["The error", *TITLES.values()], rows)


def _error(dialect: Dialect, error: ErrorInfo) -> str:
    status, body = dialect.encode_error(error)
    told = json.loads(body)["error"]
    word = told.get("status") or told.get("type")
    return f"{status} `{word}`"


def losses() -> str:
    """What each dialect's own spelling loses, by the table in its README."""
    rows: list[Row] = []
    for name, title in TITLES.items():
        page = (Path(package.__path__[0]) / name / "README.md").read_text(encoding="utf-8")
        rows += [[title, *cells] for cells in _cells(page.partition("## Losses")[2])]
    return _table(["Written as", "Name", "Kind", "Why"], rows)


def _cells(text: str) -> Iterator[Row]:
    for line in text.splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in line.strip().strip("|").split(" | ")]


def efforts() -> str:
    """Effort words and the budgets they stand for."""
    return _table(["Word", *(f"`{word}`" for word in BUDGETS)], [["Tokens", *(f"{n:,}" for n in BUDGETS.values())]])


TABLES: dict[str, Callable[[], str]] = {
    "capabilities": capabilities,
    "stops": stops,
    "errors": errors,
    "efforts": efforts,
    "losses": losses,
}


def page(text: str) -> str:
    """`text` with every table as it is now. Raises KeyError for a table that nothing makes."""
    return _TABLE.sub(lambda found: f"{found[1]}{TABLES[found['name']]()}{found[3]}", text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit with 1 if the page is not up to date")
    text = PAGE.read_text(encoding="utf-8")
    wanted = page(text)
    if parser.parse_args().check:
        if text == wanted:
            return 0
        print(f"{PAGE} is not up to date; run tools/gen_conversion_tables.py", file=sys.stderr)
        return 1
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

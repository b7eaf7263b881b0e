"""jq filters over a list of flows. Each filter takes an array and must give an array; they are applied in order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import msgspec

from ccproxy.errors import CommandError

_HINT = "a filter takes an array of flows and gives one, for example 'map(select(.response.status_code >= 400))'"
#: After up to two of a filter's results have been collected: there is one, and it is an array.
_CHECK = 'if length == 1 and (.[0] | type) == "array" then .[0] else error("") end'


def apply(filters: Sequence[str], items: list[Any]) -> list[Any]:
    """`items` after all filters.

    Args:
        filters: jq programs.
        items: JSON values, as `views.flow_json` makes them.

    Raises CommandError naming the filter that is wrong, fails, or does not give exactly one array.
    """
    if not filters:
        return items
    import jq

    programs = _compiled(filters)  # every filter is looked at before any is run
    document = msgspec.json.encode(items).decode()
    # All filters in one run, with JSON text as the result: the values cross between jq and Python once, not for each.
    checked = " | ".join(f"[limit(2; \n{text}\n)] | {_CHECK}" for text in filters)
    try:
        results = list(islice(jq.compile(f"{checked} | tojson").input_text(document), 1))
    except ValueError:
        results = []
    return msgspec.json.decode(results[0]) if results else _step_by_step(programs, items)


def check(filters: Sequence[str]) -> None:
    """Raises CommandError naming the filter that is no valid jq, if there is one."""
    if filters:
        _compiled(filters)


def _compiled(filters: Sequence[str]) -> list[tuple[str, Any]]:
    import jq

    programs = []
    for text in filters:
        try:
            programs.append((text, jq.compile(text)))
        except ValueError as error:
            raise _error(text, f"is no valid jq: {_line(error)}") from error
    return programs


def _step_by_step(programs: Iterable[tuple[str, Any]], items: list[Any]) -> list[Any]:
    """The same, filter by filter: slower, but it shows which one is wrong and how."""
    for text, program in programs:
        try:
            results = list(islice(program.input_text(msgspec.json.encode(items).decode()), 2))
        except ValueError as error:
            raise _error(text, f"fails: {_line(error)}") from error
        if not results:
            raise _error(text, "gives nothing")
        if len(results) > 1:
            raise _error(text, "gives several values instead of one array", hint="put [ ] around it, or use map(...)")
        if not isinstance(results[0], list):
            raise _error(text, f"gives {_kind(results[0])} instead of an array")
        items = results[0]
    return items


def _error(text: str, what: str, hint: str = _HINT) -> CommandError:
    return CommandError(f"the jq filter {text!r} {what}", hint=hint)


def _line(error: ValueError) -> str:
    """jq's own words in one line."""
    words = str(error).removeprefix("jq: error: ").replace("jq: 1 compile error", "")
    return " ".join(words.split()).rstrip(" ^~") or "no reason given"


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case _:
            return "an object"

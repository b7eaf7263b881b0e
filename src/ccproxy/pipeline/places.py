"""Places: what a hook may read and write, as the dotted words of `@hook(reads=…, writes=…)`.

| word | what |
| --- | --- |
| `body`, `body.metadata.user_id` | the JSON body, or the value at a path in it (`*` is any key or position) |
| `request` | the same body as the neutral `Request` value |
| `model` | the model asked for, in the body or in the path |
| `headers`, `headers.anthropic-beta` | all header fields, or one; case does not matter |
| `route` | where the request goes |
| `session` | the conversation's id |
| `state`, `state.NAME` | what hooks tell one another (`ctx.state(NAME)`) |
| `answer` | the answer, as it comes back or as a hook gives it |

Two places overlap where one holds the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from ccproxy.errors import ConfigError

#: A parsed place. `("headers", "anthropic-beta")`; a position in a list is its number as text.
type Place = tuple[str, ...]

_ROOTS = ("body", "headers", "route", "session", "state", "answer")
_ALIASES: dict[str, Place] = {"request": ("body",), "model": ("body", "model"), "response": ("answer",)}
#: Places that have nothing below them.
_LEAVES = frozenset({"model", "request", "response", "route", "session", "answer"})


def parse(text: str) -> Place:
    """The place that `text` names. Raises ConfigError for a word that is none."""
    root, dot, rest = text.partition(".")
    if root not in _ROOTS and root not in _ALIASES:
        words = [*_ROOTS, *_ALIASES]
        near = get_close_matches(root, words, 1)
        raise ConfigError(
            f"{text!r} is no place a hook can declare",
            hint=f"did you mean {near[0]!r}?" if near else f"places are {', '.join(words)}",
        )
    if dot and (root in _LEAVES or not all(rest.split("."))):
        raise ConfigError(f"{text!r} is no place a hook can declare", hint=f"there is nothing below {root!r} to name")
    if not dot:
        return _ALIASES.get(root, (root,))
    return (root, rest.lower()) if root == "headers" else (root, *rest.split("."))


def show(place: Place) -> str:
    """The word for a place."""
    return ".".join(place)


def overlap(one: Place, other: Place) -> bool:
    """Whether one of the two holds the other, or both are the same."""
    return all(a == b or "*" in (a, b) for a, b in zip(one, other, strict=False))


def covered(place: Place, declared: Iterable[Place]) -> bool:
    """Whether `place` lies within one of the declared ones."""
    return any(len(known) <= len(place) and overlap(known, place) for known in declared)

"""Tools under other names: where a target has no groups, no freeform tools, or a smaller alphabet.

The renaming is made once per request, from its tools and its history, so the same conversation is renamed the same way
each time; `restore` undoes it in the answer. Two tools never share a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

import msgspec

from ccproxy.lightllm.ir.events import ArgsDelta, Event, PartEnd, PartStart
from ccproxy.lightllm.ir.parts import ToolCall
from ccproxy.lightllm.toolargs import unwrap_custom

type Kind = Literal["function", "custom"]


class Original(msgspec.Struct, frozen=True, gc=False):
    """What the client calls a tool."""

    namespace: str
    name: str
    kind: Kind


#: A tool as the target knows it: its group (where the target has groups) and its name.
type Key = tuple[str, str]


class ToolNames:
    """The names of one request's tools, theirs and the target's.

    Args:
        pattern: what a name must match in the target.
        namespaces, custom: whether the target has groups and freeform tools (then these stay as they are).
    """

    __slots__ = ("_custom", "_keys", "_namespaces", "_originals", "_pattern")

    def __init__(self, pattern: str = r".*", *, namespaces: bool = True, custom: bool = True) -> None:
        self._pattern = re.compile(pattern)
        self._namespaces = namespaces
        self._custom = custom
        self._keys: dict[Original, Key] = {}
        self._originals: dict[Key, Original] = {}

    def learn(self, originals: Iterable[Original]) -> None:
        """Gives each tool its name in the target. Names that fit are given out first, so they never change."""
        for original in sorted(dict.fromkeys(originals), key=self._needs_change):
            self.target(original.name, original.namespace, original.kind)

    def target(self, name: str, namespace: str = "", kind: Kind = "function") -> str:
        """The target's name for a tool."""
        original = Original(namespace, name, kind)
        if original not in self._keys:
            key, n = self._fitting(original, 1), 1
            while key in self._originals:
                n += 1
                key = self._fitting(original, n)
            self._keys[original] = key
            self._originals[key] = original
        return self._keys[original][1]

    def renamed(self) -> dict[Key, Original]:
        """The tools that the target knows in another way than the client."""
        return {
            key: original
            for key, original in self._originals.items()
            if key != (original.namespace, original.name) or (original.kind == "custom" and not self._custom)
        }

    def restorer(self) -> Restorer | None:
        """A filter that undoes the renaming in one answer, or None when there is nothing to undo."""
        renamed = self.renamed()
        return Restorer(renamed, unwrap=not self._custom) if renamed else None

    def _needs_change(self, original: Original) -> bool:
        grouped = bool(original.namespace) and not self._namespaces
        return grouped or self._pattern.fullmatch(original.name) is None

    def _fitting(self, original: Original, n: int) -> Key:
        """The name (with a counter from the second try on) in the target's alphabet and length."""
        namespace, wanted = original.namespace, original.name
        if namespace and not self._namespaces:
            namespace, wanted = "", f"{namespace}__{wanted}"
        suffix = "" if n == 1 else f"_{n}"
        if self._pattern.fullmatch(wanted + suffix):
            return namespace, wanted + suffix
        spelled = re.sub(r"[^a-zA-Z0-9_-]", "_", wanted) or "tool"
        if not (spelled[0].isalpha() or spelled[0] == "_"):
            spelled = f"_{spelled}"
        length = len(spelled)
        while length > 1 and not self._pattern.fullmatch(spelled[:length] + suffix):
            length -= 1
        return namespace, spelled[:length] + suffix


class Restorer:
    """Gives tool calls of an answer the client's names again, and freeform tools their text."""

    __slots__ = ("_pieces", "_renamed", "_unwrap")

    def __init__(self, renamed: dict[Key, Original], *, unwrap: bool) -> None:
        self._renamed = renamed
        self._unwrap = unwrap
        self._pieces: list[str] | None = None

    def feed(self, event: Event) -> list[Event]:
        """What the client is to see of `event`."""
        if type(event) is PartStart and isinstance(event.part, ToolCall):
            original = self._renamed.get((event.part.namespace, event.part.name))
            if original is None:
                return [event]
            call = msgspec.structs.replace(
                event.part, name=original.name, namespace=original.namespace, kind=original.kind
            )
            if self._unwrap and original.kind == "custom":
                # The text is inside of a JSON string: it is whole only when the string is.
                self._pieces = [call.args]
                call = msgspec.structs.replace(call, args="")
            return [PartStart(event.index, call)]
        if self._pieces is not None:
            if type(event) is ArgsDelta:
                self._pieces.append(event.text)
                return []
            if type(event) is PartEnd:
                text = unwrap_custom("".join(self._pieces))
                self._pieces = None
                return [ArgsDelta(text), event] if text else [event]
        return [event]

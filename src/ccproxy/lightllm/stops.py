"""Stop sequences for upstreams that cannot watch for them (all, or the ones beyond their limit): cut on the way back.

A filter between decoder and encoder. It holds back only text that may be the beginning of a sequence, so the client
sees everything else at once. The sequence that is complete first wins, the longest of those that end together; the
answer then ends with the reason `stop_sequence`, `done` says that the upstream can be closed, and what still comes from
it is ignored.
"""

from __future__ import annotations

from collections.abc import Sequence

from ccproxy.lightllm.ir.events import End, Event, Failed, PartEnd, PartStart, Stop, TextDelta
from ccproxy.lightllm.ir.parts import Text


class StopCutter:
    """Cuts an answer at the first stop sequence.

    Args:
        sequences: what to look for; empty ones are ignored.
    """

    __slots__ = ("_held", "_in_text", "_longest", "_sequences", "done")

    def __init__(self, sequences: Sequence[str]) -> None:
        self._sequences = [sequence for sequence in sequences if sequence]
        self._longest = max(map(len, self._sequences), default=0)
        self._held = ""
        self._in_text = False
        self.done = False

    def feed(self, event: Event) -> list[Event]:
        """What the client is to see of `event`."""
        if self.done:
            return []
        if type(event) is PartStart:
            self._in_text = isinstance(event.part, Text)
        if not self._in_text:
            return [event]
        if type(event) is TextDelta:
            return self._text(event.text)
        if isinstance(event, PartEnd | End | Failed):
            self._in_text = False
            held, self._held = self._held, ""
            return [TextDelta(held), event] if held else [event]
        return [event]

    def _text(self, text: str) -> list[Event]:
        self._held += text
        found = self._first()
        if found is not None:
            start, sequence = found
            before, self._held = self._held[:start], ""
            self.done = True
            events: list[Event] = [TextDelta(before)] if before else []
            return [*events, PartEnd(), End(Stop("stop_sequence", sequence=sequence))]
        keep = self._maybe()
        say = self._held[: len(self._held) - keep]
        self._held = self._held[len(self._held) - keep :]
        return [TextDelta(say)] if say else []

    def _first(self) -> tuple[int, str] | None:
        hits = [
            (start + len(sequence), start, sequence)
            for sequence in self._sequences
            if (start := self._held.find(sequence)) >= 0
        ]
        if not hits:
            return None
        _, start, sequence = min(hits)
        return start, sequence

    def _maybe(self) -> int:
        """How many of the last characters may be the beginning of a sequence."""
        for length in range(min(self._longest - 1, len(self._held)), 0, -1):
            tail = self._held[-length:]
            if any(sequence.startswith(tail) for sequence in self._sequences):
                return length
        return 0

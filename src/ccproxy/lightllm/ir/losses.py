"""What a conversion could not carry over: the ledger kept on the flow, counted in a header, refused in strict mode."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from ccproxy.errors import Untranslatable
from ccproxy.lightllm.jsontext import JsonError, dumps_text

#: The response header the ledger is rendered in.
LOSSES_HEADER = "x-ccproxy-losses"

_MOST_IN_HEADER = 20
_LONGEST_VALUE = 120


class Loss(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that did not arrive as it was sent.

    Attributes:
        path: where in the request or answer: `sampling.temperature`, `messages[2].parts[0].cache`.
        kind: `dropped` (is not there), `approximated` (is there in a weaker form), `defaulted` (was not said and had to
            be), `repaired` (was broken).
        source: the value that came, as short JSON text, or "".
        target: the value that went, or "".
        reason: why, for a person.
        word: what the header says in place of `kind` (`clamped`), or "".
        minor: a provider's bookkeeping, which nobody asked for: it is kept, and not counted in the header, which would
            else stand on every answer and be read by nobody.
    """

    path: str
    kind: Literal["dropped", "approximated", "defaulted", "repaired"]
    source: str = ""
    target: str = ""
    reason: str = ""
    word: str = ""
    minor: bool = False

    @property
    def name(self) -> str:
        """The last name in the path: what the header calls it."""
        return self.path.rpartition(".")[2].partition("[")[0]


class LossLedger:
    """The losses of one exchange, in the order they happened."""

    __slots__ = ("_losses",)

    def __init__(self) -> None:
        self._losses: list[Loss] = []

    def __len__(self) -> int:
        return len(self._losses)

    def __iter__(self) -> Iterator[Loss]:
        return iter(self._losses)

    def __repr__(self) -> str:
        return f"LossLedger({self.header()})"

    def add(self, loss: Loss) -> None:
        """Records a loss."""
        self._losses.append(loss)

    def dropped(self, path: str, reason: str, value: object = None, *, minor: bool = False) -> None:
        """Records that the value at `path` was left out."""
        self.add(Loss(path, "dropped", source=_short(value), reason=reason, minor=minor))

    def approximated(self, path: str, reason: str, value: object = None, became: object = None, word: str = "") -> None:
        """Records that the value at `path` arrives in another form."""
        self.add(Loss(path, "approximated", _short(value), _short(became), reason, word))

    def defaulted(self, path: str, reason: str, became: object) -> None:
        """Records that a value had to be chosen."""
        self.add(Loss(path, "defaulted", target=_short(became), reason=reason))

    def repaired(self, path: str, reason: str, value: object = None, became: object = None) -> None:
        """Records that something broken was put right."""
        self.add(Loss(path, "repaired", _short(value), _short(became), reason))

    def header(self) -> str:
        """The value of `x-ccproxy-losses`: the count, then each name and what became of it, once. "" for no loss but
        minor ones."""
        counted = [loss for loss in self._losses if not loss.minor]
        if not counted:
            return ""
        words = dict.fromkeys(f"{_token(loss.name)}={_token(loss.word or loss.kind)}" for loss in counted)
        shown = list(words)[:_MOST_IN_HEADER]
        if len(words) > len(shown):
            shown.append("...")
        return f"{len(counted)}; {', '.join(shown)}"

    def require_empty(self) -> None:
        """Strict mode: raises Untranslatable that names the losses if there are any."""
        if self._losses:
            first = self._losses[0]
            raise Untranslatable(
                f"strict conversion: {self.header()} ({first.path}: {first.reason})",
                hint="send only what the provider's dialect can say, or turn lightllm.strict off",
            )


def _short(value: object) -> str:
    if value is None:
        return ""
    try:
        text = dumps_text(value)
    except JsonError:
        text = type(value).__name__
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}... ({len(text)} characters)"


def _token(text: str) -> str:
    """`text` as it may stand in a header: printable ASCII without separators."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-.$") else "_" for c in text)[:60] or "_"

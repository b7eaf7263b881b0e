"""What an answer reports beside its tokens that decides what they cost. Pure; any value in, never an exception out."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

#: No longer word is a service's, and nothing dearer (dollars) is an answer's.
_LONGEST = 40
_DEAREST = 1e6
#: Where tokens are listed by what they stand for, in the dialects' words, and which side of the exchange they are on.
_DETAILS = {
    "prompt_tokens_details": "in",
    "input_tokens_details": "in",
    "promptTokensDetails": "in",
    "completion_tokens_details": "out",
    "output_tokens_details": "out",
    "candidatesTokensDetails": "out",
    "responseTokensDetails": "out",
}


class Terms(Struct):
    """Terms of an answer, in tokens where nothing else is said. All of them are part of the counts in `Usage`.

    Attributes:
        service: how it was served, by the provider's words: `service_tier` (`priority`, `flex`), `speed` (`fast`).
        cache_write_1h: of the tokens written to a cache those for an hour.
        in_audio, in_image, out_audio, out_image: tokens that stand for sounds and pictures, cached ones left out.
        searches: searches of the web that it made.
        reported: what it says that it cost, in the provider's own currency.
    """

    service: dict[str, str] = field(default_factory=dict)
    cache_write_1h: int = 0
    in_audio: int = 0
    in_image: int = 0
    out_audio: int = 0
    out_image: int = 0
    searches: int = 0
    reported: float | None = None

    def serve(self, name: str, value: Any) -> None:
        """Notes how the answer was served; later words count."""
        if isinstance(value, str) and len(value) < _LONGEST:
            self.service[name] = value.lower()

    def add(self, usage: dict[str, Any]) -> None:
        """Notes what a usage object says. A stream repeats itself, with totals that only grow."""
        for name, value in usage.items():
            if name == "cost":
                self._report(value.get("total_cost") if isinstance(value, dict) else value)
            elif isinstance(value, dict | list):
                if side := _DETAILS.get(name):
                    self._modalities(side, value, usage)
                elif name == "cache_creation":
                    self._grow("cache_write_1h", _count(value, "ephemeral_1h_input_tokens"))
                elif name == "server_tool_use":
                    self._grow("searches", _count(value, "web_search_requests"))
            elif name in {"service_tier", "serviceTier"}:
                self.serve("service_tier", value)
            elif name == "speed":
                self.serve("speed", value)

    def _report(self, cost: Any) -> None:
        if isinstance(cost, int | float) and not isinstance(cost, bool) and 0 <= cost < _DEAREST:
            self.reported = float(cost)

    def _modalities(self, side: str, details: Any, usage: dict[str, Any]) -> None:
        for modality in ("audio", "image"):
            if isinstance(details, dict):
                found = _count(details, f"{modality}_tokens")
            else:
                found = _listed(details, modality)
                if side == "in":
                    found -= _listed(usage.get("cacheTokensDetails"), modality)
            self._grow(f"{side}_{modality}", found)

    def _grow(self, name: str, count: int) -> None:
        if count > getattr(self, name):
            setattr(self, name, count)


def _count(members: Any, name: str) -> int:
    value = members.get(name) if isinstance(members, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else 0


def _listed(details: Any, modality: str) -> int:
    """The tokens of one modality in `[{"modality": "AUDIO", "tokenCount": 3}, ...]`."""
    if not isinstance(details, list):
        return 0
    return sum(
        _count(entry, "tokenCount")
        for entry in details
        if isinstance(entry, dict) and str(entry.get("modality")).lower() == modality
    )

"""What models cost: the list prices of `prices.json`, by provider, model and day.

The list is read when the first price is asked for, and of it only the providers that are; `tools/prices.py` makes it.
Who is paid is told by where a request went, else by the name that the configuration gives the provider; a host and a
name that the list does not know have no price, and neither has a model that it does not know: nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Self

import msgspec

#: A price, or the base price and then from how many prompt tokens on another one counts, for all tokens.
type Price = float | list[float | list[float]]
#: One model name that is recognised, or several; see `_fits`.
type _Match = str | list[Any] | dict[str, Any]

_FILE = Path(__file__).with_name("prices.json")
_MOST_REMEMBERED = 1024

#: Hosts that the list leaves out, and whose prices count there.
_HOSTS: Mapping[str, str] = {"chatgpt.com": "openai", "api.kimi.com": "moonshotai"}
#: Other names for a provider in the list.
_NAMES: Mapping[str, str] = {
    "bedrock": "aws",
    "codex": "openai",
    "copilot": "github-copilot",
    "gemini": "google",
    "google_ai_studio": "google",
    "kimi": "moonshotai",
    "moonshot": "moonshotai",
    "openai_responses": "openai",
    "vertex": "google",
    "vertex_ai": "google",
    "xai": "x-ai",
    "z.ai": "zai",
}


class Prices(msgspec.Struct, frozen=True, omit_defaults=True, rename={"fresh": "in"}):
    """The prices of a model in a time: dollars per million tokens; `search` and `request` per thousand of them. None =
    no price of its own.

    Attributes:
        day: from when on they count (`2026-03-13`, UTC), or "".
        hours: from when to when they count each day (`["00:30", "16:30"]`, UTC), or nothing.
        when: what the answer must report, by name: `service_tier`, `speed`.
        fresh: prompt tokens that are in no other count; the others are part of the prompt or of the answer.
    """

    day: str = msgspec.field(default="", name="from")
    hours: tuple[str, str] | None = None
    when: dict[str, str] = {}
    fresh: Price | None = None
    out: Price | None = None
    read: Price | None = None
    write: Price | None = None
    write_1h: Price | None = None
    reasoning: Price | None = None
    in_audio: Price | None = None
    out_audio: Price | None = None
    in_image: Price | None = None
    out_image: Price | None = None
    search: float | None = None
    request: float | None = None

    def count_at(self, moment: datetime) -> bool:
        """Whether they count at that moment (UTC)."""
        if self.day and moment.date() < date.fromisoformat(self.day):
            return False
        if self.hours is None:
            return True
        begin, end = self.hours
        now = f"{moment:%H:%M}"
        return begin <= now < end if begin <= end else now >= begin or now < end


class Rates(msgspec.Struct, frozen=True):
    """What a model costs on a day: its prices, and other ones for some ways to be served."""

    standard: Prices
    variants: tuple[Prices, ...] = ()

    def served(self, terms: Mapping[str, str]) -> Prices | None:
        """The prices for what an answer reports (`service_tier`, `speed`; what is usual left out). None if nothing is
        known of such a service."""
        if not terms:
            return self.standard
        found = next((variant for variant in self.variants if variant.when == terms), None)
        if found is None:
            return None
        named = {name: value for name in _KINDS if (value := getattr(found, name)) is not None}
        return msgspec.structs.replace(self.standard, **named)


_KINDS = tuple(name for name in Prices.__struct_fields__ if name not in {"day", "hours", "when"})


class _Model(msgspec.Struct, frozen=True):
    match: _Match
    prices: tuple[Prices, ...]
    variants: tuple[Prices, ...] = ()


class _Provider(msgspec.Struct, frozen=True):
    url: str
    models: tuple[_Model, ...]
    others: tuple[str, ...] = ()


class _Address(msgspec.Struct, frozen=True):
    url: str


class _Document(msgspec.Struct, frozen=True):
    source: str
    date: str
    providers: dict[str, msgspec.Raw]


class PriceList:
    """The list. Looking a model up a second time costs nothing.

    Attributes:
        source, date: where it is from, and the day it was made (`2026-11-24`).
    """

    def __init__(self, document: _Document) -> None:
        self.source, self.date = document.source, document.date
        self._raw = document.providers
        self._providers: dict[str, _Provider] = {}
        self._addresses: list[tuple[re.Pattern[str], str]] = []
        self._models: dict[tuple[str, str], _Model | None] = {}
        self._payees: dict[tuple[str, str], str] = {}
        self._rates: dict[tuple[str, str], tuple[int, Rates | None]] = {}

    @classmethod
    def load(cls, path: Path = _FILE) -> Self:
        """The list in a file."""
        return cls(msgspec.json.decode(path.read_bytes(), type=_Document))

    def provider(self, url: str, name: str = "") -> str:
        """Whose prices count for a request that went to `url` (without query), to the provider that the configuration calls `name`; ""
        if that is not known."""
        found = self._payees.get((url, name))
        if found is None:
            host = url.partition("://")[2].partition("/")[0]
            found = _HOSTS.get(host) or self._address(url) or self._called(name)
            _remember(self._payees, (url, name), found)
        return found

    def rates(self, provider: str, model: str, at: float) -> Rates | None:
        """What `model` of `provider` (as `provider()` names it) costs at `at` (seconds since the epoch); None if that
        is not known."""
        minute = int(at // 60)  # prices change on the minute
        remembered = self._rates.get((provider, model))
        if remembered is not None and remembered[0] == minute:
            return remembered[1]
        found = self._rates_at(self._model(provider, model.lower()), datetime.fromtimestamp(minute * 60, UTC))
        _remember(self._rates, (provider, model), (minute, found))
        return found

    def _rates_at(self, found: _Model | None, moment: datetime) -> Rates | None:
        if found is None:
            return None
        active = [prices for prices in found.prices if prices.count_at(moment)] or found.prices[:1]
        if not active or (active[-1].fresh is None and active[-1].out is None):
            return None
        return Rates(active[-1], tuple(variant for variant in found.variants if variant.count_at(moment)))

    def _address(self, url: str) -> str:
        if not self._addresses:
            for known, raw in self._raw.items():
                pattern = msgspec.json.decode(raw, type=_Address).url
                self._addresses.append((re.compile(pattern), known))
        return next((known for address, known in self._addresses if address.match(url)), "")

    def _called(self, name: str) -> str:
        name = name.lower()
        name = _NAMES.get(name, name)
        return name if name in self._raw else ""

    def _model(self, provider: str, model: str) -> _Model | None:
        key = provider, model
        if key in self._models:
            return self._models[key]
        found = self._find(provider, model)
        if found is None and (dated := _COMPACT_DATE.sub(r"-\1-\2-\3", model)) != model:
            found = self._find(provider, dated)
        _remember(self._models, key, found)
        return found

    def _find(self, provider: str, model: str) -> _Model | None:
        known = self._provider(provider)
        if known is None or not model:
            return None
        for source in (known, *map(self._provider, known.others)):
            for candidate in source.models if source is not None else ():
                if _fits(candidate.match, model):
                    return candidate
        return None

    def _provider(self, name: str) -> _Provider | None:
        if name not in self._providers:
            if name not in self._raw:
                return None
            self._providers[name] = msgspec.json.decode(self._raw[name], type=_Provider)
        return self._providers[name]


def _remember[Key, Value](into: dict[Key, Value], key: Key, value: Value) -> None:
    if len(into) >= _MOST_REMEMBERED:
        into.clear()
    into[key] = value


#: A day at the end of a model's name, as some write it.
_COMPACT_DATE = re.compile(r"-(20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")


def _fits(match: _Match, model: str) -> bool:
    """Whether a name is recognised: by one of a list, by all of `{"all": [...]}`, or by a word that is the name (`=`),
    its beginning (`^`), its end (`$`), a part of it (`*`), or a regular expression (`/`)."""
    if isinstance(match, list):
        return any(_fits(one, model) for one in match)
    if isinstance(match, dict):
        return all(_fits(one, model) for one in match["all"])
    word = match[1:]
    match match[:1]:
        case "=":
            return model == word
        case "^":
            return model.startswith(word)
        case "$":
            return model.endswith(word)
        case "*":
            return word in model
    return re.search(word, model) is not None


@cache
def price_list() -> PriceList:
    """The list that comes with ccproxy."""
    return PriceList.load()

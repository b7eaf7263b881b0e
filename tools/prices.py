"""Writes src/ccproxy/flows/prices.json, the price list that flows are priced with, from the data of `genai-prices`.

Run by hand when prices have changed, with that package at hand (it is no dependency; docs/decisions/0006 says why):

    uv run --no-project --with genai-prices --with msgspec tools/prices.py

Kept is what the answer of a model can be priced by; descriptions, batch prices and what is not paid by the token are
left out. Afterwards every model's price by the list is held against the package's own, for several usages and days.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
from genai_prices import types as theirs
from genai_prices.data import providers

ROOT = Path(__file__).resolve().parent.parent
LIST = ROOT / "src" / "ccproxy" / "flows" / "prices.json"

#: Their names of prices, and ours; dollars per million tokens, the last two per thousand.
KINDS = {
    "input_mtok": "in",
    "output_mtok": "out",
    "cache_read_mtok": "read",
    "cache_write_mtok": "write",
    "cache_write_1h_mtok": "write_1h",
    "output_reasoning_mtok": "reasoning",
    "input_audio_mtok": "in_audio",
    "output_audio_mtok": "out_audio",
    "input_image_mtok": "in_image",
    "output_image_mtok": "out_image",
    "web_searches_kcount": "search",
    "requests_kcount": "request",
}
#: What a variant may depend on: only what answers report.
CONDITIONS = ("service_tier", "speed")


def clause(match: Any) -> Any:
    """How a model is recognised: a list of which one must hold, `{"all": [...]}`, or a word with its kind before it."""
    match match:
        case theirs.ClauseEquals():
            return f"={match.equals.lower()}"
        case theirs.ClauseStartsWith():
            return f"^{match.starts_with.lower()}"
        case theirs.ClauseEndsWith():
            return f"${match.ends_with.lower()}"
        case theirs.ClauseContains():
            return f"*{match.contains.lower()}"
        case theirs.ClauseRegex():
            return f"/{match.regex}"
        case theirs.ClauseOr():
            return [clause(one) for one in match.or_]
        case theirs.ClauseAnd():
            return {"all": [clause(one) for one in match.and_]}
    raise TypeError(f"a clause of another kind: {match}")


def number(value: Decimal) -> float | int:
    return int(value) if value == value.to_integral_value() else float(value)


def prices(found: theirs.ModelPrice, constraint: Any) -> dict[str, Any]:
    row: dict[str, Any] = {}
    match constraint:
        case theirs.StartDateConstraint():
            row["from"] = constraint.start_date.isoformat()
        case theirs.TimeOfDateConstraint():
            row["hours"] = [constraint.start_time.strftime("%H:%M"), constraint.end_time.strftime("%H:%M")]
    for key, name in KINDS.items():
        value = getattr(found, key, None)
        if isinstance(value, theirs.TieredPrices):
            row[name] = [number(value.base), *([tier.start, number(tier.price)] for tier in value.tiers)]
        elif value is not None:
            row[name] = number(value)
    return row


def model(found: theirs.ModelInfo) -> dict[str, Any]:
    conditional = found.prices if isinstance(found.prices, list) else [theirs.ConditionalPrice(prices=found.prices)]
    row: dict[str, Any] = {
        "match": clause(found.match),
        "prices": [prices(p.prices, p.constraint) for p in conditional],
    }
    variants = [
        {"when": variant.when, **prices(variant.prices, variant.constraint)}
        for variant in found.price_variants or []
        if set(variant.when) <= set(CONDITIONS)
    ]
    if variants:
        row["variants"] = variants
    return row


def provider(found: theirs.Provider) -> dict[str, Any]:
    row: dict[str, Any] = {"url": found.api_pattern}
    if found.fallback_model_providers:
        row["others"] = found.fallback_model_providers
    row["models"] = [model(one) for one in found.models]
    return row


def by_token(found: theirs.Provider) -> bool:
    return any("in" in row for one in found.models for row in model(one)["prices"])


def write() -> None:
    document = {
        "source": f"genai-prices {version('genai-prices')}, MIT licence, https://github.com/pydantic/genai-prices",
        "date": datetime.now(UTC).date().isoformat(),
        "providers": {found.id: provider(found) for found in providers if by_token(found)},
    }
    lines = []
    for name, value in document["providers"].items():
        models = ",\n    ".join(msgspec.json.encode(one).decode() for one in value.pop("models"))
        lines.append(f'  "{name}": {msgspec.json.encode(value).decode()[:-1]},"models":[\n    {models}]}}')
    head = "".join(f' "{name}": {msgspec.json.encode(document[name]).decode()},\n' for name in ("source", "date"))
    body = ",\n".join(lines)
    LIST.write_text(f'{{\n{head} "providers": {{\n{body}\n }}\n}}\n')
    print(f"wrote {LIST.relative_to(ROOT)}: {len(lines)} providers, {LIST.stat().st_size:,} bytes")


def names(match: Any) -> Iterator[str]:
    match match:
        case theirs.ClauseEquals():
            yield match.equals
        case theirs.ClauseStartsWith():
            yield from (match.starts_with, f"{match.starts_with}-x")
        case theirs.ClauseEndsWith():
            yield f"x{match.ends_with}"
        case theirs.ClauseContains():
            yield f"x{match.contains}x"
        case theirs.ClauseOr():
            for one in match.or_:
                yield from names(one)
        case theirs.ClauseAnd():
            yield from names(match.and_[0])


def check() -> int:
    """Prices every model by both, and tells how many differ."""
    sys.path.insert(0, str(ROOT / "src"))
    from ccproxy.flows.cost import dollars
    from ccproxy.flows.model import Usage
    from ccproxy.flows.prices import PriceList
    from ccproxy.flows.terms import Terms

    ours, draw = PriceList.load(LIST), random.Random(7)
    compared = differ = 0
    moments = [datetime(2026, 1, 5, 12, tzinfo=UTC), datetime(2026, 11, 24, 20, tzinfo=UTC)]
    for found in providers:
        for name in [text for one in found.models for text in names(one.match)]:
            theirs_model = found.find_model(name, all_providers=providers)
            for moment in moments:
                read, write = draw.randrange(9000), draw.randrange(9000)
                fresh, output = draw.choice([100, 150_000, 400_000]), draw.randrange(1, 5000)
                long = draw.randrange(write + 1)
                total = fresh + read + write
                usage = Usage(input=total, output=output, cache_read=read, cache_write=write, reasoning=output // 2)
                rates = ours.rates(found.id, name, moment.timestamp())
                got = dollars(rates, usage, Terms(cache_write_1h=long)) if rates is not None else None
                assert theirs_model is not None
                known = theirs_model.get_prices(moment)
                if known.input_mtok is None or known.output_mtok is None or getattr(known, "requests_kcount", None):
                    continue
                want = known.calc_price(
                    theirs.Usage(
                        input_tokens=total,
                        output_tokens=output,
                        cache_read_tokens=read,
                        cache_write_tokens=write,
                        cache_write_1h_tokens=long,
                        output_reasoning_tokens=output // 2,
                    )
                )["total_price"]
                compared += 1
                if got is None or abs(got - float(want)) > 1e-9 * max(1.0, float(want)):
                    differ += 1
                    print(f"{found.id} {name} {moment.date()}: {got} here, {want} there", file=sys.stderr)
    print(f"{compared:,} prices compared, {differ} differ (data of {date.today().isoformat()})")
    return 1 if differ or not compared else 0


if __name__ == "__main__":
    write()
    sys.exit(check())

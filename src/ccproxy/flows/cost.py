"""What a flow cost, in US dollars at the list price of its day. Pure.

Counted is what the answer reports, at the price of whoever answered (`prices`): fresh prompt tokens, those read from a
cache, those written to one for five minutes or an hour, generated ones, audio and pictures where they have prices of
their own, searches of the web. Models with a higher price for long prompts have it for all tokens of such a request.
OpenRouter and Perplexity report the price itself; then that is it. Whoever has a subscription pays no such price; it is
what the same tokens would have cost without.
"""

from __future__ import annotations

from ccproxy.flows.model import Flow, Usage
from ccproxy.flows.prices import Price, PriceList, Prices, Rates, price_list
from ccproxy.flows.terms import Terms

#: Providers that report in dollars what an answer cost.
_REPORT = frozenset({"openrouter", "perplexity"})
#: How services are called that cost the usual.
_USUAL = frozenset({"", "default", "standard", "auto", "on_demand"})
_MILLION = 1_000_000


def cost(flow: Flow, usage: Usage, terms: Terms, prices: PriceList | None = None) -> float | None:
    """What an answer in `flow` with this usage cost, or None if no price is known for it.

    Args:
        prices: the list; that of ccproxy if None.
    """
    rates, provider = rates_of(flow, prices)
    if terms.reported is not None and provider in _REPORT:
        return terms.reported
    return dollars(rates, usage, terms) if rates is not None else None


def rates_of(flow: Flow, prices: PriceList | None = None) -> tuple[Rates | None, str]:
    """What the model that answered `flow` costs, and who is paid, by the list's name for it; None and "" where that is
    not known. The model is the one that the answer names; the one asked for only if nothing can have changed it."""
    forwarded = flow.forwarded
    if forwarded is None:
        return None, ""
    prices = prices or price_list()
    provider = prices.provider(
        f"{forwarded.scheme}://{forwarded.host}{forwarded.target.partition('?')[0]}", flow.provider
    )
    if not provider:
        return None, ""
    rates = prices.rates(provider, flow.answer_model, flow.started) if flow.answer_model else None
    if rates is None and flow.action == "passthrough" and not _model_written(flow):
        rates = prices.rates(provider, flow.model, flow.started)
    return rates, provider


def _model_written(flow: Flow) -> bool:
    return any(path in {"body", "body.model"} for hook in flow.hooks for path in hook.changed)


def dollars(rates: Rates, usage: Usage, terms: Terms | None = None) -> float | None:
    """The price of a usage. None if the answer does not report its prompt, or was served in a way that has no known
    price."""
    terms = terms or Terms()
    if usage.input is None:
        return None
    prices = rates.served({name: word for name, word in terms.service.items() if word not in _USUAL})
    if prices is None:
        return None
    prompt, answer = _prompt(prices, usage, terms), _answer(prices, usage, terms)
    if prompt is None or answer is None:
        return None
    extra = terms.searches * (prices.search or 0) + (prices.request or 0)
    return (prompt + answer) / _MILLION + extra / 1000


def _prompt(prices: Prices, usage: Usage, terms: Terms) -> float | None:
    """The price of the prompt, times a million. What has no price of its own costs what it is part of."""
    length = rest = usage.input or 0
    total = 0.0
    written = usage.cache_write or 0
    longer = min(terms.cache_write_1h, written) if prices.write_1h is not None else 0
    for price, count in (
        (prices.read, usage.cache_read or 0),
        (prices.write_1h, longer),
        (prices.write, written - longer),
        (prices.in_audio, terms.in_audio),
        (prices.in_image, terms.in_image),
    ):
        if price is not None:
            count = min(count, rest)
            rest -= count
            total += count * _at(price, length)
    if prices.fresh is None:
        return None if rest else total
    return total + rest * _at(prices.fresh, length)


def _answer(prices: Prices, usage: Usage, terms: Terms) -> float | None:
    """The price of the answer, times a million."""
    length, rest = usage.input or 0, usage.output or 0
    total = 0.0
    for price, count in (
        (prices.reasoning, usage.reasoning or 0),
        (prices.out_audio, terms.out_audio),
        (prices.out_image, terms.out_image),
    ):
        if price is not None:
            count = min(count, rest)
            rest -= count
            total += count * _at(price, length)
    if prices.out is None:
        return None if rest else total
    return total + rest * _at(prices.out, length)


def _at(price: Price, length: int) -> float:
    """A price for a prompt of `length` tokens."""
    if not isinstance(price, list):
        return price
    found = price[0]
    for step in price[1:]:
        assert isinstance(step, list)
        start, value = step
        if length > start:
            found = value
    assert isinstance(found, int | float)
    return found


def missed(rates: Rates, length: int, count: int, *, written: bool, hour: bool) -> float | None:
    """What it costs in dollars more that `count` tokens of a prompt of `length` were not read from the cache. None where a
    cache has no price.

    Args:
        written: they were written to the cache, for an hour if `hour`.
    """
    prices = rates.standard
    paid = ((prices.write_1h if hour else None) or prices.write if written else None) or prices.fresh
    if prices.read is None or paid is None:
        return None
    return count * (_at(paid, length) - _at(prices.read, length)) / _MILLION

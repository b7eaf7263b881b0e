"""The price list: who is paid, for which model, at which time."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from ccproxy.flows import prices as prices_module
from ccproxy.flows.prices import PriceList, price_list

LIST = {
    "source": "a test",
    "date": "2026-11-24",
    "providers": {
        "maker": {
            "url": r"https://api\.maker\.com",
            "models": [
                {"match": "=exact", "prices": [{"in": 1, "out": 2}]},
                {"match": ["^begin", "$end", "*middle", "/^re-\\d+$"], "prices": [{"in": 3, "out": 4}]},
                {"match": {"all": ["^both", "$too"]}, "prices": [{"in": 5, "out": 6}]},
                {
                    "match": "=risen",
                    "prices": [{"in": 1, "out": 1}, {"from": "2026-03-13", "in": 2, "out": 2}],
                    "variants": [{"when": {"service_tier": "flex"}, "from": "2026-10-12", "in": 0.5}],
                },
                {"match": "=night", "prices": [{"in": 1, "out": 1}, {"hours": ["22:00", "06:30"], "in": 9, "out": 9}]},
                {"match": "^dated-2026-01-02", "prices": [{"in": 7, "out": 7}]},
                {"match": "=speech", "prices": [{"in_audio": 7}]},
            ],
        },
        "seller": {
            "url": r"https://([^.]*\.)?seller\.com",
            "others": ["maker"],
            "models": [{"match": "=own", "prices": [{"in": 8, "out": 8}]}],
        },
    },
}


@pytest.fixture
def prices(tmp_path: Path) -> PriceList:
    path = tmp_path / "prices.json"
    path.write_bytes(msgspec.json.encode(LIST))
    return PriceList.load(path)


def moment(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def fresh(prices: PriceList, model: str, at: str = "2026-11-24T12:00", provider: str = "maker") -> object:
    rates = prices.rates(provider, model, moment(at))
    return None if rates is None else rates.standard.fresh


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("exact", 1), ("EXACT", 1), ("exact-x", None),
        ("begin-x", 3), ("x-end", 3), ("x-middle-y", 3), ("re-12", 3), ("re-x", None),
        ("both-too", 5), ("both", None),
        ("dated-20260102", 7), ("dated-20261302", None),
        ("speech", None), ("", None),
    ],
)  # fmt: skip
def test_models_are_recognised(prices: PriceList, model: str, price: float | None) -> None:
    assert fresh(prices, model) == price
    assert fresh(prices, model) == price  # as remembered


def test_prices_are_those_of_the_day_and_the_hour(prices: PriceList) -> None:
    assert [fresh(prices, "risen", day) for day in ("2026-03-12T23:59", "2026-03-13T00:00")] == [1, 2]
    hours = ("21:59", "22:00", "23:30", "06:29", "06:30")
    assert [fresh(prices, "night", f"2026-11-24T{hour}") for hour in hours] == [1, 9, 9, 9, 1]


def test_a_service_has_its_own_prices_or_none(prices: PriceList) -> None:
    rates = prices.rates("maker", "risen", moment("2026-11-24T12:00"))
    assert rates is not None
    flex = rates.served({"service_tier": "flex"})
    assert flex is not None
    assert (flex.fresh, flex.out) == (0.5, 2)
    assert rates.served({}) == rates.standard
    assert rates.served({"service_tier": "other"}) is None
    before = prices.rates("maker", "risen", moment("2026-10-11T12:00"))
    assert before is not None
    assert before.served({"service_tier": "flex"}) is None


def test_who_sells_the_models_of_another_has_its_prices(prices: PriceList) -> None:
    assert fresh(prices, "own", provider="seller") == 8
    assert fresh(prices, "exact", provider="seller") == 1
    assert fresh(prices, "own", provider="nobody") is None


def test_the_host_tells_who_is_paid_then_the_name(prices: PriceList) -> None:
    for _ in range(2):  # the second time as remembered
        assert prices.provider("https://api.maker.com/v1/messages", "seller") == "maker"
        assert prices.provider("https://eu.seller.com/v1") == "seller"
        assert prices.provider("http://127.0.0.1:4000/v1", "Maker") == "maker"
        assert prices.provider("http://127.0.0.1:4000/v1", "mine") == ""


class TestTheListThatComesAlong:
    @pytest.mark.parametrize(
        ("url", "name", "provider"),
        [
            ("https://api.anthropic.com/v1/messages", "x", "anthropic"),
            ("https://chatgpt.com/backend-api/codex/responses", "codex", "openai"),
            ("https://generativelanguage.googleapis.com/v1beta/models/x", "", "google"),
            ("https://cloudcode-pa.googleapis.com/v1internal:generateContent", "", "google"),
            ("https://x.openai.azure.com/openai", "", "azure"),
            ("https://openrouter.ai/api/v1/chat/completions", "", "openrouter"),
            ("http://localhost:11434/v1/chat/completions", "ollama", ""),
            ("https://llm.example/v1", "gemini", "google"),
        ],
    )
    def test_hosts_are_known(self, url: str, name: str, provider: str) -> None:
        assert price_list().provider(url, name) == provider

    @pytest.mark.parametrize(
        ("provider", "model"),
        [
            ("anthropic", "claude-sonnet-4-5-20250929"),
            ("openai", "gpt-5"),
            ("google", "gemini-2.5-pro"),
            ("google", "claude-sonnet-4-5@20250929"),
            ("deepseek", "deepseek-chat"),
            ("zai", "glm-4.6"),
        ],
    )
    def test_models_are_known(self, provider: str, model: str) -> None:
        assert price_list().rates(provider, model, moment("2026-11-24T12:00")) is not None

    def test_every_provider_and_pattern_can_be_read(self) -> None:
        document = msgspec.json.decode(Path(prices_module.__file__).with_name("prices.json").read_bytes())
        prices = price_list()
        for provider in document["providers"]:
            assert prices.rates(provider, "there is no such model", 0.0) is None
        assert prices.date == document["date"]

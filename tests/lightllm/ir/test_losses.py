"""The ledger, its header, and strict mode."""

from __future__ import annotations

import pytest

from ccproxy.errors import BadRequest, Untranslatable
from ccproxy.lightllm.ir.losses import Loss, LossLedger


def test_the_header_counts_and_names() -> None:
    ledger = LossLedger()
    assert ledger.header() == ""
    ledger.require_empty()
    ledger.approximated("sampling.temperature", "range", 2, 1, "clamped")
    ledger.dropped("sampling.top_k", "unknown", 40)
    ledger.dropped("messages[0].parts[1].cache_control", "none")
    ledger.dropped("messages[4].parts[0].cache_control", "none")
    assert ledger.header() == "4; temperature=clamped, top_k=dropped, cache_control=dropped"
    assert len(ledger) == 4
    assert next(iter(ledger)) == Loss("sampling.temperature", "approximated", "2", "1", "range", "clamped")


def test_the_header_is_short_and_clean_whatever_is_lost() -> None:
    ledger = LossLedger()
    for number in range(50):
        ledger.dropped(f"extras.fi\r\neld: ü{number}", "x")
    header = ledger.header()
    assert header.startswith("50; fi__eld")
    assert header.endswith(", ...")
    assert len(header) < 2000
    assert header.isascii()
    assert header.isprintable()


def test_values_are_kept_short() -> None:
    ledger = LossLedger()
    ledger.dropped("a", "x", "y" * 1000)
    ledger.repaired("b", "x", {1, 2}.__iter__(), None)
    ledger.defaulted("c", "x", 8192)
    first, second, third = ledger
    assert len(first.source) < 200
    assert second.kind == "repaired"
    assert third == Loss("c", "defaulted", target="8192", reason="x")


def test_strict_mode_refuses_by_name() -> None:
    ledger = LossLedger()
    ledger.dropped("sampling.top_k", "the target's model does not take it", 40)
    with pytest.raises(Untranslatable, match=r"1; top_k=dropped \(sampling.top_k: the target's model") as caught:
        ledger.require_empty()
    assert isinstance(caught.value, BadRequest)
    assert (caught.value.status, caught.value.kind) == (400, "untranslatable")


def test_a_providers_bookkeeping_is_kept_and_not_counted() -> None:
    ledger = LossLedger()
    ledger.dropped("answer.service_tier", "nobody asked", "default", minor=True)
    assert (len(ledger), ledger.header()) == (1, "")
    ledger.dropped("sampling.top_k", "not taken", 3)
    assert ledger.header() == "1; top_k=dropped"

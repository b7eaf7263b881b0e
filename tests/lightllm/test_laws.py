"""The laws, over every registered dialect, every golden case and every pair: the public kit on our own dialects."""

from __future__ import annotations

import pytest

from ccproxy.testing.conformance import LAWS, Check, Conformance

from .kit import CASES, NAMES

KITS = {name: Conformance(name, CASES / name) for name in NAMES}
CHECKS = [pytest.param(check, id=f"{name}-{check}") for name, kit in KITS.items() for check in kit.checks()]


@pytest.mark.parametrize("check", CHECKS)
def test_it_holds(check: Check) -> None:
    check()


def test_every_law_is_kept_by_every_pair_of_dialects() -> None:
    """Each of the 16 cells has its checks: from golden streams, requests and random input."""
    for kit in KITS.values():
        checks = kit.checks()
        assert {check.law for check in checks} == set(LAWS)
        for other in NAMES:
            for name in ("stream", "document", "request", "prefix"):
                found = [check for check in checks if check.name == name and check.subject.endswith(f"to-{other}")]
                assert found, (kit.dialect.name, other, name)
            assert [check for check in checks if check.name == "any-answer-from-another" and check.subject == other]

"""The fixed laws can fail: each notices a dialect that breaks it, and lets the sound one pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from ccproxy.testing.conformance import LAWS

from .toy import BROKEN, BROKEN_AT_RANDOM, Broken, broken_by


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.check)
def test_a_broken_dialect_is_noticed(broken: Broken, cases: Path) -> None:
    sound, verdict = broken_by(broken, cases)
    assert sound is None
    assert verdict is not None
    assert verdict.law == broken.law


def test_each_law_has_a_variant_that_breaks_it() -> None:
    assert {broken.law for broken in [*BROKEN, *BROKEN_AT_RANDOM]} == set(LAWS)

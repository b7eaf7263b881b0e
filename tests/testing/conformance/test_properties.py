"""The laws over random input can fail, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from .toy import BROKEN_AT_RANDOM, Broken, broken_by


@pytest.mark.parametrize("broken", BROKEN_AT_RANDOM, ids=lambda broken: broken.check)
def test_a_broken_dialect_is_noticed(broken: Broken, cases: Path) -> None:
    sound, verdict = broken_by(broken, cases)
    assert sound is None
    assert verdict is not None
    assert verdict.law == broken.law

"""One arithmetic for tokens."""

from __future__ import annotations

from ccproxy.lightllm.ir.usage import Usage, total_of


def test_shares_are_taken_out_and_never_below_zero() -> None:
    usage = Usage(135, 20, 100, 10, 5)
    assert (usage.fresh_input, usage.visible_output, usage.total) == (25, 15, 155)
    assert Usage(5, 1, cache_read=9, reasoning=3).fresh_input == 0
    assert Usage(5, 1, reasoning=3).visible_output == 0


def test_what_was_not_said_stays_unsaid() -> None:
    usage = Usage(output=3)
    assert (usage.fresh_input, usage.total) == (None, None)
    assert Usage(input=3).visible_output is None
    assert total_of(None, None) is None
    assert total_of(None, 2, 3) == 5


def test_later_reports_replace_what_they_say() -> None:
    first = Usage(10, 1, 4, extras={"a": 1})
    assert first.merged(Usage(output=9, extras={"b": 2})) == Usage(10, 9, 4, extras={"a": 1, "b": 2})
    assert first.merged(Usage(0, 0, 0)) == Usage(0, 0, 0, extras={"a": 1})

"""`flows compare` on a terminal: the panels of the README, each safe for the terminal."""

from __future__ import annotations

import pytest

from ccproxy.cli import panels
from ccproxy.flows.compare import Change, Comparison

FLOW = "abc123450000"


def shown(capsys: pytest.CaptureFixture[str], *comparisons: Comparison, raw: bool = False) -> str:
    panels.show(comparisons, raw=raw, colour=False)
    return capsys.readouterr().out


def test_a_request_that_was_rewritten(capsys: pytest.CaptureFixture[str]) -> None:
    changes = (
        Change("url", "changed", "http://a/v1", "http://b/v2", ("route: rule 1",)),
        Change("headers.x-team", "added", "", "blue", ("hook set_header (outbound)",)),
        Change("body.model", "changed", '"x"', '"y"', ()),
    )
    text = f'--- client:{FLOW}\n+++ forwarded:{FLOW}\n@@ -1 +1 @@\n-  "model": "x"\n+  "model": "y"'
    page = shown(capsys, Comparison(FLOW, changes, ("a: dropped; no place",), text, False))
    for words in (
        f"URL change — {FLOW}",
        "│ - http://a/v1",
        "│ + http://b/v2",
        "(route: rule 1)",
        f"Changes — {FLOW}",
        "headers.x-team added  (hook set_header (outbound))",
        "body.model changed",
        f"Lost in conversion — {FLOW}",
        f"Body diff — {FLOW}",
        f"│ --- client:{FLOW}",
        f"│ +++ forwarded:{FLOW}",
    ):
        assert words in page
    assert "identical" not in page


def test_raw_is_the_diff_without_its_changes(capsys: pytest.CaptureFixture[str]) -> None:
    comparison = Comparison(FLOW, (Change("body.model", "changed", '"x"', '"y"', ()),), (), "-x\n+y", False)
    page = shown(capsys, comparison, raw=True)
    assert "body.model" not in page
    assert "│ +y" in page


def test_identical_bodies(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, Comparison(FLOW, (), (), "", True)) == f"{FLOW}: request bodies are identical.\n"


def test_nothing_drives_the_terminal_and_long_lines_are_cut(capsys: pytest.CaptureFixture[str]) -> None:
    comparison = Comparison(
        FLOW, (Change("url", "changed", "http://a/\x1b[2J", "b", ()),), (), "+" + "x" * 9_999, False
    )
    page = shown(capsys, comparison)
    assert "\x1b" not in page
    assert "(10,000 characters)" in page

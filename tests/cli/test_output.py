"""Output: plain for a pipe, nothing that drives the terminal."""

import json
import sys
from pathlib import Path

import pytest

from ccproxy.cli import output


class Terminal:
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_colour_is_for_terminals_and_obeys_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert output.colour(Terminal())
    assert not output.colour(sys.stdout)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not output.colour(Terminal())


def test_tilde_stands_for_the_home_directory_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/people/ann")
    assert output.tilde("/people/ann/x") == "~/x"
    assert output.tilde(Path("/people/ann")) == "~"
    assert output.tilde("/people/anna/x") == "/people/anna/x"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "in 0 s"),
        (59, "in 59 s"),
        (3100, "in 52 min"),
        (7200, "in 2 h"),
        (400_000, "in 5 d"),
        (-90, "2 min ago"),
        (0, "0 s ago"),
    ],
)
def test_how_far_away_a_moment_is(seconds: float, words: str) -> None:
    assert output.until(seconds) == words


def test_a_table_for_a_pipe_is_tab_separated_and_printable(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_table(("name", "value"), [("a\x1b[2J", 1), ("b", None)])
    assert capsys.readouterr().out == "a\\x1b[2J\t1\nb\tNone\n"


def test_json_keeps_text_readable(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_json({"name": "Grüße"})
    text = capsys.readouterr().out
    assert json.loads(text) == {"name": "Grüße"}
    assert "Grüße" in text


def test_results_and_remarks_go_to_different_streams(capsys: pytest.CaptureFixture[str]) -> None:
    output.say("result")
    output.note("remark")
    output.shout("danger")
    assert capsys.readouterr() == ("result\n", "ccproxy: remark\nWARNING: danger\n")

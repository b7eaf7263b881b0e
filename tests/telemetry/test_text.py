"""Text from outside cannot drive a terminal or forge a line."""

import pytest

from ccproxy.telemetry.text import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, Grüße, 日本", "plain, Grüße, 日本"),
        ("two\nlines\r", "two\\nlines\\r"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("c1 \x9b and \u2028", "c1 \\x9b and \\u2028"),
        ("half a pair \ud800", "half a pair \\ud800"),
        (42, "42"),
    ],
)
def test_control_characters_become_escapes(text: object, shown: str) -> None:
    assert printable(text) == shown
    assert printable(text).isprintable()

"""What `ccproxy hooks new` writes. That it works is told by `test_commands_hooks.py`."""

from __future__ import annotations

import ast

from ccproxy.cli.hook_template import hook_source
from ccproxy.cli.hook_template import test_source as source_of_test


def test_the_name_stands_everywhere() -> None:
    for text in (hook_source("greet"), source_of_test("greet")):
        ast.parse(text)
        assert "NAME" not in text
        assert "greet" in text

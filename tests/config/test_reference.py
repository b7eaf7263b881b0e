"""docs/reference/config.md is what the generator makes of the models, and complete."""

from __future__ import annotations

import runpy
from pathlib import Path

from ccproxy.config import schema
from ccproxy.providers.registry import provider_types

from .test_schema import every_key

ROOT = Path(__file__).resolve().parent.parent.parent


def page() -> str:
    text: str = runpy.run_path(str(ROOT / "tools" / "gen_config_reference.py"))["render"]()
    return text


def test_the_page_is_up_to_date() -> None:
    assert (ROOT / "docs" / "reference" / "config.md").read_text(encoding="utf-8") == page(), (
        "run tools/gen_config_reference.py"
    )


def test_every_key_and_type_is_in_it() -> None:
    text = page()

    for name, key in every_key():
        assert f"| `{key.name}` |" in text, name
    for name in provider_types():
        assert f"| `{name}` |" in text


def test_variables_are_given_where_they_reach() -> None:
    assert f"`{schema.variable(('gateway', 'drain_seconds'))}`" in page()
    assert "`CCPROXY_PROVIDERS__NAME__AUTH__COMMAND`" in page()
    assert "TRANSFORMS__MATCH_PATH" not in page()

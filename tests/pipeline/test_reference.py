"""docs/reference/hooks.md is what the generator makes of the code, and complete."""

from __future__ import annotations

import runpy
from pathlib import Path

import msgspec

from ccproxy.hooks import HookContext
from ccproxy.pipeline.loader import Loader, built_in

ROOT = Path(__file__).resolve().parent.parent.parent


def page() -> str:
    text: str = runpy.run_path(str(ROOT / "tools" / "gen_hooks_reference.py"))["render"]()
    return text


def test_the_page_is_up_to_date() -> None:
    assert (ROOT / "docs" / "reference" / "hooks.md").read_text(encoding="utf-8") == page(), (
        "run tools/gen_hooks_reference.py"
    )


def test_every_hook_parameter_and_member_is_in_it() -> None:
    text = page()
    for name in built_in():
        assert f"### `{name}`" in text
        params = Loader(ROOT).load(name).hook.params
        if params is not None:
            assert issubclass(params, msgspec.Struct)
            for field in msgspec.structs.fields(params):
                assert f"| `{field.name}` |" in text, (name, field.name)
    for member in vars(HookContext):
        if not member.startswith("_") and member not in {"failed", "undo", "on_error", "tracked"}:
            assert f"`{member}" in text, member
    for word in ("stage", "params", "when", "on_error", "blocking", "every"):
        assert f"| `{word}` |" in text

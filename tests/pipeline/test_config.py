"""The setting `hooks`."""

from __future__ import annotations

from ccproxy.pipeline.config import HookEntry, HooksConfig, entries


def test_every_hook_with_its_place() -> None:
    both = HooksConfig(inbound=["a.b"], outbound=[HookEntry(hook="c.d", params={"x": 1}), "e.f"])
    assert [(where, entry.hook, entry.params) for where, entry in entries(both)] == [
        ("hooks.inbound[0]", "a.b", {}),
        ("hooks.outbound[0]", "c.d", {"x": 1}),
        ("hooks.outbound[1]", "e.f", {}),
    ]
    assert [where for where, _ in entries(["a.b", HookEntry(hook="c")])] == ["hooks[0]", "hooks[1]"]


def test_a_list_of_one_stage_leaves_the_other_its_default() -> None:
    assert HooksConfig(outbound=["a.b"]).inbound == HooksConfig().inbound != []

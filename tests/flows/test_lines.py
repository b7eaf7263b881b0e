"""Unified diffs of bodies: those of `difflib`, and quick where it is not."""

from __future__ import annotations

import difflib
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.flows.lines import changes, unified

few_lines = st.lists(st.sampled_from(["a", "b", "c", "{", "}"]), max_size=30)


def test_json_is_indented() -> None:
    diff = unified("flow:1", "flow:2", b'{"a":1,"b":[1]}', b'{"a":1,"b":[2]}')
    assert diff.splitlines() == [
        "--- flow:1",
        "+++ flow:2",
        "@@ -1,6 +1,6 @@",
        " {",
        '   "a": 1,',
        '   "b": [',
        "-    1",
        "+    2",
        "   ]",
        " }",
    ]


def test_raw_is_as_it_is() -> None:
    assert unified("a", "b", b'{"a":1}', b'{"a":2}', raw=True).splitlines()[3:] == ['-{"a":1}', '+{"a":2}']


@pytest.mark.parametrize(("old", "new"), [(b"{}", b"{}"), (b"", b""), (b"\xff", b"a"), (b'{"a":1}', b'{"a": 1}')])
def test_nothing_to_show(old: bytes, new: bytes) -> None:
    assert unified("a", "b", old, new) == ""


def test_more_than_one_hunk() -> None:
    old = [str(n) for n in range(40)]
    new = [*old[:5], "x", *old[6:30], "y", *old[30:]]
    ours = unified("a", "b", "\n".join(old).encode(), "\n".join(new).encode())
    assert ours.splitlines() == list(difflib.unified_diff(old, new, "a", "b", lineterm=""))


@given(few_lines, few_lines)
def test_the_changes_turn_one_into_the_other(old: list[str], new: list[str]) -> None:
    made: list[str] = []
    position = 0
    for a, b, c, d in changes(old, new):
        assert old[a:b] != new[c:d]
        made += old[position:a] + new[c:d]
        position = b
    assert made + old[position:] == new


def long_body(turns: int, *, word: str = "same") -> bytes:
    messages = [
        {"role": "user", "content": [{"type": "text", "text": f"{word} {n}"}, {"type": "text", "text": "ok"}]}
        for n in range(turns)
    ]
    return json.dumps({"messages": messages}).encode()


def test_large_bodies_with_changes_everywhere_are_compared_by_their_landmarks() -> None:
    old = long_body(3_000)
    new = old.replace(b"same 10", b"other 10").replace(b"same 2", b"other 2")
    diff = unified("a", "b", old, new)
    removed = [line for line in diff.splitlines() if line.startswith("-  ")]
    assert len(removed) == sum(str(n).startswith(("10", "2")) for n in range(3_000))


def test_large_bodies_without_anything_in_common_are_one_change() -> None:
    old, new = ["a"] * 1_000, ["b"] * 1_000
    assert list(changes(old, new)) == [(0, 1_000, 0, 1_000)]


@pytest.mark.skipif(shutil.which("patch") is None, reason="needs patch(1)")
def test_patch_can_apply_it(tmp_path: Path) -> None:
    old, new = long_body(30), long_body(31).replace(b"same 7", b"new 7")
    before = json.dumps(json.loads(old), indent=2) + "\n"
    after = json.dumps(json.loads(new), indent=2) + "\n"
    (tmp_path / "file").write_text(before)
    diff = unified("file", "file", before.encode(), after.encode(), raw=True) + "\n"
    subprocess.run(["patch", "file"], cwd=tmp_path, input=diff, text=True, check=True, capture_output=True)
    assert (tmp_path / "file").read_text() == after

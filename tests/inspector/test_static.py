"""The page's own files: what they may not hold, and their pure parts, which run in Node."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import ccproxy.inspector

STATIC = Path(ccproxy.inspector.__file__).parent / "static"
HERE = Path(__file__).parent

#: What would let recorded text become markup or code, or the page speak to others.
FORBIDDEN = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|\beval\b|new Function|"
    r"https?://(?!www\.w3\.org/2000/svg)|\bstyle=|javascript:|import\("
)


@pytest.mark.parametrize("path", sorted(STATIC.iterdir()), ids=lambda path: path.name)
def test_nothing_becomes_markup_and_nothing_comes_from_elsewhere(path: Path) -> None:
    found = [line for line in path.read_text().splitlines() if FORBIDDEN.search(line)]
    assert found == []


def test_the_page_has_nothing_inline() -> None:
    page = (STATIC / "index.html").read_text()
    assert re.findall(r"<script(?![^>]* src=)", page) == []
    assert re.findall(r"<style|\son\w+=", page) == []


def test_files_are_short() -> None:
    long = [path.name for path in STATIC.glob("*.js") if len(path.read_text().splitlines()) > 500]
    assert long == []


def test_colours_can_be_read() -> None:
    """Text has a contrast of 4.5 (WCAG 2.2 AA) on every ground that it stands on, in both themes."""
    style = (STATIC / "style.css").read_text()
    colours = re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", style)
    light, dark = {name: one for name, one, _ in colours}, {name: other for name, _, other in colours}
    assert set(re.findall(r"(?m)^  --([\w-]+):", style)) - set(light) == {"sans", "mono"}, "every colour has both"
    for theme in (light, dark):
        grounds = {"ink": ("ground", "paper", "raised", "sunken", "accent-ground", "good-ground", "bad-ground", "mark")}
        for name in (
            "soft",
            "user",
            "assistant",
            "thinking",
            "tool",
            "accent",
            "bad",
            "key",
            "string",
            "number",
            "word",
        ):
            grounds[name] = ("paper", "raised", "sunken") if name != "soft" else ("paper", "raised", "sunken", "ground")
        for name in ("accent", "good", "warn", "bad"):
            grounds[name] = (*grounds.get(name, ()), f"{name}-ground", "paper")
        weak = [
            f"{name} on {ground}: {ratio:.2f}"
            for name, wanted in grounds.items()
            for ground in wanted
            if (ratio := contrast(theme[name], theme[ground])) < 4.5
        ]
        assert weak == []


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2.2."""
    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_pure_parts_in_node() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node")
    done = subprocess.run(
        [node, "--test", "--no-warnings", str(HERE / "test_static.mjs")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout

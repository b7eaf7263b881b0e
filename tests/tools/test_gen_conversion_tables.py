"""The page about conversion says what the code does: its tables are made from it, its examples run."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from ccproxy.cli.main import run
from ccproxy.gateway.conversion import STRICT_HEADER
from ccproxy.gateway.endpoints import counted
from ccproxy.lightllm.config import LightllmConfig
from ccproxy.lightllm.dialect import Capabilities
from ccproxy.lightllm.ir.losses import LOSSES_HEADER, Loss
from ccproxy.lightllm.registry import Registry

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "explanation" / "conversion.md").read_text(encoding="utf-8")
CASES = ROOT / "tests" / "lightllm" / "cases"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gen_tables", ROOT / "tools" / "gen_conversion_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_up_to_date(generator: ModuleType) -> None:
    assert generator.page(PAGE) == PAGE, "run `python tools/gen_conversion_tables.py`"


def test_every_table_is_on_the_page_and_a_stale_one_is_noticed(generator: ModuleType) -> None:
    for name in generator.TABLES:
        assert PAGE.count(f"<!-- table: {name} -->\n|") == 1
    stale = PAGE.replace("| temperature | 0 to 1 |", "| temperature | 0 to 7 |")
    assert generator.page(stale) == PAGE != stale


def test_every_capability_is_shown_or_left_out_on_purpose(generator: ModuleType) -> None:
    shown = set(re.findall(r"d\.capabilities\.(\w+)", Path(generator.__file__ or "").read_text(encoding="utf-8")))
    there = {field.name for field in msgspec.structs.fields(Capabilities)}
    assert shown | generator.UNSHOWN == there
    assert not shown & generator.UNSHOWN


def test_it_speaks_of_every_dialect(generator: ModuleType) -> None:
    assert sorted(generator.TITLES) == Registry().names()
    for name in generator.TITLES:
        assert f"`{name}`" in PAGE


def test_its_headers_settings_and_words_are_the_real_ones() -> None:
    _, marked, _ = counted(b"")
    assert marked.text(b"x-ccproxy-estimated") == "1"
    for header in (LOSSES_HEADER, STRICT_HEADER.decode(), "x-ccproxy-estimated: 1"):
        assert f"`{header}" in PAGE
    settings = set(re.findall(r"`lightllm\.(\w+)", PAGE))
    assert settings
    assert settings <= {field.name for field in msgspec.structs.fields(LightllmConfig)}
    assert f"({LightllmConfig().default_max_tokens:,})" in PAGE
    kinds = next(field for field in msgspec.structs.fields(Loss) if field.name == "kind").type.__args__
    for kind in kinds:
        assert f"`{kind}` (" in PAGE


def test_its_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    [block] = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines():
        words = shlex.split(line)[1:]
        source = words[words.index("--from") + 1]
        kind = "stream.txt" if "--stream" in words else "document.json" if "--response" in words else "request.json"
        asked = {"model": "claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
        Path("request.json").write_text(json.dumps(asked))
        if kind != "request.json":
            Path(words[-1]).write_bytes((CASES / source / "tools" / kind).read_bytes())
        assert run(words) == 0, capsys.readouterr().err
        assert capsys.readouterr().out

"""Settings as YAML text, and without their secrets."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ccproxy.config.locate import read_file
from ccproxy.config.problems import Path, Problems
from ccproxy.config.render import MASK, block, effective, masked, scalar
from ccproxy.config.tree import plain

from .support import below, load_text

SECRET = "Zk3x9QwLm2Pv8RtY5uBnH7"
WITH_SECRETS = below(f"""
port: 4001
providers:
  one: {{type: demo, auth: echo {SECRET}}}
  two: {{type: demo, auth: {{type: command, command: echo {SECRET}, header: x-api-key}}}}
  three: {{type: demo, auth: {{type: google_oauth, client_id: me, client_secret: {SECRET}}}}}
  four: {{type: demo, base_url: 'https://a.b/x?key={SECRET}&version=1'}}
hooks:
  - a.b
  - {{hook: a.c, params: {{api_key: {SECRET}, inner: [{{token: {SECRET}}}], colour: red}}}}
gateway: {{client_keys: {{laptop: {SECRET}}}}}
egress: {{proxy: 'http://me:{SECRET}@proxy:3128'}}
""")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (30.0, "30"),
        (0.1 + 0.2, "0.30000000000000004"),
        (12345678.5, "12345678.5"),
        (5e6, "5000000"),
        (5e-7, "5.0e-07"),
        (1e300, "1.0e+300"),
        (7, "7"),
        ("printenv KEY", "printenv KEY"),
        ("https://a.b:80/x", "https://a.b:80/x"),
        ("~/.config/x", "~/.config/x"),
        ("127.0.0.1", "127.0.0.1"),
        ("^gpt-4o", "^gpt-4o"),
        ("", '""'),
        ("~", '"~"'),
        ("true", '"true"'),
        ("no", '"no"'),
        ("12", '"12"'),
        ("1.5", '"1.5"'),
        ("2024-01-01", '"2024-01-01"'),
        ("a: b", '"a: b"'),
        ("a #b", '"a #b"'),
        ("a:", '"a:"'),
        (" a", '" a"'),
        ("- a", '"- a"'),
        ("x\ny\x7f\u2028\U000e0001", r'"x\ny\x7f\u2028\U000e0001"'),
        ([], "[]"),
        (["a", "b c", 1], '[a, "b c", 1]'),
        ({"a": "x,y"}, '{a: "x,y"}'),
        ({}, "{}"),
    ],
)
def test_scalars(value: object, text: str) -> None:
    assert scalar(value) == text


#: Not the keys that YAML 1.1 merges (`<<`) and that PyYAML takes for a default value (`=`).
KEYS = st.text(min_size=1).filter(lambda key: key not in {"<<", "="})
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(KEYS, VALUES, max_size=4))
@settings(max_examples=200, deadline=None)
def test_what_is_written_reads_as_what_it_was_for_us_and_for_others(value: dict[str, object]) -> None:
    text = "\n".join(block({"ccproxy": value}, lambda path: ""))
    found = Problems()

    assert plain(read_file(text, "F", found)) == value
    assert not found
    assert yaml.safe_load(text) == {"ccproxy": value}


def test_comments_stand_behind_their_settings() -> None:
    def note(path: Path) -> str:
        return "here" if path in {("a", "b"), ("l", 0, "x"), ("e",)} else ""

    data = {"a": {"b": 1, "c": {}}, "l": [{"x": 1, "z": [1, 2]}, "z"], "e": []}

    assert list(block(data, note)) == [
        "a:",
        "  b: 1  # here",
        "  c: {}",
        "l:",
        "  - x: 1  # here",
        "    z: [1, 2]",
        "  - z",
        "e: []  # here",
    ]


def test_secrets_are_masked_and_all_else_is_there() -> None:
    data = masked(load_text(WITH_SECRETS).settings)

    assert SECRET not in repr(data)
    assert data["port"] == 4001
    providers = data["providers"]
    assert isinstance(providers, dict)
    assert providers["one"]["auth"] == MASK
    assert providers["two"]["auth"]["command"] == MASK
    assert providers["two"]["auth"]["header"] == "x-api-key"
    assert providers["three"]["auth"]["client_secret"] == MASK
    assert providers["three"]["auth"]["client_id"] == "me"
    assert providers["four"]["base_url"].startswith("https://a.b/x?key=…")
    assert providers["four"]["base_url"].endswith("&version=1")
    assert data["gateway"]["client_keys"] == {"laptop": MASK}  # type: ignore[index]
    assert data["egress"]["proxy"] == "http://…@proxy:3128"  # type: ignore[index]
    assert data["hooks"] == [
        "a.b",
        {"hook": "a.c", "params": {"api_key": MASK, "inner": [{"token": MASK}], "colour": "red"}},
    ]


def test_what_is_not_set_is_not_masked() -> None:
    data = masked(load_text(below("providers: {x: {type: demo, auth: {type: google_oauth}}}")).settings)

    assert data["providers"]["x"]["auth"]["client_secret"] == ""  # type: ignore[index]


def test_the_effective_settings_say_where_they_come_from() -> None:
    loaded = load_text(WITH_SECRETS, env={"CCPROXY_LOG_LEVEL": "DEBUG"})
    text = effective(loaded.settings, {key: value.rpartition("/")[2] for key, value in loaded.origins.items()})

    assert SECRET not in text
    assert "  port: 4001  # ccproxy.yaml:2\n" in text
    assert "  log_level: DEBUG  # CCPROXY_LOG_LEVEL (environment)\n" in text
    assert "  host: 127.0.0.1\n" in text
    assert '      laptop: "***"  # ccproxy.yaml:11\n' in text
    assert yaml.safe_load(text)["ccproxy"] == masked(loaded.settings)


def test_the_settings_read_back_where_nothing_is_masked() -> None:
    text = below("port: 4001\nproviders: {x: {type: demo, models: ['1', b]}}\ngateway: {drain_seconds: 0.5}")
    settings = load_text(text).settings

    assert load_text(effective(settings, {})).settings == settings

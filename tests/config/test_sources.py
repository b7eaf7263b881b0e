"""Environment variables and command line flags as settings."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccproxy.config.problems import Problems
from ccproxy.config.sources import RESERVED, from_environment, from_overrides
from ccproxy.config.tree import Scalar, find, place_of, plain


def environment(**env: str) -> tuple[object, list[str]]:
    found = Problems()
    tree = from_environment(env, found)
    return plain(tree), found.error().message.split("\n") if found else []


def test_names_are_paths_in_any_case() -> None:
    value, found = environment(
        CCPROXY_PORT="4001",
        ccproxy_log_level="DEBUG",
        Ccproxy_Gateway__Drain_Seconds="5",
        CCPROXY_PROVIDERS__DEMO__TYPE="demo",
        HOME="x",
        CCPROXYPORT="y",
    )

    assert found == []
    assert value == {
        "port": 4001,
        "log_level": "DEBUG",
        "gateway": {"drain_seconds": 5},
        "providers": {"demo": {"type": "demo"}},
    }


def test_variables_that_are_no_settings_are_left_alone() -> None:
    assert environment(**dict.fromkeys(RESERVED, "x"), ccproxy_config_dir="y") == ({}, [])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        (" true ", True),
        ("1.5", 1.5),
        ("a: b # c", "a: b # c"),
        ("@x", "@x"),
        ("[a, 1]", ["a", 1]),
        ("{type: demo, n: [1]}", {"type": "demo", "n": [1]}),
        ("'12'", "12"),
        ('"a\\tb"', "a\tb"),
        # What only begins like a collection is text.
        ("[ -f x ] && cat x", "[ -f x ] && cat x"),
        ("{ cat x", "{ cat x"),
        ('"my tool" --print', '"my tool" --print'),
        ("[a", "[a"),
    ],
)
def test_values_are_yaml_scalars_or_flow_collections(text: str, value: object) -> None:
    assert environment(CCPROXY_X=text) == ({"x": value}, [])


def test_the_raw_text_is_kept_for_settings_that_want_text() -> None:
    for text in ("12", "[a-z]", "{a: 1}", " true"):
        node = find(from_environment({"CCPROXY_X": text}, Problems()), ("x",))

        assert node is not None
        assert node.raw == text
    quoted = find(from_environment({"CCPROXY_X": "'12'"}, Problems()), ("x",))
    assert isinstance(quoted, Scalar)
    assert quoted.raw is None


def test_a_deeper_variable_is_laid_over_a_mapping() -> None:
    value, found = environment(CCPROXY_A="{b: 1, c: 2}", CCPROXY_A__B="3", CCPROXY_A__D__E="4")

    assert value == {"a": {"b": 3, "c": 2, "d": {"e": 4}}}
    assert found == []


def test_two_variables_for_one_setting_are_refused() -> None:
    _, found = environment(CCPROXY_A="1", ccproxy_a="2", CCPROXY_B="x", CCPROXY_B__C="3")

    assert found == [
        "ccproxy_a (environment): ccproxy.a: is set by CCPROXY_A too; keep one of the two",
        "CCPROXY_B__C (environment): ccproxy.b.c: is set by CCPROXY_B too; keep one of the two",
    ]


@pytest.mark.parametrize("name", ["CCPROXY_", "CCPROXY___X", "CCPROXY_A____B", "CCPROXY_A__", "CCPROXY_" + "A__" * 60])
def test_names_that_are_no_path(name: str) -> None:
    value, found = environment(**{name: "1"})

    assert value == {}
    assert found == [f"{name} (environment): no setting of this name: keys are joined by two underscores"]


def test_a_name_cannot_break_the_line() -> None:
    _, found = environment(**{"CCPROXY_\n__": "1"})

    assert len(found) == 1
    assert found[0].startswith(r"CCPROXY_\n__ (environment)")


@given(st.dictionaries(st.text().map(lambda name: f"CCPROXY_{name}"), st.text(), max_size=5))
@settings(max_examples=200, deadline=None)
def test_any_environment_is_read_or_refused(env: dict[str, str]) -> None:
    from_environment(env, Problems())


def test_flags_are_dotted_paths_and_none_is_no_flag() -> None:
    tree = from_overrides({"port": 4001, "gateway.drain_seconds": 5, "host": None, "flows.enabled": False})

    assert plain(tree) == {"port": 4001, "gateway": {"drain_seconds": 5}, "flows": {"enabled": False}}
    assert str(place_of(tree, ("gateway", "drain_seconds"))) == "--drain-seconds"
    assert place_of(tree, ("port",)).rank == 2

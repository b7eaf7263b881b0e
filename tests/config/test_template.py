"""The template: valid as it is, valid with everything switched on, complete."""

from __future__ import annotations

import re

from ccproxy.config import schema
from ccproxy.config.settings import Settings
from ccproxy.config.template import template

from .support import load_text
from .test_schema import every_key, every_model


def switched_on() -> str:
    """The template with every setting switched on."""
    return re.sub(r"^( *)#(?=[^ \n])", r"\1", template(), flags=re.MULTILINE)


def test_as_it_is_it_has_the_demo_provider_and_nothing_else() -> None:
    loaded = load_text(template())

    assert loaded.warnings == []
    assert list(loaded.origins) == ["providers.demo.type"]
    assert loaded.settings.providers["demo"].type == "demo"
    assert loaded.settings.gateway == Settings().gateway


def test_with_everything_switched_on_it_is_valid_too() -> None:
    settings = load_text(switched_on()).settings

    assert {"demo", "anthropic", "openai", "deepseek", "gemini"} <= set(settings.providers)
    assert settings.inspector.transforms[0].dest_provider == "deepseek"
    # What is not an example is the default.
    assert settings.gateway == Settings().gateway
    assert settings.egress == Settings().egress
    assert settings.flows == Settings().flows


def test_each_setting_can_be_switched_on_alone() -> None:
    lines = template().splitlines()
    sections = 0
    for number, line in enumerate(lines):
        # Settings of two levels: with their section always on, one line is enough.
        if re.match(r" {2,4}#[a-z_]+: \S", line):
            sections += 1
            load_text("\n".join([*lines[:number], line.replace("#", "", 1), *lines[number + 1 :]]))

    assert sections >= 30


def test_every_key_is_in_it_with_its_description() -> None:
    text = " ".join(line.strip().removeprefix("#").strip() for line in template().splitlines())

    for name, key in every_key():
        assert re.search(rf"(^| |- ){key.name}:", text), name
        if key.facts.description:
            assert key.facts.description in text, name


def test_every_kind_of_credential_is_in_it() -> None:
    for model in every_model(schema.settings_type()):
        if model.tag is not None:
            assert f"#type: {model.tag}\n" in template()


def test_it_is_always_the_same_and_has_no_long_lines() -> None:
    assert template() == template()
    assert max(len(line) for line in template().splitlines()) <= 120
    assert template().endswith("\n")
    assert "\t" not in template()

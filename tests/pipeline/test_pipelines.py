"""From the configuration to both stages, and what one request may change of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ccproxy.errors import BadRequest, ConfigError, Forbidden
from ccproxy.hooks import hook
from ccproxy.pipeline.config import HookEntry, HooksConfig
from ccproxy.pipeline.loader import Loader
from ccproxy.pipeline.overrides import Overrides
from ccproxy.pipeline.pipelines import Pipelines, build, hook_directory, params_of


def entry(name: str, **params: Any) -> HookEntry:
    return HookEntry(hook=name, params=params)


def made(inbound: list[Any] | None = None, outbound: list[Any] | None = None, base: Path = Path()) -> Pipelines:
    return build(HooksConfig(inbound=inbound or [], outbound=outbound or []), Loader(base))


def problems(inbound: list[Any] | None = None, outbound: list[Any] | None = None, **more: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        build(HooksConfig(inbound=inbound or [], outbound=outbound or []), Loader(Path()), **more)
    return str(caught.value).splitlines()


def names(pipelines: Pipelines) -> tuple[list[str], list[str]]:
    return [one.name for one in pipelines.inbound.hooks], [one.name for one in pipelines.outbound.hooks]


def test_the_default_runs_nothing_that_changes_a_byte() -> None:
    found = build(HooksConfig(), Loader(Path()))
    assert names(found) == (["inject_auth", "extract_session_id"], [])
    assert found.names == ["inject_auth", "extract_session_id"]


def test_the_documented_list_resolves() -> None:
    found = made(
        ["ccproxy.hooks.inject_auth", "ccproxy.hooks.extract_session_id"],
        [
            "ccproxy.hooks.gemini_cli",
            "ccproxy.hooks.pplx_stamp_headers",
            "ccproxy.hooks.inject_mcp_notifications",
            "ccproxy.hooks.verbose_mode",
            "ccproxy.hooks.shape",
            "ccproxy.hooks.commitbee_compat",
        ],
    )
    assert names(found)[1] == [
        "gemini_cli", "pplx_stamp_headers", "inject_mcp_notifications", "verbose_mode", "shape", "commitbee_compat",
    ]  # fmt: skip
    assert found.warnings == [
        f"hooks.outbound: hook {name} does nothing in this version"
        for name in ("pplx_stamp_headers", "inject_mcp_notifications", "shape")
    ]


def test_a_flat_list_is_inbound() -> None:
    found = build([entry("set_model", model="m")], Loader(Path()))
    assert names(found) == (["set_model"], [])


def test_one_hook_may_stand_twice() -> None:
    found = made(outbound=[entry("set_header", set={"a": "1"}), entry("set_header", set={"b": "2"})])
    assert names(found)[1] == ["set_header", "set_header#2"]


def test_files_are_beside_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine.py"
    path.write_text("from ccproxy.hooks import hook\n@hook\ndef mine(ctx): ...\n")
    monkeypatch.setenv("CCPROXY_CONFIG_DIR", str(tmp_path))
    assert hook_directory(None) == hook_directory(tmp_path / "ccproxy.yaml") == tmp_path
    assert names(made(["./mine.py"], base=tmp_path))[0] == ["mine"]


def test_every_problem_is_told_with_its_place() -> None:
    found = problems(
        ["ccproxy.hooks.nothing", entry("set_model", modle="x"), "verbose_mode", entry("set_model")],
        [entry("set_param", set={"x": 1}, match_model="("), entry("verbose_mode", a=1)],
        origins={"hooks.inbound[0]": "FILE:3", "hooks.inbound[1].hook": "FILE:4"},
    )
    assert found[0].startswith("FILE:3: hooks.inbound[0]: there is no hook ccproxy.hooks.nothing")
    assert found[1] == "FILE:4: hooks.inbound[1]: params: set_model has no parameter 'modle' (did you mean 'model'?)"
    assert found[2] == "hooks.inbound[2]: verbose_mode is an outbound hook (put it under hooks.outbound)"
    assert found[3].startswith("hooks.inbound[3]: params of set_model: Object missing required field")
    assert "not a regular expression" in found[4]
    assert found[5] == "hooks.outbound[1]: verbose_mode takes no parameters, and is given a"


def test_a_circle_is_told_with_its_stage(tmp_path: Path) -> None:
    (tmp_path / "two.py").write_text(
        "from ccproxy.hooks import hook\n"
        "@hook(reads=['session'], writes=['headers.x'])\ndef a(ctx): ...\n"
        "@hook(reads=['headers.x'], writes=['session'])\ndef b(ctx): ...\n"
    )
    with pytest.raises(ConfigError, match=r"hooks.inbound: these hooks wait for each other: a, b"):
        made(["./two.py:a", "./two.py:b"], base=tmp_path)


class TestParameters:
    def test_types_of_the_author_s_choice(self) -> None:
        class Struct(msgspec.Struct):
            x: int = 1

        @dataclass
        class Data:
            x: int = 1

        class Validates:
            model_fields = {"x": None}  # noqa: RUF012

            @classmethod
            def model_validate(cls, given: dict[str, Any]) -> Validates:
                if given["x"] != 2:
                    raise ValueError("two\nis wanted")
                return cls()

        def takes(params: type) -> Any:
            return hook(name="h", params=params)(lambda ctx, params: None)

        assert params_of(takes(Struct), {"x": 2}) == Struct(2)
        assert params_of(takes(Data), {}) == Data(1)
        assert isinstance(params_of(takes(Validates), {"x": 2}), Validates)
        assert params_of(takes(dict), {"any": 1}) == {"any": 1}
        with pytest.raises(ConfigError, match="params of h: two is wanted"):
            params_of(takes(Validates), {"x": 3})
        with pytest.raises(ConfigError, match="params of h: Expected `int`, got `str`"):
            params_of(takes(Struct), {"x": "2"})
        for kind in (Struct, Data, Validates):
            with pytest.raises(ConfigError, match="h has no parameter 'y'"):
                params_of(takes(kind), {"y": 1})


class TestOverrides:
    def given(self) -> Pipelines:
        return made(
            ["inject_auth", "extract_session_id"],
            [entry("set_header", set={"a": "1"}), entry("set_header", set={"b": "1"}), entry("redact_secrets")],
        )

    def test_switching_off_takes_every_one_of_the_name(self) -> None:
        assert names(self.given().with_overrides(Overrides(off=("set_header",)))) == (
            ["inject_auth", "extract_session_id"],
            ["redact_secrets"],
        )

    def test_switching_on_adds_a_built_in_hook_to_its_stage(self) -> None:
        found = self.given().with_overrides(Overrides(on=("verbose_mode", "set_param")))
        assert names(found) == (
            ["inject_auth", "extract_session_id", "set_param"],
            ["set_header", "set_header#2", "redact_secrets", "verbose_mode"],
        )
        assert found.outbound.hooks[-1].forced

    def test_switching_on_a_configured_hook_overrules_its_condition(self) -> None:
        given = made(outbound=["verbose_mode"])
        assert [one.forced for one in given.with_overrides(Overrides(on=("verbose_mode",))).outbound.hooks] == [True]
        assert [one.forced for one in given.outbound.hooks] == [False]

    @pytest.mark.parametrize("name", ["inject_auth", "redact_secrets"])
    def test_what_keeps_secrets_in_cannot_be_switched_off(self, name: str) -> None:
        with pytest.raises(Forbidden, match=f"{name} cannot be switched off"):
            self.given().with_overrides(Overrides(off=(name,)))

    @pytest.mark.parametrize(
        ("overrides", "says"),
        [
            (Overrides(on=("nothing",)), "there is no hook 'nothing' .there are "),
            (Overrides(off=("set_heder",)), "did you mean 'set_header'"),
            (Overrides(on=("set_model",)), r"\+set_model needs parameters"),
            (Overrides(on=("os.path",)), "there is no hook"),
        ],
    )
    def test_names_nobody_knows(self, overrides: Overrides, says: str) -> None:
        with pytest.raises(BadRequest, match=says):
            self.given().with_overrides(overrides)

    def test_they_are_made_once(self) -> None:
        given = self.given()
        first = given.with_overrides(Overrides(off=("set_header",)))
        assert given.with_overrides(Overrides(off=("set_header",))) is first
        for name in ("verbose_mode", "set_param", "commitbee_compat"):
            for other in range(20):
                given.with_overrides(Overrides(on=(name,), off=("set_header",) * (other % 12 + 1)))
        assert given.with_overrides(Overrides(off=("set_header",))) is not first

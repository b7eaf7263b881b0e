"""The kit: every law for every subject, told so that an author can find the mistake."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ccproxy.lightllm.registry import Registry
from ccproxy.testing.conformance import LAWS, Check, Conformance, LawBroken

from .toy import BROKEN, TOY, kit, verdict


def test_the_toy_keeps_every_law(cases: Path) -> None:
    checks = kit(TOY, cases).checks()
    assert {check.law for check in checks} == set(LAWS)
    assert [str(broken) for broken in map(verdict, checks) if broken] == []


def test_ours_keep_them_with_the_toy_on_the_other_side() -> None:
    cases = Path(__file__).parents[2] / "lightllm" / "cases"
    registry = Registry(TOY)
    checks = [
        check
        for name in registry.names()
        if name != TOY.name
        for check in Conformance(name, cases / name, registry=registry).checks()
        if TOY.name in check.subject
    ]
    assert len(checks) > 200
    assert [str(broken) for broken in map(verdict, checks) if broken] == []


def test_without_golden_cases_random_input_is_left() -> None:
    checks = kit(TOY).checks()
    assert {check.law for check in checks} == {1, 3, 5, 6, 7, 8}
    assert len({str(check) for check in checks}) == len(checks)


def test_a_dialect_is_given_by_its_name() -> None:
    assert Conformance("gemini").dialect is Conformance("gemini").all[0]
    assert sorted(dialect.name for dialect in Conformance("gemini").all) == Registry().names()


def test_a_folder_without_cases_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no folder with a case of parley"):
        kit(TOY, tmp_path)


def test_the_verdict_names_law_check_case_and_difference(cases: Path) -> None:
    broken = next(broken for broken in BROKEN if broken.law == 4)
    [check] = [check for check in kit(broken.dialect, cases).checks() if str(check) == broken.check]
    with pytest.raises(LawBroken) as raised:
        check()
    lines = str(raised.value).splitlines()
    assert lines[0] == "law 4 (same-dialect identity), request history: the request written back"
    assert '-  "temperature": 0.5,' in lines


def test_any_exception_breaks_the_law() -> None:
    def explodes() -> None:
        raise KeyError("x")

    with pytest.raises(LawBroken, match=r"law 6 \(garbage\), bytes: KeyError: 'x'") as raised:
        Check(6, "bytes", "", explodes)()
    assert isinstance(raised.value.__cause__, KeyError)


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)


def test_it_loads_neither_pytest_nor_hypothesis() -> None:
    done = python(
        "import sys\n"
        "from ccproxy.testing.conformance import Conformance\n"
        "Conformance('openai').checks()\n"
        "print(*{'pytest', 'hypothesis'} & set(sys.modules))"
    )
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_without_hypothesis_the_checks_that_need_it_say_so_and_the_others_run() -> None:
    done = python(
        "import sys\n"
        "sys.modules['hypothesis'] = None\n"
        "from ccproxy.testing.conformance import Conformance\n"
        "for check in Conformance('openai').checks():\n"
        "    try:\n"
        "        check()\n"
        "    except ModuleNotFoundError as problem:\n"
        "        assert check.generated\n"
        "        said = str(problem)\n"
        "    else:\n"
        "        assert not check.generated\n"
        "print(said)"
    )
    assert done.stderr == ""
    assert done.stdout.startswith("checks over random input need hypothesis: pip install 'hypothesis>=")

"""Each failure that is known has its remedy."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from ccproxy.cli import jailed
from ccproxy.cli.commands import namespace
from ccproxy.errors import CommandError
from ccproxy.jail import advice


@pytest.mark.parametrize(
    ("step", "number", "words"),
    [
        ("user namespace", errno.ENOSPC, "user.max_user_namespaces"),
        ("tun device", errno.EACCES, "chmod 0666 /dev/net/tun"),
        ("tun device", errno.ENOENT, "--device /dev/net/tun"),
        ("tun device", errno.EPERM, "redirect"),
        ("files", errno.EPERM, "the container forbids mounts"),
        ("/proc", errno.EPERM, "the container forbids mounts"),
        ("addresses", errno.EINVAL, ""),
    ],
)
def test_a_remedy(step: str, number: int, words: str) -> None:
    fix = advice.fix(step, number)
    assert words in fix
    assert bool(words) == bool(fix)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
        ("user/max_user_namespaces", "0", "user.max_user_namespaces"),
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "apparmor_restrict_unprivileged_userns=0"),
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "ccproxy namespace apparmor-profile"),
        ("kernel/unprivileged_userns_clone", "1", "seccomp"),
    ],
)
def test_why_there_are_no_namespaces(name: str, value: str, words: str, tmp_path: Path) -> None:
    setting = tmp_path / name
    setting.parent.mkdir()
    setting.write_text(f"{value}\n")
    assert words in advice.fix("user namespace", errno.EPERM, tmp_path)


def test_the_line() -> None:
    assert advice.describe("tun device", errno.EACCES, "Permission denied") == "tun device: Permission denied (EACCES)"
    assert advice.describe("before ready", 0, "the jail's process ended") == "before ready: the jail's process ended"


def test_what_other_systems_lack(tmp_path: Path) -> None:
    every = ["user namespaces", "network namespaces", "mount namespaces", "IPC namespaces", "process namespaces"]
    assert advice.missing("darwin") == ["Linux", *every]
    assert advice.missing("linux", tmp_path) == every
    for kind in ("user", "net", "mnt", "ipc", "pid", "uts"):
        (tmp_path / kind).touch()
    assert advice.missing("linux", tmp_path) == []
    (tmp_path / "user").unlink()
    assert advice.missing("linux", tmp_path) == ["user namespaces"]


def test_run_says_so_at_once() -> None:
    jailed.refuse_without([], ["claude"])
    with pytest.raises(CommandError) as raised:
        jailed.refuse_without(advice.missing("darwin"), ["claude", "-p"])
    assert raised.value.exit_code == 125
    assert "claude was not started; missing: Linux, user namespaces, network namespaces" in raised.value.message
    assert "`ccproxy run -- claude` points the command at the proxy" in raised.value.hint
    assert "interceptor.http_proxy_port" in raised.value.hint


def test_the_doctor_says_so_in_every_form(capsys: pytest.CaptureFixture[str]) -> None:
    lacks = advice.missing("darwin")
    assert namespace.say_missing(lacks, as_json=True) == 1
    document = json.loads(capsys.readouterr().out)
    (check,) = document["checks"]
    assert (document["ok"], check["ok"], check["name"]) == (False, False, "kernel")
    assert "missing: Linux, user namespaces" in check["detail"]
    assert namespace.say_missing(lacks, as_json=False) == 1
    text = capsys.readouterr().out
    assert text.startswith("FAIL  kernel")
    assert "interceptor.http_proxy_port" in text


def test_a_profile_for_apparmor(tmp_path: Path) -> None:
    real = tmp_path / "py thon[3]"
    real.touch()
    link = tmp_path / "python"
    link.symlink_to(real)
    profile = advice.apparmor_profile(str(link))
    assert f'profile ccproxy "{tmp_path}/py thon\\[3\\]" flags=(unconfined) {{\n  userns,\n' in profile
    assert profile.startswith("abi <abi/4.0>,\n")

"""Each failure that is known has its remedy."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

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

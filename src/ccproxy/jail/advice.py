"""What a failed step of making a jail means, and what to do about it: the lines of `namespace doctor` and of exit 125."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

_SYSCTLS = Path("/proc/sys")
_APPARMOR = "kernel/apparmor_restrict_unprivileged_userns"
_CLONE = "kernel/unprivileged_userns_clone"
_MAXIMUM = "user/max_user_namespaces"


def describe(step: str, number: int, text: str) -> str:
    """The failure in one line."""
    name = errno.errorcode.get(number, "")
    return f"{step}: {text}" + (f" ({name})" if name else "")


def fix(step: str, number: int, sysctls: Path = _SYSCTLS) -> str:
    """What to do about a failed step, or "" if there is nothing general to say.

    Args:
        number: the errno.
        sysctls: where the kernel shows its settings.
    """
    refused = number in {errno.EPERM, errno.EACCES}
    match step:
        case "user namespace" if number in {errno.ENOSPC, errno.EUSERS}:
            return "raise the limit: sysctl -w user.max_user_namespaces=15000"
        case "user namespace" | "identity" | "network namespace" | "other namespaces" if refused:
            return _why_no_namespaces(sysctls)
        case "loopback" | "tun device" | "addresses" | "mount namespace" if refused and _reads(
            sysctls / _APPARMOR, "1"
        ):
            return _apparmor()
        case "tun device" if number == errno.EACCES:
            return "chmod 0666 /dev/net/tun (udev's own rule for it), or choose jail.engine: redirect"
        case "tun device" if number in {errno.ENOENT, errno.ENODEV, errno.ENXIO}:
            return "load the module `tun`; a container needs --device /dev/net/tun; or choose jail.engine: redirect"
        case "tun device" if number == errno.EPERM:
            return "the container forbids the device: allow it, or choose jail.engine: redirect"
        case "mount namespace" | "files" | "/proc" if refused:
            return "the container forbids mounts: run it with --security-opt seccomp=unconfined, or outside of it"
    return ""


def _why_no_namespaces(sysctls: Path) -> str:
    if _reads(sysctls / _CLONE, "0"):
        return "allow them: sysctl -w kernel.unprivileged_userns_clone=1"
    if _reads(sysctls / _MAXIMUM, "0"):
        return "allow them: sysctl -w user.max_user_namespaces=15000"
    if _reads(sysctls / _APPARMOR, "1"):
        return _apparmor()
    return "a container's seccomp filter may forbid it: run it with --security-opt seccomp=unconfined"


def _apparmor() -> str:
    return (
        "AppArmor restricts user namespaces: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or load the "
        f"profile that docs/how-to/jail.md has, for {os.path.realpath(sys.executable)}"
    )


def _reads(path: Path, value: str) -> bool:
    try:
        return path.read_text().strip() == value
    except OSError:
        return False

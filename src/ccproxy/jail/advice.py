"""What a failed step of making a jail means, and what to do about it: the lines of `namespace doctor` and of exit 125."""

from __future__ import annotations

import errno
import os
import re
import sys
from pathlib import Path

_SYSCTLS = Path("/proc/sys")
_APPARMOR = "kernel/apparmor_restrict_unprivileged_userns"
_CLONE = "kernel/unprivileged_userns_clone"
_MAXIMUM = "user/max_user_namespaces"
#: The kinds of namespace that a jail is made of: what /proc calls them, and people.
_NAMESPACES = {"user": "user", "net": "network", "mnt": "mount", "ipc": "IPC", "pid": "process"}


def missing(platform: str = sys.platform, namespaces: Path = Path("/proc/self/ns")) -> list[str]:
    """What a jail needs and this kernel does not have at all; whether it may be used is for the doctor to try.

    Args:
        platform: as `sys.platform` has it.
        namespaces: where the kernel shows which kinds of namespace it has.
    """
    linux = platform == "linux"
    lacks = [f"{name} namespaces" for kind, name in _NAMESPACES.items() if not (linux and (namespaces / kind).exists())]
    return lacks if linux else ["Linux", *lacks]


def alternative(command: str) -> str:
    """What else there is for whoever can have no jail."""
    return (
        f"`ccproxy run -- {command}` points the command at the proxy without a jail; with interceptor.http_proxy_port "
        "there is an HTTP proxy that looks into TLS, for programs that can be told to use one"
    )


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
        "AppArmor restricts user namespaces: `ccproxy namespace apparmor-profile` prints a profile that allows them to "
        "the interpreter of ccproxy, and how to load it; or sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    )


def apparmor_profile(executable: str = sys.executable) -> str:
    """A profile for Ubuntu from 23.10, where programs without one may make a user namespace but nothing in it.

    Args:
        executable: the interpreter; links are followed, since AppArmor goes by the real path.
    """
    path = re.sub(r'([\[\]{}*?^"\\])', r"\\\1", os.path.realpath(executable))
    return f"""\
abi <abi/4.0>,
include <tunables/global>

profile ccproxy "{path}" flags=(unconfined) {{
  userns,
  include if exists <local/ccproxy>
}}
"""


def _reads(path: Path, value: str) -> bool:
    try:
        return path.read_text().strip() == value
    except OSError:
        return False

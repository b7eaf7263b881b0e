"""The filter, by what it says of calls, and in a process that puts it on itself."""

from __future__ import annotations

import errno
import platform
import struct
import subprocess
import sys

import pytest

from ccproxy.jail import seccomp

ALLOWED, REFUSED = 0x7FFF0000, 0x00050000 | errno.EAFNOSUPPORT
X86 = seccomp.MACHINES["x86_64"]
OTHER_ARCHITECTURE = 0x40000003


def judge(code: bytes, architecture: int, number: int, argument: int) -> int:
    """What the kernel would find, from a small BPF machine."""
    data = struct.pack("=iIQ6Q", number, architecture, 0, argument, *[0] * 5)
    instructions = list(struct.iter_unpack("=HBBI", code))
    place = value = 0
    while True:
        operation, yes, no, constant = instructions[place]
        place += 1
        match operation:
            case 0x20:
                (value,) = struct.unpack_from("=I", data, constant)
            case 0x15:
                place += yes if value == constant else no
            case 0x06:
                return constant
            case _:
                raise AssertionError(operation)


@pytest.mark.parametrize(
    ("architecture", "number", "argument", "verdict"),
    [
        (X86.architecture, X86.socket, 40, REFUSED),
        (X86.architecture, X86.socket, 2, ALLOWED),
        (X86.architecture, X86.socket + 1, 40, ALLOWED),
        (OTHER_ARCHITECTURE, X86.socket, 40, ALLOWED),
    ],
)
def test_what_it_says(architecture: int, number: int, argument: int, verdict: int) -> None:
    assert judge(seccomp.program(X86, 40), architecture, number, argument) == verdict


def test_an_unknown_machine_does_without() -> None:
    assert not seccomp.forbid_vsock("sparc64")


TRY = """
import socket
from ccproxy.jail import seccomp, syscalls
syscalls.give_up_privileges()
print(seccomp.forbid_vsock())
socket.socket().close()
try:
    socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
except OSError as error:
    print(error.errno)
"""


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in seccomp.MACHINES, reason="a filter for another machine"
)
def test_it_holds() -> None:
    done = subprocess.run([sys.executable, "-c", TRY], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["True", str(errno.EAFNOSUPPORT)], done.stderr

"""Keeps commands in a jail off AF_VSOCK, the sockets of virtual machines: no network namespace holds them, so they would
lead past the tunnel to the machine that this one runs on.

A filter on socket(2) (seccomp, classic BPF): for that family it says "not supported", as a kernel without it does, and
everything else is allowed. It sees the calls of 64-bit programs; io_uring and 32-bit programs go around it. Like the rest
of the jail it is there so that nothing goes unseen by accident.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import socket
import struct
from dataclasses import dataclass

# Of linux/bpf_common.h, linux/seccomp.h and linux/audit.h.
_LOAD_WORD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_SET_MODE_FILTER, _SPEC_ALLOW = 1, 4
_AT_NUMBER, _AT_ARCHITECTURE, _AT_FIRST_ARGUMENT = 0, 4, 16


@dataclass(frozen=True, slots=True)
class Machine:
    """What a kernel's calls are called: the architecture as it names it itself, and two calls' numbers."""

    architecture: int
    socket: int
    seccomp: int


MACHINES = {"x86_64": Machine(0xC000003E, 41, 317), "aarch64": Machine(0xC00000B7, 198, 277)}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def program(machine: Machine, family: int) -> bytes:
    """The filter: EAFNOSUPPORT for sockets of a family, on this kind of machine."""
    instructions = (
        (_LOAD_WORD, 0, 0, _AT_ARCHITECTURE),
        (_JUMP_IF_EQUAL, 0, 5, machine.architecture),
        (_LOAD_WORD, 0, 0, _AT_NUMBER),
        (_JUMP_IF_EQUAL, 0, 3, machine.socket),
        (_LOAD_WORD, 0, 0, _AT_FIRST_ARGUMENT),
        (_JUMP_IF_EQUAL, 0, 1, family),
        (_RETURN, 0, 0, _ERRNO | errno.EAFNOSUPPORT),
        (_RETURN, 0, 0, _ALLOW),
    )
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)


def forbid_vsock(machine: str = "") -> bool:
    """Puts the filter on this process and all that come from it, for good. It must have no way to new privileges.

    Returns whether there is one now: other machines and kernels without seccomp do without.
    """
    known = MACHINES.get(machine or platform.machine())
    if known is None:
        return False
    code = program(known, socket.AF_VSOCK)
    filter_program = _Program(len(code) // 8, code)
    libc = ctypes.CDLL(None, use_errno=True)
    # The flag leaves the processor's speculation as it is: the filter guards no secret, and programs would be slower.
    result = libc.syscall(known.seccomp, _SET_MODE_FILTER, _SPEC_ALLOW, ctypes.byref(filter_program))
    number = ctypes.get_errno()
    if result and number not in {errno.ENOSYS, errno.EINVAL}:
        raise OSError(number, f"seccomp: {os.strerror(number)}")
    return not result

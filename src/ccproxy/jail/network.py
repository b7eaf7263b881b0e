"""The network of a jail, seen from inside its namespace: a TUN device that is handed out, or routes that lead back in.

ioctl and rtnetlink, no `ip` program. Both ways leave nothing else: without the tunnel's other end a packet has nowhere
to go.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct

TUN_NAME = "wg0"
ADDRESS4 = "10.0.0.1"
ADDRESS6 = "fd00:cc::1"
#: Answered by the interceptor; the address that mitmproxy's WireGuard mode takes for its own.
DNS_ADDRESS = "10.0.0.53"
#: Under this name the interceptor answers itself, for the doctor.
DOCTOR_NAME = "doctor.ccproxy.internal"
#: Under this name and these addresses jails find the ports of this machine that they may reach.
HOST_NAME = "host.ccproxy.internal"
HOST_ADDRESSES = ("10.0.0.54", "fd00:cc::54")
MTU = 1420

_TUNSETIFF = 0x400454CA
_IFF_TUN = 0x0001
_IFF_NO_PI = 0x1000
_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_SIOCSIFADDR = 0x8916
_SIOCSIFNETMASK = 0x891C
_SIOCSIFMTU = 0x8922
_IFF_UP = 0x1

_RTM_NEWROUTE = 24
_NLM_REQUEST_ACK_CREATE = 0x1 | 0x4 | 0x400
_NLMSG_ERROR = 2
_RTA_OIF = 4
_RTA_METRICS = 8
_RTAX_QUICKACK = 15
_RTPROT_STATIC = 4
_RTN_UNICAST = 1
_RTN_LOCAL = 2
_TABLE_MAIN = 254
_TABLE_LOCAL = 255
_SCOPE_UNIVERSE = 0
_SCOPE_LINK = 253
_SCOPE_HOST = 254


def open_tun(device: str = "/dev/net/tun") -> int:
    """The descriptor of a new TUN device in this network namespace. It goes when the last descriptor is closed."""
    descriptor = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, _TUNSETIFF, _request(TUN_NAME, struct.pack("H", _IFF_TUN | _IFF_NO_PI)))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def loopback_up() -> None:
    """Brings `lo` up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        _up(control, "lo")


def configure_tun() -> str:
    """Gives the TUN device its addresses and makes it the default route. Returns why IPv6 is not there, or ""."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFMTU, _request(TUN_NAME, struct.pack("i", MTU)))
        fcntl.ioctl(control, _SIOCSIFADDR, _request(TUN_NAME, _inet(ADDRESS4)))
        fcntl.ioctl(control, _SIOCSIFNETMASK, _request(TUN_NAME, _inet("255.255.255.255")))
        _up(control, TUN_NAME)
    index = socket.if_nametoindex(TUN_NAME)
    _default_route(socket.AF_INET, index)
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as control:
            address = socket.inet_pton(socket.AF_INET6, ADDRESS6)
            fcntl.ioctl(control, _SIOCSIFADDR, address + struct.pack("=Ii", 128, index))
        _default_route(socket.AF_INET6, index)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def everything_is_local() -> str:
    """Makes every address one of this namespace's own, so that a listener in it takes the connections to all of them.
    Returns why IPv6 is not there, or ""."""
    index = socket.if_nametoindex("lo")
    _route(socket.AF_INET, index, kind=_RTN_LOCAL, table=_TABLE_LOCAL, scope=_SCOPE_HOST)
    try:
        _route(socket.AF_INET6, index, kind=_RTN_LOCAL, table=_TABLE_LOCAL, scope=_SCOPE_UNIVERSE)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _default_route(family: int, index: int) -> None:
    # The proxy's TCP stack waits for an ACK before it sends the rest of an answer, and Linux would delay that by 40 ms.
    quickack = _attribute(_RTA_METRICS, _attribute(_RTAX_QUICKACK, struct.pack("I", 1)))
    scope = _SCOPE_LINK if family == socket.AF_INET else _SCOPE_UNIVERSE
    _route(family, index, kind=_RTN_UNICAST, table=_TABLE_MAIN, scope=scope, more=quickack)


def _route(family: int, index: int, *, kind: int, table: int, scope: int, more: bytes = b"") -> None:
    """The route `default dev INDEX`."""
    body = struct.pack("=8BI", family, 0, 0, 0, table, _RTPROT_STATIC, scope, kind, 0)
    body += _attribute(_RTA_OIF, struct.pack("i", index)) + more
    head = struct.pack("=IHHII", 16 + len(body), _RTM_NEWROUTE, _NLM_REQUEST_ACK_CREATE, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as netlink:
        netlink.send(head + body)
        reply = netlink.recv(4096)
    (message,) = struct.unpack_from("=H", reply, 4)
    (error,) = struct.unpack_from("=i", reply, 16)
    if message == _NLMSG_ERROR and error:
        raise OSError(-error, f"default route: {os.strerror(-error)}")


def _attribute(number: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), number) + data + bytes(-len(data) & 3)


def _request(name: str, rest: bytes) -> bytes:
    """A struct ifreq."""
    return struct.pack("16s", name.encode()) + rest.ljust(24, b"\0")


def _inet(address: str) -> bytes:
    """A struct sockaddr_in."""
    return struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))


def _up(control: socket.socket, name: str) -> None:
    request = fcntl.ioctl(control, _SIOCGIFFLAGS, _request(name, b""))
    (flags,) = struct.unpack_from("H", request, 16)
    fcntl.ioctl(control, _SIOCSIFFLAGS, _request(name, struct.pack("H", flags | _IFF_UP)))

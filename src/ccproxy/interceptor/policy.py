"""What a jail may reach. Pure: names and addresses in, a reason or none out.

Two layers. Of this machine nothing is reached: not its loopback, not link-local and metadata addresses, but for the
ports of `jail.allow_host` under a name of their own. Of the rest everything, unless the run says otherwise: `deny`
takes hosts out, `allow`, if there is one, is all that is left (and the providers, without which there would be nothing
to run). A pattern is a host name, `*.` and a domain (which means the domain as well), an address, or a network.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field

from ccproxy.jail.network import HOST_ADDRESSES

#: What a refused name resolves to: nothing is asked outside, and the connection to it can be told why.
REFUSED_ADDRESSES = ("10.0.0.55", "fd00:cc::55")
OWN_ADDRESSES = frozenset({*HOST_ADDRESSES, *REFUSED_ADDRESSES})

_MAX_ADDRESSES = 65536


@dataclass(frozen=True, slots=True)
class Patterns:
    """A list of hosts."""

    names: frozenset[str]
    domains: tuple[str, ...]
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Patterns:
        """Raises ValueError, naming the text, for one that is no pattern."""
        names, domains, networks = set(), [], []
        for text in texts:
            lower = text.strip().lower().rstrip(".")
            if lower.startswith("*."):
                names.add(lower[2:])
                domains.append(lower[1:])
                continue
            try:
                networks.append(ipaddress.ip_network(lower.strip("[]"), strict=False))
            except ValueError:
                if not lower or any(mark in lower for mark in "/*: "):
                    raise ValueError(f"{text!r} is no host, *.domain, address or network") from None
                names.add(lower)
        return cls(frozenset(names), tuple(domains), tuple(networks))

    def __bool__(self) -> bool:
        return bool(self.names or self.networks)

    def match(self, host: str) -> bool:
        """Whether `host`, a lower-case name or an address, is meant."""
        if host in self.names or host.endswith(self.domains):
            return True
        address = address_of(host)
        return address is not None and any(
            address in network for network in self.networks if network.version == address.version
        )


def address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """`host` as an address, one that maps IPv4 into IPv6 as the former; None for a name."""
    try:
        address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_loopback(host: str) -> bool:
    """Whether an address is a loopback one."""
    address = address_of(host)
    return address is not None and address.is_loopback


def is_machine(host: str) -> bool:
    """Whether an address leads to this machine or to what serves only it: loopback, unspecified, link-local (which
    cloud providers answer credentials on), multicast."""
    address = address_of(host)
    if address is None:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified or address.is_link_local or address.is_multicast


@dataclass(slots=True)
class Policy:
    """The rules of one run, and the names behind the addresses that it was told.

    Attributes:
        providers: host names that an `allow` list need not name.
        host_ports: loopback ports that may be reached.
        on_this_machine: the client is no jail and may reach what is this machine's anyway.
    """

    allow: Patterns
    deny: Patterns
    providers: frozenset[str] = frozenset()
    host_ports: frozenset[int] = frozenset()
    on_this_machine: bool = False
    _names: dict[str, set[str]] = field(default_factory=dict)

    def refuses_name(self, host: str) -> str:
        """Why a name may not be reached or asked for, or ""."""
        host = host.lower().rstrip(".")
        if self.deny.match(host):
            return f"{host} is denied (--deny)"
        if self.allow and not (self.allow.match(host) or host in self.providers):
            return f"{host} is not among what is allowed (--allow-net)"
        return ""

    def learn(self, name: str, addresses: Iterable[str]) -> None:
        """Takes note of what a name was resolved to."""
        if len(self._names) > _MAX_ADDRESSES:
            self._names.clear()
        for address in addresses:
            self._names.setdefault(address, set()).add(name.lower().rstrip("."))

    def name_of(self, address: str) -> str:
        """The one name that has led to an address, "" if there is none or more than one."""
        names = self._names.get(address, set())
        return next(iter(names)) if len(names) == 1 else ""

    def knows(self, address: str) -> bool:
        """Whether a name has led to an address."""
        return address in self._names

    def refuses_address(self, address: str, port: int) -> str:
        """Why a connection to an address may not be made, or "".

        Under an `allow` list an address counts as the names that led to it; an address nobody was told is nobody's.
        """
        if address in HOST_ADDRESSES:
            return "" if port in self.host_ports else f"port {port} of this machine is not in jail.allow_host"
        if is_machine(address) and not self.on_this_machine:
            return f"{address} is this machine or serves only it; see jail.allow_host"
        if self.deny.match(address):
            return f"{address} is denied (--deny)"
        names = self._names.get(address, set())
        if self.allow and not self.allow.match(address):
            reasons = [self.refuses_name(name) for name in names]
            if not names or all(reasons):
                return reasons[0] if reasons else f"{address} is not among what is allowed (--allow-net)"
            return ""
        reasons = [self.refuses_name(name) for name in names]
        return reasons[0] if reasons and all(reasons) else ""

"""Keys and client configuration of the WireGuard endpoint for clients beyond this machine."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import Struct

from ccproxy.errors import ConfigError
from ccproxy.interceptor.config import WireguardConfig
from ccproxy.util.fs import atomic_write


class _File(Struct):
    server_key: str
    client_key: str


@dataclass(frozen=True, slots=True)
class Keys:
    """Private keys, base64."""

    server: str
    client: str


def keys(path: Path, generate: Callable[[], str]) -> Keys:
    """The endpoint's keys, from the file at `path` (0600), which is made if it is missing. Raises ConfigError, OSError."""
    try:
        stored = msgspec.json.decode(path.read_bytes(), type=_File)
    except FileNotFoundError:
        stored = _File(generate(), generate())
        atomic_write(path, msgspec.json.encode(stored))
    except msgspec.MsgspecError:
        raise ConfigError(f"{path} holds no keys", hint="remove it to have new ones made") from None
    return Keys(stored.server_key, stored.client_key)


def client_config(config: WireguardConfig, keys: Keys, server_public: str) -> str:
    """What the WireGuard program of a client is to be given."""
    host = config.endpoint or (local_address() if config.listen in {"0.0.0.0", "::"} else config.listen)  # noqa: S104
    host = f"[{host}]" if ":" in host else host
    return (
        "[Interface]\n"
        f"PrivateKey = {keys.client}\n"
        "Address = 10.0.0.1/32, fd00:cc::1/128\n"
        "DNS = 10.0.0.53\n"
        "MTU = 1420\n\n"
        "[Peer]\n"
        f"PublicKey = {server_public}\n"
        "AllowedIPs = 0.0.0.0/0, ::/0\n"
        f"Endpoint = {host}:{config.port}\n"
    )


def local_address() -> str:
    """The address of this machine that faces the default route; no packet is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])

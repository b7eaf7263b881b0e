"""Keys and configuration of the endpoint for clients beyond this machine."""

from __future__ import annotations

import itertools
import stat
from pathlib import Path

import pytest

from ccproxy.errors import ConfigError
from ccproxy.interceptor import wireguard
from ccproxy.interceptor.config import WireguardConfig
from ccproxy.interceptor.wireguard import Keys


def test_keys_are_made_once(tmp_path: Path) -> None:
    numbers = itertools.count()
    path = tmp_path / "keys.json"
    first = wireguard.keys(path, lambda: f"key-{next(numbers)}")
    assert first == Keys("key-0", "key-1")
    assert wireguard.keys(path, lambda: "another") == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_holds_none(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text("{")
    with pytest.raises(ConfigError, match="holds no keys"):
        wireguard.keys(path, str)


@pytest.mark.parametrize(
    ("config", "endpoint"),
    [
        (WireguardConfig(listen="192.0.2.1", port=5), "192.0.2.1:5"),
        (WireguardConfig(listen="0.0.0.0", endpoint="vpn.test"), "vpn.test:51820"),
        (WireguardConfig(listen="2001:db8::1"), "[2001:db8::1]:51820"),
    ],
)
def test_what_a_client_is_given(config: WireguardConfig, endpoint: str) -> None:
    text = wireguard.client_config(config, Keys("server-private", "client-private"), "server-public")
    assert f"Endpoint = {endpoint}\n" in text
    assert "PrivateKey = client-private\n" in text
    assert "PublicKey = server-public\n" in text
    assert "AllowedIPs = 0.0.0.0/0, ::/0\n" in text
    assert "server-private" not in text


def test_the_local_address_is_one() -> None:
    assert wireguard.local_address().count(".") == 3

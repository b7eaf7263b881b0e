"""A capture of a jail's traffic and the key logs: tshark finds the request in them, and nothing without them."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from jail.conftest import PEOPLE, REQUIRED
from jail.world import TIMEOUT, World

pytestmark = [
    pytest.mark.skipif(
        shutil.which("tshark") is None and not os.environ.get(REQUIRED), reason="tshark is not installed"
    ),
    pytest.mark.skipif("root" not in PEOPLE, reason="only root captures"),
]


def decrypted(capture: Path, *options: str) -> str:
    done = subprocess.run(
        ["tshark", "-r", str(capture), *options, "-Y", "http"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    return done.stdout


@pytest.fixture
def world() -> Iterator[World]:
    """One of its own: every key of every jail is written down in it."""
    with World() as made:
        yield made


def test_wireshark_reads_it(world: World) -> None:
    proxy = world.proxy("root", port=4190, more="  inspector: {keylog: true}\n")
    capture = world.people["root"].home / "capture.pcapng"
    tshark = world.spawn("root", "tshark", "-l", "-P", "-i", "lo", "-f", "udp", "-w", str(capture))
    assert tshark.stderr is not None
    assert tshark.stdout is not None
    while b"Capturing" not in (line := tshark.stderr.readline()):
        assert line, "tshark does not capture"
    try:
        assert (
            proxy.jail("curl", "-sS", "--http1.1", "https://some.test/decrypt-me").stdout
            == "site some.test /decrypt-me\n"
        )
        # A datagram that comes last, so that everything before it has been written when it is seen.
        world.run("root", "bash", "-c", "echo end > /dev/udp/203.0.113.11/7777")
        while b"203.0.113.11" not in (line := tshark.stdout.readline()):
            assert line
    finally:
        tshark.terminate()
        tshark.communicate(timeout=TIMEOUT)
    logs = proxy.folder / "state" / "keylog"
    for name in ("tls.keylog", "wireguard.keylog"):
        assert stat.S_IMODE((logs / name).stat().st_mode) == 0o600
    tunnel = ("-o", f"wg.keylog_file:{logs / 'wireguard.keylog'}")
    assert "GET /decrypt-me HTTP/1.1" in decrypted(capture, *tunnel, "-o", f"tls.keylog_file:{logs / 'tls.keylog'}")
    assert decrypted(capture, *tunnel) == ""
    assert decrypted(capture) == ""

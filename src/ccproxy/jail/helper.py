"""The process outside a jail that carries its traffic: `python -m ccproxy.jail.helper`, started by the launcher.

Its standard input is a socket of the launcher. One message comes in: orders as JSON, with the descriptors that the jail
has handed out. One line goes back, `{"up": true}` or `{"problem": "..."}`, and another `problem` should it end by
itself. The launcher closes the socket when the jail is over, or dies; either ends this process.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from typing import Any

_MAX_ORDERS = 65536
_MAX_DESCRIPTORS = 128


def main() -> int:
    """Carries the traffic of one jail. Returns the exit code."""
    # Ctrl-C is for the command in the jail, whose connections this process carries.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=os.dup(0)) as control:
        try:
            data, descriptors, _, _ = socket.recv_fds(control, _MAX_ORDERS, _MAX_DESCRIPTORS)
        except OSError:
            return 1
        if not data:
            return 1
        problem = _carry(json.loads(data), descriptors, control)
        if problem:
            tell(control, {"problem": problem})
        return 1 if problem else 0


def _carry(orders: dict[str, Any], descriptors: list[int], control: socket.socket) -> str:
    def up() -> None:
        tell(control, {"up": True})

    if orders["engine"] == "tun":
        from ccproxy.jail import bridge

        return bridge.from_orders(orders, descriptors[0]).run(control, up)
    import asyncio

    from ccproxy.jail import relay

    async def serve() -> str:
        return await relay.from_orders(orders, descriptors).run(control, up)

    return asyncio.run(serve())


def tell(control: socket.socket, message: dict[str, object]) -> None:
    """One line to the launcher, which may have gone."""
    try:
        control.sendall(json.dumps(message).encode() + b"\n")
    except OSError:
        return


if __name__ == "__main__":
    sys.exit(main())

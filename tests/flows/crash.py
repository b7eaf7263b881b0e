"""Run by test_sqlite and killed by it: records flows as fast as it can, and names each on stdout once the store has said that it is safe.

Argument: the store's path.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from ccproxy.flows.sqlite import SqliteStore
from ccproxy.util.clock import SystemClock
from flows.support import KEEP_ALL, make_flow


async def main(path: Path) -> None:
    store = SqliteStore(path, clock=SystemClock(), config=KEEP_ALL)
    store.start()

    async def client(first: int) -> None:
        for number in range(first, 10_000_000, 8):
            flow = make_flow(number)
            if await store.put(flow):
                os.write(1, f"{flow.id}\n".encode())  # unbuffered: it is out before anything else happens
            await asyncio.sleep(0)  # as the network would: let timers run

    await asyncio.gather(*(client(first) for first in range(8)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))

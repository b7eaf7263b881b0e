"""Run by test_sqlite inside a mount namespace: fills a small disk, records until it is full, makes room, records again.

Arguments: the directory of the small disk. Prints what happened as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from flows.support import Watched, make_flow


async def main(directory: Path) -> None:
    watched = Watched(directory / "flows.db")
    stored = 0
    for number in range(1_000):
        flow = make_flow(number)
        flow.request.body = random.Random(number).randbytes(20_000)
        if not (await watched.put(flow))[0]:
            break
        stored += 1
    problem = await watched.next_problem()
    (directory / "ballast").unlink()
    recovered = ""
    number = 1_000
    while True:
        number += 1
        if (await watched.put(make_flow(number)))[0]:
            recovered = await watched.next_problem()
            break
    await asyncio.to_thread(watched.store.close)
    print(json.dumps({"stored": stored, "problem": problem, "recovered": recovered}))


if __name__ == "__main__":
    disk = Path(sys.argv[1])
    (disk / "ballast").write_bytes(os.urandom(512 * 1024))
    asyncio.run(main(disk))

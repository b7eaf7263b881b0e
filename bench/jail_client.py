"""What the bench runs in a jail and outside of one: it measures itself and prints JSON. Python's own library alone.

jail_client.py traffic REQUESTS MEGABYTES    seconds of each small request on a kept connection, and of each way in bulk
jail_client.py start TIMES COMMAND...        seconds that the command took, each time
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time

HOST = "some.test"


def traffic(requests: int, megabytes: int) -> dict[str, object]:
    connection = http.client.HTTPSConnection(HOST, timeout=60)

    def ask(method: str, target: str, body: bytes | None = None) -> float:
        started = time.perf_counter()
        connection.request(method, target, body)
        answer = connection.getresponse()
        while answer.read(1 << 20):
            pass
        if answer.status != 200:
            raise SystemExit(f"{target}: {answer.status}")
        return time.perf_counter() - started

    ask("GET", "/first")
    small = [ask("GET", "/small") for _ in range(requests)]
    ask("GET", "/big/1")
    ask("POST", "/echo", bytes(1 << 20))
    down = ask("GET", f"/big/{megabytes}")
    up = ask("POST", "/echo", bytes(megabytes << 20))
    return {"small": small, "down": down, "up": up}


def start(times: int, command: list[str]) -> dict[str, object]:
    found = []
    for _ in range(times):
        started = time.perf_counter()
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        found.append(time.perf_counter() - started)
    return {"start": found}


if __name__ == "__main__":
    what, number, *more = sys.argv[1:]
    print(json.dumps(traffic(int(number), int(more[0])) if what == "traffic" else start(int(number), more)))

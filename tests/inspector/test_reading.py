"""The store is read beside the event loop, within bounds, also where there is none."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ccproxy.errors import BadRequest, Overloaded
from ccproxy.flows.model import Flow
from ccproxy.flows.query import Query
from ccproxy.inspector import reading as module
from ccproxy.inspector.reading import Reading
from ccproxy.lightllm.registry import Registry
from flows.support import Watched, make_flow


@pytest.fixture
async def reading(tmp_path: Path) -> AsyncIterator[Reading]:
    made = Reading(tmp_path / "flows.db", Registry())
    yield made
    await made.close()


async def stored(path: Path, flows: list[Flow]) -> None:
    """Puts flows into a store, and closes it."""
    watched = Watched(path)
    await watched.put(*flows)
    await asyncio.to_thread(watched.store.close)


async def test_without_a_store_there_is_nothing_and_it_is_looked_for_again(reading: Reading, tmp_path: Path) -> None:
    assert await reading.page(Query(), None, 10) == {"rows": [], "total": 0, "more": False}
    assert await reading.open("aa", lambda opened: opened.flow.id) is None
    await stored(tmp_path / "flows.db", [make_flow(1), make_flow(2)])
    page = await reading.page(Query(), None, 10)
    assert [row["id"] for row in page["rows"]] == [f"{2:012x}", f"{1:012x}"]


class Emerging(Path):
    """A file that is made between two looks at it: the first finds nothing."""

    seen = False

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        before, self.seen = self.seen, True
        return before and super().exists(follow_symlinks=follow_symlinks)


async def test_a_store_that_is_made_while_it_is_opened_is_not_taken_for_empty_for_ever(tmp_path: Path) -> None:
    await stored(tmp_path / "flows.db", [make_flow(1)])
    reading = Reading(Emerging(tmp_path / "flows.db"), Registry())
    assert (await reading.page(Query(), None, 10))["rows"] == []
    assert [row["id"] for row in (await reading.page(Query(), None, 10))["rows"]] == [f"{1:012x}"]
    await reading.close()


async def test_the_loop_is_not_held_up(reading: Reading) -> None:
    gate = threading.Event()
    blocked = asyncio.create_task(reading.run(lambda: gate.wait(10)))
    await asyncio.sleep(0)
    gate.set()  # only reached because the loop goes on
    assert await blocked


async def test_jobs_are_bounded(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_JOBS", 2)
    gate = threading.Event()
    jobs = [asyncio.create_task(reading.run(lambda: gate.wait(10))) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await reading.run(lambda: None)
    gate.set()
    await asyncio.gather(*jobs)


async def test_a_query_that_makes_no_sense(reading: Reading) -> None:
    with pytest.raises(BadRequest, match="is no status"):
        await reading.page(Query(status="9x"), None, 10)


async def test_only_the_last_few_flows_stay_open(reading: Reading, tmp_path: Path) -> None:
    await stored(tmp_path / "flows.db", [make_flow(number) for number in range(1, 8)])
    first = await reading.open(f"{1:012x}", lambda opened: opened)
    assert await reading.open(f"{1:012x}", lambda opened: opened) is first
    for number in range(2, 8):
        await reading.open(f"{number:012x}", lambda opened: opened)
    assert await reading.open(f"{1:012x}", lambda opened: opened) is not first


async def test_what_is_made_of_a_flow_is_made_once(reading: Reading, tmp_path: Path) -> None:
    await stored(tmp_path / "flows.db", [make_flow(1)])
    opened = await reading.open(f"{1:012x}", lambda opened: opened)
    assert opened is not None
    assert opened.conversation(reading.dialects) is opened.conversation(reading.dialects)
    assert opened.comparison() is opened.comparison()


async def test_rows_by_id(reading: Reading, tmp_path: Path) -> None:
    await stored(tmp_path / "flows.db", [make_flow(1), make_flow(2)])
    assert set(await reading.rows_of([f"{1:012x}", "none"])) == {f"{1:012x}"}

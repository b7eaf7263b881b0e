"""The conversion alone, without a proxy around it: CPU of this process per translated chunk and per large request, for
each pair of dialects, and what importing it costs.

The input of a pair is written by the upstream's own encoder (the client's own writer for requests), so that every pair
gets the same words.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import product

from bench import bodies, processes
from bench.processes import BenchError
from bench.world import Row, Sample, World
from ccproxy.lightllm.dialect import Context, Dialect, Target
from ccproxy.lightllm.ir.events import End, Event, PartEnd, PartStart, Start, Stop, TextDelta, UsageUpdate
from ccproxy.lightllm.ir.parts import Text, ToolCall, ToolResult
from ccproxy.lightllm.ir.request import FunctionTool, Message, Request
from ccproxy.lightllm.ir.usage import Usage
from ccproxy.lightllm.registry import Registry
from ccproxy.lightllm.translate import SseWriter, StreamTranslator

_CHUNK_MICROSECONDS = 15.0
_BODY_MILLISECONDS = 2.5
_IMPORT_MILLISECONDS = 80.0
_BODY_BYTES = 200_000
_TURNS = 40

_IMPORT = """
import time
start = time.process_time()
import ccproxy.lightllm.translate
from ccproxy.lightllm.registry import Registry
list(Registry())
print(time.process_time() - start)
"""


def chunks(world: World) -> list[Row]:
    """Microseconds per text delta that is translated by itself, each pair of dialects."""
    dialects = list(Registry())
    streams = {dialect.name: _stream(dialect, world.size.translated) for dialect in dialects}

    def translate(source: Dialect, client: Dialect) -> float:
        first, deltas, last = streams[source.name]
        translator = StreamTranslator(source, client, Context())
        translator.feed(first)
        feed = translator.feed
        started = time.process_time()
        for delta in deltas:
            feed(delta)
        used = time.process_time() - started
        if not translator.feed(last) + translator.eof() or translator.stop is None:
            raise BenchError(f"{source.name} to {client.name}: the stream did not end: {translator.error}")
        return used / len(deltas) * 1e6

    return _pairs(world, dialects, translate, "chunk", "µs CPU", _CHUNK_MICROSECONDS)


def requests(world: World) -> list[Row]:
    """Milliseconds per request of 200 KB that is read, adapted and written, each pair of different dialects."""
    dialects = list(Registry())
    given = {dialect.name: dialect.encode_request(_conversation(), Target(model="bench")).body for dialect in dialects}

    def convert(client: Dialect, target: Dialect) -> float:
        body = given[client.name]
        started = time.process_time()
        for _ in range(world.size.converted):
            target.encode_request(client.decode_request(body, model="bench"), Target(model="other"))
        return (time.process_time() - started) / world.size.converted * 1e3

    return _pairs(world, dialects, convert, "200 KB", "ms CPU", _BODY_MILLISECONDS, same=False)


def imported(world: World) -> list[Row]:
    """Milliseconds of CPU to import the translator and every dialect, without the interpreter's own start."""
    home = world.base / "import"
    home.mkdir(exist_ok=True)
    found = []
    for _ in range(world.size.starts + 1):
        done = subprocess.run(
            [sys.executable, "-c", _IMPORT],
            check=True,
            env=processes.environment(home),
            capture_output=True,
            timeout=60,
        )
        found.append(float(done.stdout) * 1e3)
    sample = Sample(tuple(found[1:]))  # the first warms the file cache
    return [_row("import of lightllm", "ms CPU", sample, _IMPORT_MILLISECONDS)]


def _pairs(
    world: World,
    dialects: list[Dialect],
    measure: Callable[[Dialect, Dialect], float],
    what: str,
    unit: str,
    limit: float,
    *,
    same: bool = True,
) -> list[Row]:
    """A row for each pair, measured in interleaved rounds."""
    pairs = [(one, other) for one, other in product(dialects, dialects) if same or one is not other]
    for pair in pairs:
        measure(*pair)
    values: dict[tuple[str, str], list[float]] = {(one.name, other.name): [] for one, other in pairs}
    for _ in range(world.size.rounds):
        for one, other in pairs:
            values[one.name, other.name].append(measure(one, other))
    return [
        _row(f"{what}, {one} to {other}", unit, Sample(tuple(found)), limit) for (one, other), found in values.items()
    ]


def _row(figure: str, unit: str, sample: Sample, limit: float) -> Row:
    name = unit.partition(" ")[0]
    kept = statistics.median(sample.values) <= limit
    return Row(figure, unit, {"ccproxy": sample}, f"{sample.median:.1f} {name}", f"<= {limit:g} {name}", kept)


def _stream(dialect: Dialect, count: int) -> tuple[bytes, list[bytes], bytes]:
    """What comes before the deltas, the deltas one by one, and what comes after them."""
    encoder, writer = dialect.encoder(Context()), SseWriter()

    def said(*events: Event) -> bytes:
        return writer.write([frame for event in events for frame in encoder.event(event)])

    first = said(Start("bench_1", "bench", 1), PartStart(0, Text("")), TextDelta("Here: "))
    deltas = [said(TextDelta(f"some words {number:06d} ")) for number in range(count)]
    return first, deltas, said(PartEnd(), UsageUpdate(Usage(100, count)), End(Stop("end")))


def _conversation() -> Request:
    """A request as an agent sends it: tools, and turns in which it reads files."""
    schema = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
    messages: list[Message] = []
    for turn in range(_TURNS):
        words = bodies.text(_BODY_BYTES // _TURNS, turn)
        half = len(words) // 2
        call = ToolCall(f"call_{turn}", "read", f'{{"path":"file_{turn}"}}')
        messages += [
            Message("user", (Text(words[: half // 2]),)),
            Message("assistant", (Text(words[half // 2 : half]), call)),
            Message("user", (ToolResult(call.id, (Text(words[half:]),), name="read"),)),
            Message("assistant", (Text("Go on."),)),
        ]
    messages.append(Message("user", (Text("What next?"),)))
    tools = tuple(FunctionTool(name, schema, "Reads a file.") for name in ("read", "write", "list", "search"))
    return Request("bench", tuple(messages), system=(Text("Be brief."),), tools=tools, max_tokens=1024)

"""The model's part: what FakeProvider says to a client, in whichever dialect and by whichever transport it asks.

A `Play` is the provider of one run of a client. It reads requests with the stand-in's own readers and chooses among the
tools that are offered, so it need not know which client it has before it. What it was asked is kept, to be judged.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ccproxy.providers.answers import openai_responses
from ccproxy.providers.answers.asked import Asked, read
from ccproxy.providers.answers.paths import dialect_for, recognise
from ccproxy.testing import (
    Cut,
    Expect,
    Hang,
    Pause,
    Received,
    Reply,
    Script,
    Send,
    SendMessage,
    Socket,
    SocketSession,
    Text,
    ThreadedProvider,
    ToolCall,
    Usage,
    native_error,
)

Json = dict[str, Any]

#: The clients' reading tools, and the arguments that make them read a file.
READERS: dict[str, Callable[[Path], str]] = {
    "Read": lambda path: json.dumps({"file_path": str(path)}),
    "read_file": lambda path: json.dumps({"file_path": str(path)}),
    "read": lambda path: json.dumps({"filePath": str(path)}),
    "exec_command": lambda path: json.dumps({"cmd": f"cat '{path}'"}),
    "exec": lambda path: f"text(await tools.exec_command({{cmd: \"cat '{path}'\"}}))",
}
NEEDLE = re.compile(r"NEEDLE-[0-9a-f]+")
USAGE = Usage(input=1200, output=34, cache_read=1000)
#: An answer whose end never comes.
HALF = "The first half of an answer that is going to end in the middle of a sentence, because the provider"


@dataclass
class Play:
    """A provider that makes the client read the file `needle` and then repeats what the tool found.

    Attributes:
        websocket: accept upgrades; otherwise they get the 426 that sends a client to HTTP.
        turns: how many requests belonged to the conversation itself: they offered a reading tool or held its result.
        asides: what else was asked: titles, lists of models, upgrades that were refused.
        found: what the client's tool read, as it came back.
        accepts: whether the credential of a request is taken; those that are not are `turned_away` with 401.
    """

    provider: ThreadedProvider
    needle: Path
    websocket: bool = False
    turns: int = 0
    asides: list[str] = field(default_factory=list)
    found: str = ""
    accepts: Callable[[Received], bool] | None = None
    turned_away: list[Received] = field(default_factory=list)

    def __call__(self, request: Received) -> Reply | Socket:
        """Answers a request."""
        if self.accepts is not None and not self.accepts(request):
            self.turned_away.append(request)
            return native_error(dialect_for(request.target, _lowered(request)), 401, "The token has expired.")
        if request.upgrade:
            return self.upgrade(request)
        call = recognise(request.method, request.target, _lowered(request))
        if call is None or call.operation != "generate":
            self.asides.append(f"{request.method} {request.path}")
            return self.provider.answer(request)
        body = request.json()
        asked = read(call.dialect, body, model=call.model, stream=call.stream)
        return self.generate(request, asked, _offered(asked, body))

    def generate(self, request: Received, asked: Asked, offered: dict[str, str]) -> Reply:
        """The answer to a request for the model."""
        script = self.say(asked, offered)
        reply = self.provider.write(request, script)
        if "custom" not in offered.values():
            return reply
        return replace(reply, body=[Send(openai_responses.frame(event)) for event in _events(script, offered)])

    def upgrade(self, request: Received) -> Reply | Socket:
        """The answer to a WebSocket handshake."""
        if self.websocket:
            return Socket(self._converse)
        self.asides.append(f"upgrade of {request.path}")
        return native_error("openai_responses", 426, "This endpoint does not take WebSockets.")

    def say(self, asked: Asked, offered: dict[str, str]) -> Script:
        """What the model says. `offered` are the reading tools there are, and their kinds."""
        if asked.has_results:
            self.turns += 1
            read = NEEDLE.search("\n".join(asked.results))
            self.found = read[0] if read else ""
            return Script(asked.model, [Text(f"It says {self.found or 'nothing'}.")], USAGE)
        if not offered:
            self.asides.append("a request without a reading tool")
            return Script(asked.model, [Text("Reading a file")], USAGE)
        self.turns += 1
        name = next(iter(offered))
        args = READERS[_own(name)](self.needle)
        if offered[name] == "function" and not args.startswith("{"):
            args = json.dumps({"input": args})  # a tool that takes plain text, as a dialect without such tools has it
        call = ToolCall(name, args)
        return Script(asked.model, [Text("Let me look."), call], USAGE, stop="tool_use")

    async def _converse(self, session: SocketSession) -> None:
        """Responses over a WebSocket: every `response.create` gets the events that SSE would bring."""
        offered: dict[str, str] = {}
        while (message := await session.receive()) is not None:
            body = json.loads(message)
            asked = read("openai_responses", body)
            offered |= _offered(asked, body)  # the tools are told once in a connection
            for event in self.events(asked, offered, prewarm=body.get("generate") is False):
                await session.send(json.dumps(event))

    def events(self, asked: Asked, offered: dict[str, str], *, prewarm: bool) -> list[Json]:
        """The answer to a request for the model over a WebSocket. `prewarm`: nothing is to be said yet."""
        return _events(Script(asked.model) if prewarm else self.say(asked, offered), offered)


@dataclass
class Broken(Play):
    """A provider that answers every request for the model with an error."""

    status: int = 500
    message: str = "the-provider-broke"

    def generate(self, request: Received, asked: Asked, offered: dict[str, str]) -> Reply:
        self.turns += 1
        dialect = dialect_for(request.target, _lowered(request))
        return native_error(dialect, self.status, self.message, kind=self._kind(dialect), retry_after=1)

    def events(self, asked: Asked, offered: dict[str, str], *, prewarm: bool) -> list[Json]:
        self.turns += 1
        said = {"type": "error", "code": self._kind("openai"), "message": self.message}
        return [{"type": "error", "status": self.status, "error": said, "headers": {}}]

    def _kind(self, dialect: str) -> str:
        # A limit that passes is waited out by some clients for minutes; this one does not pass.
        return "insufficient_quota" if self.status == 429 and dialect.startswith("openai") else ""


@dataclass
class Full(Play):
    """A provider of which every model but `roomy` is full. `refused` counts how often that was said."""

    roomy: str = ""
    refused: int = 0

    def generate(self, request: Received, asked: Asked, offered: dict[str, str]) -> Reply:
        if asked.model == self.roomy:
            return super().generate(request, asked, offered)
        self.refused += 1
        return native_error(dialect_for(request.target, _lowered(request)), 429, "No capacity.", retry_after=0.1)


class Reached:
    """A place in an answer: tells a waiting thread that the provider has come to it, and holds nothing up."""

    def __init__(self) -> None:
        self.event = threading.Event()

    async def wait(self) -> None:
        """What a `Pause` does."""
        self.event.set()


@dataclass
class Halved(Play):
    """A provider whose every answer stops half-way: the connection ends (`cut`), or nothing more comes until the client
    leaves. `reached` is set when the first half of an answer is out; `halved` are the requests that got one."""

    cut: bool = True
    reached: Reached = field(default_factory=Reached)
    halved: list[Received] = field(default_factory=list)

    def generate(self, request: Received, asked: Asked, offered: dict[str, str]) -> Reply:
        self.turns += 1
        self.halved.append(request)
        reply = self.provider.write(request, Script(asked.model, [Text(HALF)], USAGE))
        whole = reply.pieces
        half = whole[: len(whole) // 2] if len(whole) > 1 else [whole[0][: len(whole[0]) // 2]]
        return replace(reply, body=[*map(Send, half), Pause(self.reached), self._end()])

    def upgrade(self, request: Received) -> Reply | Socket:
        if not self.websocket:
            return super().upgrade(request)
        self.turns += 1
        self.halved.append(request)
        answer = openai_responses.payloads(Script("any-model", [Text(HALF)], USAGE))
        half = answer[: len(answer) // 2]
        # The first request of the first connection is a prewarm.
        first = [openai_responses.payloads(Script("any-model"))] if self.turns == 1 else []
        steps: list[Expect | SendMessage] = []
        for events in [*first, half]:
            steps += [Expect(), *_messages(events)]
        return Socket([*steps, Pause(self.reached), self._end()])

    def _end(self) -> Cut | Hang:
        return Cut() if self.cut else Hang()


def _lowered(request: Received) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in request.headers.pairs}


def _offered(asked: Asked, body: Json) -> dict[str, str]:
    """The reading tools that a request offers, by name, and their kind: `function`, or `custom` for one that takes
    plain text. Codex puts those of its newer models into the input."""
    found = {tool.name: "function" for tool in asked.tools}
    items = body.get("input")
    for item in items if isinstance(items, list) else ():
        for tool in _inner(item.get("tools")):
            found[tool["name"]] = tool["type"]
    return {name: kind for name, kind in found.items() if _own(name) in READERS}


def _own(name: str) -> str:
    """The name of a tool without its group, which stands before it in dialects that have no groups."""
    return name.rpartition("__")[2]


def _inner(tools: object) -> Iterator[Json]:
    for tool in tools if isinstance(tools, list) else ():
        if tool.get("type") == "namespace":
            yield from _inner(tool.get("tools"))
        elif tool.get("name"):
            yield tool


def _events(script: Script, offered: dict[str, str]) -> list[Json]:
    """The events of a Responses stream. A call of a custom tool is written as a call of a function and turned."""
    events = openai_responses.payloads(script)
    return [_turned(event) for event in events] if "custom" in offered.values() else events


def _turned(value: Any) -> Any:
    match value:
        case {"type": "function_call", "arguments": arguments, **rest}:
            return {**rest, "type": "custom_tool_call", "input": arguments}
        case {"type": "response.function_call_arguments.done", "arguments": arguments, **rest}:
            return {**rest, "type": "response.custom_tool_call_input.done", "input": arguments}
        case {"type": "response.function_call_arguments.delta", **rest}:
            return {**rest, "type": "response.custom_tool_call_input.delta"}
        case dict():
            return {name: _turned(inner) for name, inner in value.items()}
        case list():
            return [_turned(inner) for inner in value]
    return value


def _messages(events: list[Json]) -> list[SendMessage]:
    return [SendMessage(json.dumps(event)) for event in events]

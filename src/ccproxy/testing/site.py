"""The inside of FakeProvider: what has been recorded, who waits for what, and which answer a request gets."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from ccproxy.providers.answers.asked import Asked, read
from ccproxy.providers.answers.compose import choose_tool, compose, wants_tool
from ccproxy.providers.answers.paths import dialect_for, recognise
from ccproxy.providers.answers.respond import Answer, error, render, respond
from ccproxy.providers.answers.script import Script
from ccproxy.testing.recorded import Received
from ccproxy.testing.reply import Reply
from ccproxy.testing.websocket import Socket
from ccproxy.testing.wire import Head
from ccproxy.util.clock import Clock

#: An answer that is known beforehand. A Script is written down in the dialect of the request, as it asks.
Fixed = Reply | Script | Socket
Handler = Callable[[Received], Fixed | Awaitable[Fixed]]
#: What may answer a request.
Responder = Fixed | Handler

#: Seconds after which the waiting methods give up.
PATIENCE = 10.0


@dataclass(slots=True)
class Rule:
    """An answer for requests whose path matches; `left` is how often it may still be used."""

    pattern: re.Pattern[str]
    method: str
    responder: Responder
    left: int | None


class Site:
    """Records requests and decides on answers. Serves the connections of one FakeProvider."""

    def __init__(self, text: str, models: Sequence[str], clock: Clock) -> None:
        self.requests: list[Received] = []
        self.errors: list[Exception] = []
        self.queue: deque[Responder] = deque()
        self.rules: list[Rule] = []
        self.text = text
        self.models = tuple(models)
        self._clock = clock
        self._waiters: set[asyncio.Future[None]] = set()

    # -- waiting --

    async def wait_until(self, condition: Callable[[], bool], what: str, patience: float) -> None:
        """Waits until `condition()` holds; asked again after every change. Raises TimeoutError that says `what`."""
        try:
            async with asyncio.timeout(patience):
                while not condition():
                    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._waiters.add(waiter)
                    try:
                        await waiter
                    finally:
                        self._waiters.discard(waiter)
        except TimeoutError:
            seen = ", ".join(f"{each.method} {each.path}" for each in self.requests) or "none"
            raise TimeoutError(f"waited {patience:g} s for {what}; requests so far: {seen}") from None

    def changed(self) -> None:
        """Something that somebody may wait for has happened."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    # -- recording --

    def record(self, head: Head, connection: int) -> Received:
        """Adds a request whose head has come."""
        request = Received(
            index=len(self.requests),
            connection=connection,
            method=head.method,
            target=head.target,
            http_version=head.http_version,
            headers=head.headers,
            head=head.raw,
            upgrade=head.upgrade,
        )
        self.requests.append(request)
        return request

    def failed(self, error: Exception) -> None:
        """Keeps what a handler function raised."""
        self.errors.append(error)
        self.changed()

    def now(self) -> float:
        """Seconds of the monotonic clock."""
        return self._clock.mono()

    # -- answering --

    def choose(self, request: Received) -> Responder | None:
        """The scripted answer to a request: the next in the queue, else the latest rule that matches."""
        if self.queue:
            return self.queue.popleft()
        for rule in self.rules:
            if rule.left != 0 and rule.method in {"", request.method} and rule.pattern.search(request.path):
                if rule.left is not None:
                    rule.left -= 1
                return rule.responder
        return None

    async def answer(self, request: Received, chosen: Responder | None) -> Reply | Socket:
        """The answer to a complete request. A handler that raises gives a 500 that says so."""
        try:
            found = chosen
            if callable(found):
                made = found(request)
                found = await made if inspect.isawaitable(made) else made
            if isinstance(found, Script):
                found = self.write(request, found)
            if isinstance(found, Socket) and not request.upgrade:
                raise TypeError(f"a Socket cannot answer {request.method} {request.path}, which is no upgrade")
            return self.default(request) if found is None else found
        except Exception as problem:  # noqa: BLE001 - a test's handler: kept, and raised when the provider is left
            self.failed(problem)
            return Reply(500, body=f"the test's own handler failed: {problem!r}")

    def default(self, request: Received) -> Reply:
        """What a provider would answer."""
        headers = lowered(request)
        if request.upgrade:
            return reply_of(
                error(dialect_for(request.target, headers), 426, message="This endpoint does not take WebSockets.")
            )
        try:
            body = request.decoded()
        except ValueError as problem:
            return reply_of(
                error(dialect_for(request.target, headers), 400, message=f"The request body cannot be read: {problem}")
            )
        answer = respond(
            request.method,
            request.target,
            headers,
            body,
            script=lambda asked: self._script(request, asked),
            models=self.models,
        )
        return reply_of(answer)

    def write(self, request: Received, script: Script) -> Reply:
        """`script` in the dialect of `request`. Raises ValueError if the request does not ask for a generation."""
        call = recognise(request.method, request.target, lowered(request))
        if call is None or call.operation != "generate":
            raise ValueError(f"a Script cannot answer {request.method} {request.path}")
        asked = read(call.dialect, request.json(), model=call.model, stream=call.stream)
        return reply_of(render(call, asked, script))

    def _script(self, request: Received, asked: Asked) -> Script:
        tool = choose_tool(asked) if wants_tool(asked, once=True) else None
        return compose(asked, self.text, size=len(request.content), tool=tool, answer_id=f"{request.index:024x}")


def reply_of(answer: Answer) -> Reply:
    """A native answer as a reply: a stream's frames as a chunk each."""
    return Reply(answer.status, answer.headers, list(answer.frames) if answer.streamed else answer.body)


def lowered(request: Received) -> Mapping[str, str]:
    """The header fields by lower-case name, the first of each."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in reversed(request.headers.pairs)}

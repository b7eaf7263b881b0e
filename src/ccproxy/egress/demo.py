"""The demo provider: a `Transport` without a network, for provider type `demo`.

It answers in the dialect and at the paths it is asked in, needs no account, and says that it is no model. A streamed
answer comes word by word. A tool is used if one is offered, its result answered with text; `max_tokens` and stop
sequences are honoured, usage is estimated from the size of the request. Any model name is accepted.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from http import HTTPStatus

from ccproxy.egress.transport import UpstreamRequest, UpstreamResponse, UpstreamSocket
from ccproxy.exchange.http import Headers
from ccproxy.providers.answers.asked import Asked
from ccproxy.providers.answers.bodies import decode
from ccproxy.providers.answers.compose import choose_tool, compose, wants_tool
from ccproxy.providers.answers.paths import dialect_for
from ccproxy.providers.answers.respond import Answer, error, respond
from ccproxy.providers.answers.script import Script
from ccproxy.util.clock import Clock, SystemClock

MODELS = ("demo-1",)

#: Most bytes of a request body after its content-encoding has been removed.
MAX_BODY = 64 * 1024 * 1024

#: Longest part of the request that an answer repeats, in characters.
_QUOTE = 200

_TAGGED = re.compile(r"<([a-z][a-z_-]*)>.*?</\1>", re.DOTALL)

Sleep = Callable[[float], Awaitable[object]]


class DemoTransport:
    """Answers every request itself. Implements `egress.transport.Transport`.

    Args:
        models: what the model lists show.
        pause: seconds between two pieces of a stream.
        sleep: how to wait; tests pass their own.
        clock: where `created` times come from.
    """

    def __init__(
        self,
        *,
        models: Sequence[str] = MODELS,
        pause: float = 0.02,
        sleep: Sleep = asyncio.sleep,
        clock: Clock | None = None,
    ) -> None:
        self._models = tuple(models)
        self._pause = pause
        self._sleep = sleep
        self._clock = clock or SystemClock()

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Answers once the request's body has been read."""
        fields = _lowered(request.headers)
        try:
            body = decode(fields.get("content-encoding", ""), await _read(request.body), limit=MAX_BODY)
        except ValueError as problem:
            answer = error(
                dialect_for(request.target, fields), 400, message=f"The request body cannot be read: {problem}"
            )
        else:
            answer = respond(
                request.method,
                request.target,
                fields,
                body,
                script=lambda asked: self._script(asked, len(body)),
                models=self._models,
            )
        return _DemoResponse(answer, self._pause, self._sleep, has_body=request.method != "HEAD")

    async def open_socket(
        self, request: UpstreamRequest, subprotocols: list[str], *, max_message: int
    ) -> UpstreamSocket | UpstreamResponse:
        """Refuses with 426, which sends clients to the same path over HTTP."""
        message = "The demo provider does not take WebSockets: use HTTP."
        answer = error(dialect_for(request.target, _lowered(request.headers)), 426, message=message)
        return _DemoResponse(answer, self._pause, self._sleep, has_body=True)

    async def close(self) -> None:
        """Nothing is held."""

    def _script(self, asked: Asked, size: int) -> Script:
        tool = choose_tool(asked) if wants_tool(asked, once=False) else None
        return compose(asked, _speech(asked), size=size, tool=tool, created=int(self._clock.wall()))


class _DemoResponse:
    """An answer that is known whole and given out in pieces."""

    http_version = "1.1"

    def __init__(self, answer: Answer, pause: float, sleep: Sleep, *, has_body: bool) -> None:
        self.status = answer.status
        self.reason = HTTPStatus(answer.status).phrase
        self.headers = Headers(answer.headers)
        if not answer.streamed:
            self.headers.add(b"content-length", str(len(answer.body)).encode())
        self._frames = answer.frames if has_body else ()
        self._pause = pause
        self._sleep = sleep
        self._closed = False

    async def chunks(self) -> AsyncIterator[bytes]:
        """The pieces, with a pause between two of them."""
        for index, frame in enumerate(self._frames):
            if index:
                await self._sleep(self._pause)
            if self._closed:
                return
            yield frame

    async def close(self) -> None:
        """Ends the answer."""
        self._closed = True


def _speech(asked: Asked) -> str:
    # Agents put reminders in tags around what their user said.
    spoken = _TAGGED.sub("", asked.text).strip() or asked.text.strip()
    if asked.results:
        said = f"The tool said: {_quoted(' '.join(asked.results))}"
    elif spoken:
        said = f"You said: {_quoted(spoken)}"
    else:
        said = "You said nothing"
    return f"{said}. I am ccproxy's demo provider, no model was asked."


def _quoted(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _QUOTE else f"{flat[:_QUOTE]}…"


async def _read(body: bytes | AsyncIterator[bytes] | None) -> bytes:
    if body is None or isinstance(body, bytes):
        return body or b""
    return b"".join([piece async for piece in body])


def _lowered(headers: Headers) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in reversed(headers.pairs)}

"""The events of a streamed answer, each with when it came, read off a recorded body."""

from __future__ import annotations

import msgspec

from ccproxy.errors import CCProxyError
from ccproxy.flows import arrivals, coding
from ccproxy.flows.model import Flow
from ccproxy.lightllm.json_array import JsonArraySplitter
from ccproxy.lightllm.sse import SSEFramer


class Frame(msgspec.Struct, frozen=True, omit_defaults=True):
    """One event, or a comment. `at` is seconds since the flow's start, when its last byte was there; None if that is
    not known."""

    data: bytes
    name: str | None = None
    comment: bool = False
    at: float | None = None


def frames(content_type: str, body: bytes, times: arrivals.Arrivals | None = None) -> list[Frame] | None:
    """The events of a body without content coding; None if it is no stream. What is broken ends the list.

    Args:
        content_type: the answer's header field.
        times: when its pieces came.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    start = body[:64].lstrip(b" \t\r\n\xef\xbb\xbf")
    if media_type == "text/event-stream" or start.startswith((b"data:", b"event:", b":")):
        return _cut(body, times, SSEFramer())
    if media_type == "application/json" and start.startswith(b"["):
        return _cut(body, times, JsonArraySplitter())
    return None


def frames_of(flow: Flow) -> list[Frame] | None:
    """The events of a flow's answer as the provider sent it."""
    response = flow.response
    if response is None:
        return None
    encoding = response.header("content-encoding")
    decoded = coding.decode(response.body, encoding)
    if decoded is None:
        return None
    times = arrivals.decoded(flow.arrivals, response.body, encoding)
    return frames(response.header("content-type"), decoded.data, times)


def _cut(body: bytes, times: arrivals.Arrivals | None, machine: SSEFramer | JsonArraySplitter) -> list[Frame]:
    """Feeds the body in the pieces it came in, so that each event has the time of the piece that completed it."""
    pieces = [(offset, moment) for offset, moment in times or () if offset < len(body)]
    if not pieces or pieces[0][0] > 0:
        pieces.insert(0, (0, None))  # type: ignore[arg-type]
    found: list[Frame] = []
    try:
        for (begin, moment), (end, _) in zip(pieces, [*pieces[1:], (len(body), 0.0)], strict=True):
            found += _frames(machine, body[begin:end], moment)
        if isinstance(machine, SSEFramer):
            found += [Frame(event.data, event.name, event.comment, pieces[-1][1]) for event in machine.eof()]
    except CCProxyError:
        pass
    return found


def _frames(machine: SSEFramer | JsonArraySplitter, piece: bytes, moment: float | None) -> list[Frame]:
    if isinstance(machine, SSEFramer):
        return [Frame(event.data, event.name, event.comment, moment) for event in machine.feed(piece)]
    return [Frame(element, at=moment) for element in machine.feed(piece)]

"""Server-sent events: bytes in, events out, and the writer for the way back.

Strategy: line ends are made LF as they arrive, events are cut at blank lines, and an event whose lines are all there
(nearly every one) is read without copying twice. The rules are those of the WHATWG standard (9.2.6) with one addition:
what is left when the stream ends is still an event, because providers forget the last blank line.

Contract: any cutting of the bytes into chunks gives the same events. Data stays bytes: whether it is UTF-8 is found
out by whoever parses it. The framer raises nothing but UpstreamError, and only when an event is larger than the limit.
"""

from __future__ import annotations

import msgspec

from ccproxy.errors import UpstreamError

_BOM = b"\xef\xbb\xbf"

#: A comment line and the blank line that ends it: what keeps a connection open without saying anything.
SSE_COMMENT = b": keep-alive\n\n"


class SseEvent(msgspec.Struct, frozen=True, gc=False):
    """One event, or a comment.

    Attributes:
        data: the data lines joined by LF; for a comment its text.
        name: the `event:` field, or None.
        id: the `id:` field, or None.
        comment: this was a comment line, which some providers send to keep the connection open.
    """

    data: bytes
    name: str | None = None
    id: str | None = None
    comment: bool = False


class SSEFramer:
    """Cuts a byte stream into events.

    Args:
        max_event: the most bytes an event may have before its blank line.
    """

    __slots__ = ("_buffer", "_last_was_cr", "_max", "_started")

    def __init__(self, *, max_event: int = 64 * 1024 * 1024) -> None:
        self._buffer = bytearray()
        self._last_was_cr = False
        self._started = False
        self._max = max_event

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """The events that `chunk` completes. Raises UpstreamError when one is over the limit."""
        if self._last_was_cr or b"\r" in chunk:
            chunk = self._to_lf(chunk)
        buffer = self._buffer
        searched = len(buffer) - 1 if buffer else 0
        buffer += chunk
        if not self._started and not self._skip_bom():
            return []
        end = buffer.rfind(b"\n\n", searched)
        if end < 0:
            if len(buffer) > self._max:
                buffer.clear()
                raise UpstreamError(f"the provider sent an event of more than {self._max} bytes")
            return []
        complete = bytes(buffer[:end])
        del buffer[: end + 2]
        events: list[SseEvent] = []
        for block in complete.split(b"\n\n"):
            _read(block, events)
        return events

    def eof(self) -> list[SseEvent]:
        """The event that was left without its blank line, if any. The framer is empty afterwards."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        events: list[SseEvent] = []
        _read(rest, events)
        return events

    def _to_lf(self, chunk: bytes) -> bytes:
        if self._last_was_cr and chunk:
            self._last_was_cr = False
            if chunk.startswith(b"\n"):  # the second half of a CRLF
                chunk = chunk[1:]
        if chunk.endswith(b"\r"):
            self._last_was_cr = True
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _skip_bom(self) -> bool:
        """Removes a byte order mark; False while it cannot be told whether there is one."""
        head = bytes(self._buffer[:3])
        if len(head) < 3 and _BOM.startswith(head):
            return False
        if head == _BOM:
            del self._buffer[:3]
        self._started = True
        return True


def _read(block: bytes, events: list[SseEvent]) -> None:
    """Appends what the lines of `block` say. Comments come before the event they stand in."""
    if block.startswith(b"data: ") and b"\n" not in block:
        events.append(SseEvent(block[6:]))
        return
    data: list[bytes] = []
    name: str | None = None
    event_id: str | None = None
    for line in block.split(b"\n"):
        field, colon, value = line.partition(b":")
        if value.startswith(b" "):
            value = value[1:]
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode("utf-8", "replace") or None
        elif field == b"id":
            event_id = value.decode("utf-8", "replace")
        elif colon and not field:
            events.append(SseEvent(value, comment=True))
    if data:
        events.append(SseEvent(data[0] if len(data) == 1 else b"\n".join(data), name, event_id))


def sse_event(name: str | None, data: bytes) -> bytes:
    """One event on the wire. `name` None leaves the `event:` line out; line breaks in `data` become further lines."""
    if b"\n" in data or b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\ndata: ")
    if name is None:
        return b"data: %b\n\n" % data
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data)

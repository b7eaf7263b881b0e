"""Gemini's other stream: one JSON array whose elements arrive one by one. Bytes in, elements out.

Strategy: outside of elements only `[`, `]`, `,` and white space are legal. A chunk that brings exactly one whole
element, which is what providers send, is recognised by the JSON parser in one step; otherwise depth is counted from
bracket to bracket with one pattern that skips texts. An answer that is no array (an error object in its place) is given
out as one element. Whether an element is JSON is found out by whoever reads it.

Contract: any cutting into chunks gives the same elements. Raises nothing but UpstreamError.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from ccproxy.errors import UpstreamError

_SPACE = b" \t\n\r"
#: Everything up to the next bracket, or to a text that has not ended yet.
_PLAIN = re.compile(rb'(?:[^\[\]{}"]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
#: An element that is a text, and one that is a number or a word: up to what can only follow it.
_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_WORD = re.compile(rb"[^,\]\s]*+")
_is_json = msgspec.json.Decoder(msgspec.Raw).decode


class JsonArraySplitter:
    """Cuts a streamed JSON array into its elements.

    Args:
        max_element: the most bytes an element may have.
    """

    __slots__ = ("_buffer", "_depth", "_in_array", "_max", "_position", "_start", "closed")

    def __init__(self, *, max_element: int = 64 * 1024 * 1024) -> None:
        self._buffer = bytearray()
        self._position = 0
        self._start = -1
        self._depth = 0
        self._in_array = False
        self._max = max_element
        #: The array's closing bracket has been seen.
        self.closed = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """The elements that `chunk` completes. Raises UpstreamError when one is over the limit or where no element
        can be."""
        self._buffer += chunk
        elements: list[bytes] = []
        while self._begin() and self._finish_at_once(elements):
            pass
        while self._start >= 0 and self._finish(elements) and self._begin():
            pass
        keep = self._start if self._start >= 0 else self._position
        del self._buffer[:keep]
        self._position -= keep
        if self._start >= 0:
            self._start = 0
            if len(self._buffer) > self._max:
                self._buffer.clear()
                raise UpstreamError(f"the provider sent an array element of more than {self._max} bytes")
        return elements

    def eof(self) -> list[bytes]:
        """What was left unfinished, as one element that its reader will find broken."""
        rest = bytes(self._buffer[self._start :]).strip(_SPACE) if self._start >= 0 else b""
        self._buffer.clear()
        self._position, self._start = 0, -1
        return [rest] if rest else []

    def _begin(self) -> bool:
        """Passes what stands between elements; whether one has begun. True at once when inside of one."""
        buffer = self._buffer
        while self._start < 0 and self._position < len(buffer):
            byte = buffer[self._position]
            if byte in _SPACE or (byte in b"\xef\xbb\xbf" and not self._in_array):
                pass
            elif self.closed:
                raise UpstreamError("the provider sent more after the end of its JSON array")
            elif byte == 0x5B and not self._in_array:  # [
                self._in_array = True
            elif byte == 0x5D and self._in_array:  # ]
                self.closed = True
            elif byte != 0x2C or not self._in_array:  # ,
                self._start = self._position
                self._depth = 0
                return True
            self._position += 1
        return self._start >= 0

    def _finish_at_once(self, elements: list[bytes]) -> bool:
        """Takes the rest of the buffer as the element if it is exactly one JSON object."""
        if self._position != self._start:
            return False
        text = bytes(self._buffer[self._start :]).rstrip(_SPACE)
        if not text.endswith(b"}") or not text.startswith(b"{"):
            return False
        try:
            _is_json(text)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return False
        self._position = self._start + len(text)
        self._end(elements)
        return True

    def _finish(self, elements: list[bytes]) -> bool:
        """Goes on to the end of the element; False when it is not there yet."""
        buffer = self._buffer
        first = buffer[self._start]
        if first not in b"{[":
            end = _end_of(_TEXT if first == 0x22 else _WORD, buffer, self._start)
            if end == (self._start if first == 0x22 else len(buffer)):
                return False
            self._position = max(end, self._start + 1)
            self._end(elements)
            return True
        position = self._position
        while True:
            position = _end_of(_PLAIN, buffer, position)
            if position == len(buffer) or buffer[position] == 0x22:  # a text that has not ended
                self._position = position
                return False
            self._depth += 1 if buffer[position] in b"{[" else -1
            position += 1
            if self._depth == 0:
                self._position = position
                self._end(elements)
                return True

    def _end(self, elements: list[bytes]) -> None:
        elements.append(bytes(self._buffer[self._start : self._position]))
        self._start = -1
        if not self._in_array:
            self.closed = True


def _end_of(pattern: re.Pattern[bytes], buffer: bytearray, position: int) -> int:
    match = pattern.match(buffer, position)
    return match.end() if match else position


class JsonArrayWriter:
    """Writes elements as a JSON array, piece by piece: `write` each, then `close`."""

    __slots__ = ("_opened",)

    def __init__(self) -> None:
        self._opened = False

    def write(self, element: bytes) -> bytes:
        """The bytes that add `element`."""
        head = b",\r\n" if self._opened else b"["
        self._opened = True
        return head + element

    def close(self) -> bytes:
        """The bytes that end the array; an array nothing was written to is empty."""
        return b"]" if self._opened else b"[]"


def join_array(elements: Iterable[bytes]) -> bytes:
    """The whole array at once."""
    return b"[" + b",".join(elements) + b"]"

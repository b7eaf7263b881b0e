"""Odd but legal ways to send the same SSE stream. Each function takes frames (or any pieces) and returns pieces; they
compose: `one_byte(crlf(frames))`. A reader that is right gives the same events for all of them."""

from __future__ import annotations

from collections.abc import Sequence

BOM = b"\xef\xbb\xbf"


def crlf(frames: Sequence[bytes]) -> list[bytes]:
    """Line ends as CRLF."""
    return [_lines(frame).replace(b"\n", b"\r\n") for frame in frames]


def cr(frames: Sequence[bytes]) -> list[bytes]:
    """Line ends as a bare CR."""
    return [_lines(frame).replace(b"\n", b"\r") for frame in frames]


def with_bom(frames: Sequence[bytes]) -> list[bytes]:
    """A byte order mark before the first frame."""
    return [BOM + frames[0], *frames[1:]] if frames else [BOM]


def with_comments(frames: Sequence[bytes], comment: str = "keep-alive") -> list[bytes]:
    """A comment before each frame, as a piece of its own."""
    line = f": {comment}\n\n".encode()
    return [piece for frame in frames for piece in (line, frame)]


def no_last_blank(frames: Sequence[bytes]) -> list[bytes]:
    """The stream ends without the empty line that ends the last event."""
    whole = list(frames)
    while whole and not whole[-1].strip(b"\r\n"):
        whole.pop()
    return [*whole[:-1], whole[-1].rstrip(b"\r\n")] if whole else []


def split_data(frames: Sequence[bytes], size: int) -> list[bytes]:
    """Pieces of `size` bytes, wherever they fall."""
    whole = b"".join(frames)
    return [whole[start : start + size] for start in range(0, len(whole), size)]


def one_byte(frames: Sequence[bytes]) -> list[bytes]:
    """One byte per piece."""
    return split_data(frames, 1)


def split_utf8(frames: Sequence[bytes]) -> list[bytes]:
    """Cut inside each character that is more than one byte long."""
    pieces: list[bytes] = []
    begin = 0
    whole = b"".join(frames)
    for index, byte in enumerate(whole):
        if byte >= 0xC0:  # the first byte of such a character
            pieces.append(whole[begin : index + 1])
            begin = index + 1
    pieces.append(whole[begin:])
    return [piece for piece in pieces if piece]


def _lines(frame: bytes) -> bytes:
    return frame.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

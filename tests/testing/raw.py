"""A client that hides nothing: bytes out, bytes in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from ccproxy.testing import FakeProvider


@dataclass(slots=True)
class Answer:
    """A response taken apart. `chunks` are the chunks of a chunked body; `complete` tells whether it ended in order."""

    status: int
    headers: dict[str, str]
    body: bytes
    chunks: list[bytes]
    complete: bool


class Wire:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def rest(self) -> bytes:
        """Everything until the end of the connection."""
        return await self.reader.read()

    async def head(self) -> tuple[int, dict[str, str]]:
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = [line.split(": ", 1) for line in lines[1:] if line]
        return int(lines[0].split(" ")[1]), {name.lower(): value for name, value in fields}

    async def chunk(self) -> bytes:
        """The next chunk; b"" is the last one."""
        size = int((await self.reader.readuntil(b"\r\n")).strip(), 16)
        data = await self.reader.readexactly(size)
        assert await self.reader.readexactly(2) == b"\r\n"
        return data

    async def answer(self) -> Answer:
        """The next response, by its own framing; not for HEAD."""
        status, headers = await self.head()
        chunks: list[bytes] = []
        try:
            if headers.get("transfer-encoding") == "chunked":
                while data := await self.chunk():
                    chunks.append(data)
                return Answer(status, headers, b"".join(chunks), chunks, True)
            if "content-length" in headers:
                body = await self.reader.readexactly(int(headers["content-length"]))
                return Answer(status, headers, body, [], True)
            return Answer(status, headers, await self.rest(), [], True)
        except asyncio.IncompleteReadError as cut:
            return Answer(status, headers, b"".join(chunks) or cut.partial, chunks, False)

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


@asynccontextmanager
async def connected(provider: FakeProvider, **options: object) -> AsyncIterator[Wire]:
    """A connection to the provider; `options` go to asyncio.open_connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", provider.port, **options)  # type: ignore[arg-type]
    wire = Wire(reader, writer)
    try:
        yield wire
    finally:
        await wire.close()


def get(path: str = "/", *fields: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: fake", *fields, "", ""]).encode()


def post(path: str, body: bytes, *fields: str) -> bytes:
    head = [f"POST {path} HTTP/1.1", "Host: fake", f"Content-Length: {len(body)}", *fields, "", ""]
    return "\r\n".join(head).encode() + body


async def ask(provider: FakeProvider, request: bytes) -> Answer:
    """One request on a connection of its own."""
    async with connected(provider) as wire:
        wire.send(request)
        return await wire.answer()

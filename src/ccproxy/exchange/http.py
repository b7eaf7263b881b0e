"""HTTP heads as immutable-by-habit values: names and values as bytes, in the order and case received.

A proxy must not tidy: two headers of one name stay two, `X-Foo` stays `X-Foo`. Lookups ignore case.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ccproxy.lightllm.body import JsonBody
from ccproxy.util.address import origin

Pair = tuple[bytes, bytes]

#: RFC 9110 7.6.1 and the fields that only concern one connection.
HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)


class Headers:
    """An ordered multi-map of header fields.

    `pairs` may be read and changed freely; lookups build an index of it, which is made again when it has changed.
    """

    __slots__ = ("_index", "_indexed", "pairs")

    def __init__(self, pairs: Iterable[Pair] = ()) -> None:
        self.pairs: list[Pair] = list(pairs)
        self._index: dict[bytes, list[bytes]] = {}
        self._indexed: list[Pair] = []

    def __iter__(self) -> Iterator[Pair]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self.pairs == other.pairs

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        # Names only: values may be credentials.
        return f"Headers({[name.decode('latin-1') for name, _ in self.pairs]})"

    def __contains__(self, name: bytes) -> bool:
        return name.lower() in self._values()

    def get(self, name: bytes) -> bytes | None:
        """The first value of `name`, or None."""
        values = self._values().get(name.lower())
        return values[0] if values else None

    def text(self, name: bytes) -> str:
        """The first value of `name` as latin-1 text, or ""."""
        values = self._values().get(name.lower())
        return values[0].decode("latin-1") if values else ""

    def all(self, name: bytes) -> list[bytes]:
        """Every value of `name`, in order."""
        return list(self._values().get(name.lower(), ()))

    def tokens(self, name: bytes) -> set[bytes]:
        """The comma-separated members of every `name` field, lower case."""
        return {token.strip().lower() for value in self.all(name) for token in value.split(b",") if token.strip()}

    def without(self, names: Iterable[bytes]) -> Headers:
        """A copy without the given (lower-case) names."""
        drop = frozenset(names)
        return Headers(pair for pair in self.pairs if pair[0].lower() not in drop)

    def set(self, name: bytes, value: bytes) -> None:
        """Replaces the first field called `name` where it stands, drops its repeats, or appends."""
        wanted = name.lower()
        kept: list[Pair] = []
        done = False
        for pair in self.pairs:
            if pair[0].lower() != wanted:
                kept.append(pair)
            elif not done:
                kept.append((pair[0], value))
                done = True
        if not done:
            kept.append((name, value))
        self.pairs = kept

    def add(self, name: bytes, value: bytes) -> None:
        """Appends a field."""
        self.pairs.append((name, value))

    def copy(self) -> Headers:
        """An independent copy."""
        return Headers(self.pairs)

    def _values(self) -> dict[bytes, list[bytes]]:
        """The values by lower-case name."""
        if self._indexed != self.pairs:
            self._index = {}
            for name, value in self.pairs:
                self._index.setdefault(name.lower(), []).append(value)
            self._indexed = list(self.pairs)
        return self._index

    def end_to_end(self) -> Headers:
        """A copy without the hop-by-hop fields, including those that `Connection` names."""
        return self.without(HOP_BY_HOP | self.tokens(b"connection"))


@dataclass(slots=True)
class Snapshot:
    """A request as it was at one moment: what the client sent, or what went to the provider.

    `target` is the origin-form request target (path and query) exactly as on the wire. `body` is None while the body
    is streamed through and only its recorded part is known. `document` is the body as far as it has been parsed, kept by
    `gateway.forward.document`; copy it before you edit.
    """

    method: str
    scheme: str
    host: str
    port: int
    target: bytes
    http_version: str
    headers: Headers = field(default_factory=Headers)
    body: bytes | None = b""
    document: JsonBody | None = field(default=None, repr=False, compare=False)

    @property
    def path(self) -> str:
        """The target without its query, as text."""
        return self.target.partition(b"?")[0].decode("latin-1")

    @property
    def query(self) -> bytes:
        """The query without its question mark."""
        return self.target.partition(b"?")[2]

    @property
    def url(self) -> str:
        """The whole URL as text. May hold a `key=` credential: redact before you store or log it."""
        return origin(self.scheme, self.host, self.port) + self.target.decode("latin-1")

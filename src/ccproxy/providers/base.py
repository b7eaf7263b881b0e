"""What a provider type declares, and a configured provider.

A type (`anthropic`, `openai`, `gemini`, ...) is one registered value that says which dialect it speaks, where its
operations live and how it likes its credential. Adding one is one file beside this one that defines `TYPE`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ccproxy.auth.base import CredentialSource


def bearer(value: str) -> tuple[bytes, bytes]:
    """`Authorization: Bearer VALUE`."""
    text = value if value.lower().startswith("bearer ") else f"Bearer {value}"
    return b"authorization", text.encode("latin-1")


@dataclass(frozen=True, slots=True)
class ProviderType:
    """A kind of provider.

    Attributes:
        name: the word in `type:`.
        dialect: what it speaks: `anthropic`, `openai`, `openai_responses`, `gemini`.
        host: the host used when the configuration gives none, or "" if it must.
        path: the path of the dialect's main operation when the configuration gives none.
        credential_header: header name and value for a secret when the configuration names no header.
        in_process: answered inside ccproxy, no network.
        needs_auth: a provider of this type without `auth` is a configuration error only when it is used.
    """

    name: str
    dialect: str
    host: str
    path: str
    credential_header: Callable[[str], tuple[bytes, bytes]] = bearer
    in_process: bool = False
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Provider:
    """A configured provider, ready for use.

    `prefix` is the path before the dialect's own paths (`/anthropic` in `/anthropic/v1/messages`), `path` the template
    of the main operation (may hold `{model}` and `{action}`), `query` what the base URL carries along.
    """

    name: str
    type: ProviderType
    scheme: str
    host: str
    port: int
    path: str
    query: bytes = b""
    prefix: str = ""
    source: CredentialSource | None = field(default=None, repr=False)
    verify: bool = True
    models: tuple[str, ...] = ()

    @property
    def dialect(self) -> str:
        return self.type.dialect

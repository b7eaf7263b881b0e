"""What a provider type declares, and a configured provider.

A type (`anthropic`, `openai`, `gemini`, ...) is one registered value that says which dialects it speaks, where its
operations live and how it likes its credential. Adding one is one file in `kinds/`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from ccproxy.auth.base import Credential
from ccproxy.auth.pool import CredentialPool
from ccproxy.errors import CredentialError
from ccproxy.lightllm.body import JsonBody
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.providers.config import Retry
from ccproxy.util.address import origin

Field = tuple[bytes, bytes]

#: The forms in which requests of one dialect travel: `code_assist` is Gemini's in an envelope, `vertex` is Anthropic's with
#: the model in the path.
WireForm = Literal["plain", "code_assist", "vertex"]
#: What only Code Assist's paths hold.
CODE_ASSIST = "/v1internal"


def bearer(value: str) -> Field:
    """`Authorization: Bearer VALUE`; a value that names its scheme (`Bearer …`, `Basic …`) is left alone."""
    scheme, space, _ = value.partition(" ")
    text = value if space and scheme.isalpha() else f"Bearer {value}"
    return b"Authorization", text.encode("latin-1", "replace")


@dataclass(frozen=True, slots=True)
class Addition:
    """A header field that was added to, or put into, a request: its name, what was added, and why."""

    name: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class ProviderType:
    """A kind of provider.

    Attributes:
        name: the word in `type:`.
        dialects: what it speaks natively, its main dialect first; empty = every client dialect.
        elsewhere: what servers of others that speak its API are taken to speak; empty = the same.
        own_hosts: the host names, or endings of them, that are the provider's own.
        scheme, host: where it is when the configuration says nothing, with a port if it is not the scheme's own; "" if
            the configuration must.
        path: the path of the main operation when the configuration gives none.
        main: the end of that path that names the main operation (`/messages`); what stands before it is the base
            under which the sibling operations are found.
        versioned_base: its clients are given base URLs that end with the version (`…/v1`), so that a base URL with a
            version anywhere in it is complete.
        credential_field: the header field for a secret when the configuration names no header.
        amend: puts into the header fields what a credential needs beside itself, and tells what it was.
        adapt: brings the body of a model request within what the provider takes, and records what that changes.
        streams: it answers with streams alone.
        place: host and path for a project and a location, of a type that stands in a project of Google's cloud.
        in_process: answered inside ccproxy, without a network.
        models: model names it is known to serve.
    """

    name: str
    dialects: tuple[str, ...]
    host: str
    path: str
    main: str
    scheme: str = "https"
    versioned_base: bool = False
    elsewhere: tuple[str, ...] = ()
    own_hosts: tuple[str, ...] = ()
    credential_field: Callable[[str], Field] = bearer
    amend: Callable[[list[Field], Credential], list[Addition]] | None = None
    adapt: Callable[[JsonBody, LossLedger], None] | None = None
    streams: bool = False
    place: Callable[[str, str], tuple[str, str]] | None = None
    in_process: bool = False
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Provider:
    """A configured provider, ready for use.

    Attributes:
        dialects: what it speaks natively, that of its main operation first; empty = every client dialect.
        path: template of the main operation's path; may hold `{model}` and `{action}`.
        main: which operation that is (`/messages`): the type's, unless the path ends with another.
        base: `path` without the main operation (`/anthropic/v1`): sibling operations stand beside it.
        family: what is behind it (`lightllm.families`), or "" to go by type and host.
        query: what the base URL carries along, without a question mark.
        retry: what to do when it fails; None is nothing.
        fallback: the providers to go on to when it fails, and the model to ask each for ("" for the client's).
        project: the project that its requests belong to (Google's), or "" where that is not said.
    """

    name: str
    type: ProviderType
    scheme: str
    host: str
    port: int
    path: str
    main: str
    base: str
    dialects: tuple[str, ...]
    query: bytes = b""
    credentials: CredentialPool | None = field(default=None, repr=False)
    retry: Retry | None = None
    fallback: tuple[tuple[str, str], ...] = ()
    verify: bool = True
    family: str = ""
    models: tuple[str, ...] = ()
    project: str = ""

    def speaks(self, dialect: str) -> bool:
        """Whether requests of `dialect` can go to it as they are."""
        return not self.dialects or dialect in self.dialects

    @property
    def dialect(self) -> str:
        """Its main dialect, into which requests are converted; "" if it speaks all."""
        return self.dialects[0] if self.dialects else ""

    @property
    def wire(self) -> WireForm:
        """The form in which it wants requests of its main dialect; its path tells."""
        if CODE_ASSIST in self.path:
            return "code_assist"
        return "vertex" if "{action}" in self.path and self.dialect == "anthropic" else "plain"

    @property
    def origin(self) -> str:
        """For people: `https://api.example.com`, with the port only where it is not the scheme's own."""
        return origin(self.scheme, self.host, self.port)

    def credential_fields(self, credential: Credential) -> list[Field]:
        """The header fields that carry `credential`, companions included. Raises CredentialError if the secret cannot
        stand in a header."""
        if not credential.value.isascii() or not credential.value.isprintable():
            raise CredentialError(
                f"the credential of provider {self.name!r} holds characters that cannot stand in a header",
                hint="check what its source prints",
            )
        if not credential.header:
            first = self.type.credential_field(credential.value)
        elif credential.header.lower() == "authorization":
            first = bearer(credential.value)
        else:
            first = credential.header.encode("ascii"), credential.value.encode("ascii")
        return [first, *credential.companions]

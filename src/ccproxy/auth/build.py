"""From the configuration of a credential to its source."""

from __future__ import annotations

from ccproxy.auth.base import CredentialSource
from ccproxy.auth.command import CommandSource
from ccproxy.auth.config import Auth, Command, File
from ccproxy.auth.file import FileSource
from ccproxy.auth.unavailable import UnavailableSource
from ccproxy.util.clock import Clock


def build_source(auth: Auth | str | None, *, clock: Clock, provider: str) -> CredentialSource | None:
    """The source for `providers.NAME.auth`; a bare string is a command, None is no credential at all.

    Args:
        clock: for what is cached.
        provider: the provider's name, for error messages.
    """
    match auth:
        case None:
            return None
        case str():
            return CommandSource(Command(command=auth), clock=clock, provider=provider)
        case Command():
            return CommandSource(auth, clock=clock, provider=provider)
        case File():
            return FileSource(auth, provider=provider)
        case _:
            return UnavailableSource(auth, provider=provider)

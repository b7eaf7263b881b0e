"""Credential types that the configuration knows and this version cannot use."""

from __future__ import annotations

from ccproxy.auth.base import Credential
from ccproxy.auth.config import OAuth
from ccproxy.errors import CredentialError


class UnavailableSource:
    """Refuses, with what can be used in its place.

    Args:
        provider: the provider's name, for messages.
    """

    def __init__(self, config: OAuth, *, provider: str) -> None:
        self._config = config
        self._type = str(config.__struct_config__.tag)
        self._provider = provider

    @property
    def label(self) -> str:
        return f"{self._type} (not available in this version)"

    async def get(self) -> Credential:
        """Raises CredentialError (501)."""
        raise CredentialError(
            f"provider {self._provider!r}: auth type {self._type} is not part of this version",
            hint=f"use type: command with a command that prints the access token, such as jq on {self._config.file_path}",
            status=501,
        )

    async def refresh(self) -> Credential:
        """Raises CredentialError (501)."""
        return await self.get()

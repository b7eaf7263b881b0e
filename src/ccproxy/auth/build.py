"""From the configuration of a credential to its source."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import assert_never

from ccproxy.auth.anthropic import LOCK_STALE, AnthropicVendor, lock_folders
from ccproxy.auth.base import CredentialSource
from ccproxy.auth.call import Post, TokenAnswer, TokenRequest
from ccproxy.auth.codex import CodexVendor
from ccproxy.auth.command import CommandSource
from ccproxy.auth.config import CLAUDE_FILE, AnthropicOAuth, Auth, CodexOAuth, Command, File, GoogleOAuth
from ccproxy.auth.discover import OAuthClient, find_client, installed_packages
from ccproxy.auth.file import FileSource
from ccproxy.auth.google import GoogleVendor
from ccproxy.auth.keychain import FirstOf, KeychainStore, RunCommand, run_command
from ccproxy.auth.locks import FolderLock, Lock
from ccproxy.auth.login import Vendor
from ccproxy.auth.oauth import OAuthSource
from ccproxy.auth.pool import CredentialPool
from ccproxy.auth.reading import Unreadable, expand
from ccproxy.auth.store import FileStore, LoginStore
from ccproxy.errors import CredentialError
from ccproxy.util.clock import Clock


async def no_network(request: TokenRequest) -> TokenAnswer:
    """The `Post` of who only reads: raises CredentialError."""
    raise CredentialError("logins are not renewed here")


def _discover() -> OAuthClient | None:
    return find_client(installed_packages())


class SourceBuilder:
    """Makes sources.

    Args:
        clock: for what is cached and what expires.
        post: the way to token endpoints.
        platform: the system, as `sys.platform` says it.
        run: starts the `security` command of macOS.
        discover: finds the OAuth client of an installed gemini-cli.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        post: Post = no_network,
        platform: str = sys.platform,
        run: RunCommand = run_command,
        discover: Callable[[], OAuthClient | None] = _discover,
    ) -> None:
        self._clock = clock
        self._post = post
        self._platform = platform
        self._run = run
        self._discover = discover

    def pool(self, auth: Auth | str | Sequence[Auth | str] | None, provider: str) -> CredentialPool | None:
        """The credentials of a provider, from `providers.NAME.auth`; None if it has none."""
        entries = [auth] if isinstance(auth, Auth | str) else list(auth or ())
        sources = [self.source(entry, provider) for entry in entries]
        return CredentialPool(sources, clock=self._clock) if sources else None

    def source(self, auth: Auth | str, provider: str) -> CredentialSource:
        """The source for one entry of `providers.NAME.auth`; a bare string is a command.

        Args:
            provider: the provider's name, for messages.
        """
        match auth:
            case str():
                return CommandSource(Command(command=auth), clock=self._clock, provider=provider)
            case Command():
                return CommandSource(auth, clock=self._clock, provider=provider)
            case File():
                return FileSource(auth, provider=provider)
            case AnthropicOAuth():
                store = self._claude_store(auth)
                renews = auth.refresh if auth.refresh is not None else lambda: not in_keychain(store)
                return self._login(AnthropicVendor(auth), store, auth, provider, renews)
            case GoogleOAuth():
                vendor = GoogleVendor(auth, discover=self._discover, provider=provider)
                return self._login(vendor, FileStore(auth.file_path), auth, provider, auth.refresh)
            case CodexOAuth():
                return self._login(CodexVendor(auth), FileStore(auth.file_path), auth, provider, auth.refresh)
            case _:
                assert_never(auth)

    def _login(
        self,
        vendor: Vendor,
        store: LoginStore,
        config: AnthropicOAuth | GoogleOAuth | CodexOAuth,
        provider: str,
        renews: bool | Callable[[], bool],
    ) -> OAuthSource:
        return OAuthSource(
            vendor,
            store,
            post=self._post,
            clock=self._clock,
            provider=provider,
            header=config.header,
            headroom=config.headroom_seconds,
            timeout=config.timeout_seconds,
            renews=renews if callable(renews) else lambda: renews,
        )

    def _claude_store(self, config: AnthropicOAuth) -> LoginStore:
        file = FileStore(config.file_path, self._claude_locks(config.file_path))
        if config.keychain == "never":
            return file
        if config.keychain == "auto" and (self._platform != "darwin" or config.file_path != CLAUDE_FILE):
            return file
        keychain = KeychainStore(config.keychain_service, folder=Path.home(), clock=self._clock, run=self._run)
        return keychain if config.keychain == "always" else FirstOf(keychain, file)

    def _claude_locks(self, name: str) -> Sequence[Lock]:
        try:
            folders = lock_folders(expand(name).absolute())
        except Unreadable:
            return ()
        return tuple(FolderLock(folder, stale=LOCK_STALE, clock=self._clock) for folder in folders)


def in_keychain(store: LoginStore) -> bool:
    """Whether a login stands in the keychain, as far as is known."""
    return isinstance(store, KeychainStore) or (isinstance(store, FirstOf) and store.in_keychain)

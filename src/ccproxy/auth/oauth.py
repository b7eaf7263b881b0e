"""A login that ccproxy shares with the program that made it, renewed when it expires.

The file is the truth: it is looked at for every request, read again when it has changed, and before every renewal. A
renewal happens once, however many requests and processes want it: within a process they wait for one another, between
processes the login is locked, and who gets the lock looks first whether the work is done. Nothing is renewed that could
not be written back: a vendor that rotates tokens would log the other program out.

    get:      changed? -> read -> due? -> renew
    renew:    lock -> read -> still the old token? -> note -> ask -> write -> remove the note
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ccproxy.auth.base import Credential, SourceStatus
from ccproxy.auth.call import Post, TokenAnswer
from ccproxy.auth.document import Document
from ccproxy.auth.journal import Note
from ccproxy.auth.locks import Sleep, hold
from ccproxy.auth.login import Login, Vendor, error_code
from ccproxy.auth.reading import Missing, Unreadable, Version
from ccproxy.auth.store import LoginStore
from ccproxy.errors import CredentialError, UpstreamError
from ccproxy.util.aio import SingleFlight
from ccproxy.util.clock import Clock

_log = logging.getLogger(__name__)

#: After a renewal that failed for the moment the next one is tried this many seconds later.
PAUSE = 10.0
#: Seconds to wait for another process that renews the login, beyond the time a renewal may take.
_LOCK_WAIT = 5.0


@dataclass(frozen=True, slots=True)
class _Disk:
    """The login's store at one moment: its document with the changes that could not be written there, these changes,
    and the refresh token that stands there, by its hash."""

    document: Document
    family: str
    unsaved: Mapping[str, Any] = field(default_factory=dict, repr=False)


class OAuthSource:
    """The source for the `*_oauth` types.

    Args:
        vendor: the rules of the login.
        store: where it is kept.
        post: the way to the token endpoint.
        provider: the provider's name, for messages.
        header: the configured header.
        headroom: seconds before its expiry from which a token is renewed.
        timeout: the longest a renewal may take, in seconds.
        renews: asked whether to renew at all.
        sleep: how to wait for a lock.
    """

    def __init__(
        self,
        vendor: Vendor,
        store: LoginStore,
        *,
        post: Post,
        clock: Clock,
        provider: str,
        header: str = "authorization",
        headroom: float = 60.0,
        timeout: float = 15.0,
        renews: Callable[[], bool] = lambda: True,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._vendor = vendor
        self._store = store
        self._post = post
        self._clock = clock
        self._provider = provider
        self._header = header
        self._headroom = headroom
        self._timeout = timeout
        self._renews = renews
        self._sleep = sleep
        self._flight: SingleFlight[Login] = SingleFlight()
        self._reading: SingleFlight[_Disk] = SingleFlight()
        self._version: Version = ()
        self._login: Login | None = None
        self._unsaved = Note()
        self._unreadable = ""
        self._problem = ""
        self._paused_until = float("-inf")
        self._pause_error: CredentialError | None = None
        self._dead: dict[str, CredentialError] = {}

    @property
    def label(self) -> str:
        return f"{self._vendor.kind} ({self._store.where})"

    async def get(self) -> Credential:
        """The access token of the login, renewed if it is time. Raises CredentialError."""
        login = await self._current()
        if login.due(self._clock.wall(), self._headroom):
            login = await self._renewed_in_time(login)
        return self._credential(login)

    async def refresh(self, rejected: Credential | None = None) -> Credential:
        """A token other than the rejected one: what the file has by now, or a renewed one whatever the expiry says."""
        login = await self._current()
        if rejected is None or login.access == rejected.value or login.expired(self._clock.wall()):
            login = await self._renew(login)
        return self._credential(login)

    async def look(self) -> None:
        with contextlib.suppress(CredentialError):
            login = await self._current()
            if login.expired(self._clock.wall()):
                self._problem = self._problem or self._ended(login)

    def status(self) -> SourceStatus:
        login = self._login
        return SourceStatus(
            expires=login.expires if login is not None else None,
            problem=self._unreadable or self._problem,
            renews=self._renews(),
        )

    async def close(self) -> None:
        """Waits for a renewal under way: the tokens it brings exist nowhere else yet."""
        await self._flight.settle()

    # -- the login as it is --

    async def _current(self) -> Login:
        """The login as its store has it now."""
        try:
            version = self._store.version()
            if self._login is None or version != self._version:
                await self._reading.do("read", self._load)
        except Unreadable as error:
            problem = self._error(f"its login {self._store.where} {error}")
            self._unreadable = str(problem)
            # Its program may be writing it at this moment, not quite atomically.
            if self._login is None or self._login.expired(self._clock.wall()) or isinstance(error, Missing):
                raise problem from None
        assert self._login is not None
        return self._login

    async def _load(self) -> _Disk:
        """Reads it. Raises Unreadable."""
        version = self._store.version()
        document = await self._store.load()
        try:
            login = self._vendor.read(document)
            disk = _Disk(document, login.family)
            note = self._note()
            if note.changes and note.family == login.family:
                disk = _Disk(Document(document.changed(note.changes)), login.family, note.changes)
                login = self._vendor.read(disk.document)
        except ValueError as error:
            raise Unreadable(str(error)) from None
        if self._login is not None and (login.access, login.refresh) != (self._login.access, self._login.refresh):
            self._settled()
        self._unreadable = ""
        self._login, self._version = login, version
        return disk

    def _note(self) -> Note:
        """What was noted for the login as it stands in its store."""
        return self._unsaved if self._unsaved.changes or self._store.journal is None else self._store.journal.read()

    def _settled(self) -> None:
        """The login is another: what was found out about the one before does not count."""
        self._problem = ""
        self._paused_until, self._pause_error = float("-inf"), None
        self._dead.clear()

    def _credential(self, login: Login) -> Credential:
        return Credential(login.access, self._header.lower(), login.companions)

    # -- renewing --

    async def _renewed_in_time(self, login: Login) -> Login:
        """The login, renewed if that is possible; as it is if not and its token can still be used."""
        now = self._clock.wall()
        if login.expired(now):
            return await self._renew(login)
        if not self._renews() or not login.refresh or self._clock.mono() < self._paused_until:
            return login
        try:
            return await self._renew(login)
        except CredentialError as error:
            _log.warning("%s; the token is used until it expires", error)
            return self._login or login

    async def _renew(self, login: Login) -> Login:
        """The login, renewed. Raises CredentialError, which is remembered for `status`."""
        try:
            self._check_renewable(login)
            return await self._flight.do("renew", lambda: self._renew_once(login))
        except CredentialError as error:
            self._problem = str(error)
            raise

    def _check_renewable(self, login: Login) -> None:
        if not self._renews():
            raise self._error(
                f"the token of its {self._vendor.tool} login {self._expiry(login)}, and ccproxy is not to renew it",
                hint=f"use {self._vendor.tool} once, or set providers.{self._provider}.auth.refresh",
                status=401,
            )
        if not login.refresh:
            raise self._error(f"its {self._vendor.tool} login has ended", hint=self._vendor.sign_in, status=401)
        if (dead := self._dead.get(login.family)) is not None:
            raise _again(dead)
        if self._pause_error is not None and self._clock.mono() < self._paused_until:
            raise _again(self._pause_error)

    async def _renew_once(self, old: Login) -> Login:
        """One renewal in this process, if no other process gets it done."""
        try:
            await asyncio.to_thread(self._vendor.prepare)
            locks = self._store.locks()
            limit = self._timeout + _LOCK_WAIT
            async with hold(
                locks, limit=limit, clock=self._clock, sleep=self._sleep, done=lambda: self._done_elsewhere(old)
            ) as held:
                return await self._exchange(old) if held else await self._current()
        except TimeoutError:
            failure = self._error("another program holds the lock of its login for too long", hint="try again")
        except OSError as error:
            why = (error.strerror or "unknown reason").lower()
            failure = self._error(f"its login {self._store.where} cannot be locked: {why}")
        except CredentialError as error:
            failure = error
        self._pause(failure)
        raise failure

    async def _done_elsewhere(self, old: Login) -> bool:
        """Whether somebody else has renewed the login meanwhile."""
        try:
            if self._store.version() != self._version:
                await self._load()
        except Unreadable:
            return False
        login = self._login
        return login is not None and login.access != old.access and not login.expired(self._clock.wall())

    async def _exchange(self, old: Login) -> Login:
        """Under the lock: the new login, from another process or from the vendor."""
        try:
            disk = await self._load()
        except Unreadable as error:
            raise self._error(f"its login {self._store.where} {error}") from None
        login = self._login
        assert login is not None
        if login.access != old.access and not login.expired(self._clock.wall()):
            return login
        if not login.refresh:
            raise self._error(f"its {self._vendor.tool} login has ended", hint=self._vendor.sign_in, status=401)
        interrupted = self._begin(login, disk)
        try:
            answer = await self._ask(login, disk, interrupted=interrupted)
        except CredentialError:
            if await self._done_elsewhere(login):  # by a program that keeps to no lock
                return self._login or login
            raise
        try:
            value = msgspec.json.decode(answer.body)
            if not isinstance(value, dict):
                raise ValueError("is no JSON object")
            changes = self._vendor.changes(disk.document, value, self._clock.wall())
        except (ValueError, RecursionError) as error:
            why = "is no JSON" if isinstance(error, msgspec.DecodeError | RecursionError) else str(error)
            raise self._error(f"the answer to the renewal of its login {why}") from None
        await self._keep(disk, changes)
        return self._login or login

    def _begin(self, login: Login, disk: _Disk) -> bool:
        """Notes that the refresh token is about to be used; tells whether an earlier use of it was interrupted."""
        interrupted = self._note().used == login.family
        try:
            self._store.check_writable()
            if self._store.journal is not None:
                self._store.journal.write(Note(login.family, disk.unsaved, disk.family))
        except (Unreadable, OSError) as error:
            why = error if isinstance(error, Unreadable) else f"cannot be written: {(error.strerror or '').lower()}"
            raise self._error(
                f"its login {self._store.where} {why}, so it is not renewed: {self._vendor.tool} would be logged out",
                hint=f"make it writable, or set providers.{self._provider}.auth.refresh to false",
            ) from None
        return interrupted

    async def _ask(self, login: Login, disk: _Disk, *, interrupted: bool) -> TokenAnswer:
        """The vendor's answer to a request for new tokens."""
        try:
            answer = await self._post(self._vendor.request(login, scopes=True, timeout=self._timeout))
            if answer.status == 400 and error_code(answer) == "invalid_scope":
                answer = await self._post(self._vendor.request(login, scopes=False, timeout=self._timeout))
        except UpstreamError as error:
            raise self._error(f"its login cannot be renewed: {error.message}", hint=error.hint) from None
        if answer.status == 200:
            return answer
        self._refused(disk)
        code = error_code(answer)
        said = f"status {answer.status}{f' ({code})' if code else ''}"
        if not self._vendor.final(answer.status, code):
            raise self._error(f"its login cannot be renewed now: the token endpoint answered with {said}")
        after = ", after a renewal that was interrupted" if interrupted else ""
        refusal = self._error(
            f"its {self._vendor.tool} login is refused: the token endpoint answered with {said}{after}",
            hint=self._vendor.sign_in,
            status=401,
        )
        self._dead = {login.family: refusal}
        raise refusal

    def _refused(self, disk: _Disk) -> None:
        """The vendor has used nothing up: the note goes back to what it was."""
        if self._store.journal is None:
            return
        if disk.unsaved:
            with contextlib.suppress(OSError):
                self._store.journal.write(Note("", disk.unsaved, disk.family))
        else:
            self._store.journal.clear()

    async def _keep(self, disk: _Disk, changes: Mapping[str, Any]) -> None:
        """Writes the new tokens where they can be found again, and takes them into use."""
        journal = self._store.journal
        self._settled()
        document = disk.document
        try:
            now = await self._store.load()
            if self._vendor.read(now).family != disk.family:
                if journal is not None:
                    journal.clear()
                await self._load()
                _log.warning("provider %r: its login was replaced while it was being renewed", self._provider)
                return
            document = Document(now.changed(disk.unsaved)) if disk.unsaved else now
        except (Unreadable, ValueError):
            pass  # half written: what was read before is written whole
        new = document.changed(changes)
        try:
            await self._store.save(new)
        except (OSError, Unreadable) as error:
            why = (error.strerror or "unknown reason").lower() if isinstance(error, OSError) else error
            self._problem = f"the renewed login cannot be written to {self._store.where}: {why}"
            _log.error("provider %r: %s", self._provider, self._problem)
            self._keep_aside(Note("", {**disk.unsaved, **changes}, disk.family))
        else:
            _log.info("provider %r: its %s login was renewed", self._provider, self._vendor.tool)
            self._unsaved = Note()
            if journal is not None:
                journal.clear()
        self._login = self._vendor.read(Document(new))
        try:
            self._version = self._store.version()
        except Unreadable:
            self._version = ()

    def _keep_aside(self, note: Note) -> None:
        self._unsaved = note
        if self._store.journal is not None:
            try:
                self._store.journal.write(note)
            except OSError:
                pass
            else:
                return
        _log.critical(
            "provider %r: its renewed login is in memory alone and will be lost when ccproxy ends", self._provider
        )

    def _pause(self, error: CredentialError) -> None:
        self._pause_error = error
        self._paused_until = self._clock.mono() + PAUSE

    def _ended(self, login: Login) -> str:
        """What stands in the way of a login whose token has expired, "" if it can be renewed."""
        try:
            self._check_renewable(login)
        except CredentialError as error:
            return str(error)
        return ""

    def _expiry(self, login: Login) -> str:
        return "has expired" if login.expired(self._clock.wall()) else "is refused"

    def _error(self, what: str, *, hint: str = "", status: int | None = None) -> CredentialError:
        return CredentialError(
            f"provider {self._provider!r}: {what}", hint=hint or f"see providers.{self._provider}.auth", status=status
        )


def _again(error: CredentialError) -> CredentialError:
    """The same error, to be raised once more."""
    return CredentialError(error.message, hint=error.hint, status=error.status)

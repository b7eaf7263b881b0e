"""The callbacks that hooks have set on an answer, as one filter of its events.

Callbacks run in the order they were set: an editor's result is what those behind it see. An error of a callback is the
hook's: with `on_error="fail"`, or where an editor has already changed something, the answer ends as failed; with
`"skip"` the callback is dropped. Both are noted. What an editor gives out is held against the grammar of events, so
that a slip in a hook becomes an error with its name and no broken answer.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Collection, Iterable
from typing import Protocol

from ccproxy.errors import HookError
from ccproxy.lightllm.errors import info_of
from ccproxy.lightllm.ir.events import End, Event, EventChecker, Failed, PartEnd, PartStart, Start
from ccproxy.lightllm.ir.parts import Part
from ccproxy.lightllm.ir.response import Response, fold
from ccproxy.pipeline.hook import OnError
from ccproxy.pipeline.problems import described

type EventFunction = Callable[[Event], Event | Iterable[Event] | None]
type PartFunction = Callable[[Part], object]
type ResponseFunction = Callable[[Response], object]

_log = logging.getLogger("ccproxy.pipeline")


class Owner(Protocol):
    """The hook that set a callback."""

    on_error: OnError

    @property
    def hook(self) -> str: ...

    def failed(self, error: str) -> None: ...


class _Listener:
    """One callback. `feed` gives the events for those behind it."""

    edits = False
    #: Whether it has changed something, so that it cannot be dropped any more.
    changed = False

    def __init__(self, owner: Owner) -> None:
        self.owner = owner

    def feed(self, event: Event) -> list[Event]:
        raise NotImplementedError


class _Watcher(_Listener):
    def __init__(self, owner: Owner, function: EventFunction) -> None:
        super().__init__(owner)
        self._function = function

    def feed(self, event: Event) -> list[Event]:
        self._function(event)
        return [event]


class _Editor(_Listener):
    edits = True

    def __init__(self, owner: Owner, function: EventFunction) -> None:
        super().__init__(owner)
        self._function = function
        self._checker = EventChecker()

    def feed(self, event: Event) -> list[Event]:
        made = self._function(event)
        if made is None:
            events = [event]
        elif isinstance(made, Iterable):
            events = list(made)
        else:
            events = [made]
        self.changed = self.changed or events != [event]
        self._checker.check_all(events)
        return events


class _Parts(_Listener):
    def __init__(self, owner: Owner, function: PartFunction) -> None:
        super().__init__(owner)
        self._function = function
        self._open: list[Event] = []

    def feed(self, event: Event) -> list[Event]:
        if isinstance(event, PartStart):
            self._open = [event]
        elif self._open:
            self._open.append(event)
            if isinstance(event, PartEnd):
                events, self._open = self._open, []
                self._function(fold(events).parts[0])
        return [event]


class _Whole(_Listener):
    def __init__(self, owner: Owner, function: ResponseFunction) -> None:
        super().__init__(owner)
        self._function = function
        self._events: list[Event] = []

    def feed(self, event: Event) -> list[Event]:
        self._events.append(event)
        if is_terminal(event):
            events, self._events = self._events, []
            self._function(fold(events))
        return [event]


class Answers:
    """What the hooks of one exchange want of its answer. A filter of its events (`lightllm.translate.Filter`).

    Args:
        secrets: what must not appear in the text of an error.
    """

    __slots__ = ("_ended", "_listeners", "_secrets", "failure")

    def __init__(self, secrets: Collection[str] = ()) -> None:
        self._secrets = secrets
        self._listeners: list[_Listener] = []
        self._ended = False
        #: Why the answer must not go on as it came.
        self.failure: HookError | None = None

    def __bool__(self) -> bool:
        return bool(self._listeners)

    @property
    def edits(self) -> bool:
        """Whether the answer is to be written from events."""
        return any(listener.edits for listener in self._listeners)

    def on_event(self, owner: Owner, function: EventFunction, *, edit: bool) -> None:
        """Adds a callback for each event."""
        _plain(function)
        self._listeners.append(_Editor(owner, function) if edit else _Watcher(owner, function))

    def on_part(self, owner: Owner, function: PartFunction) -> None:
        """Adds a callback for each part."""
        _plain(function)
        self._listeners.append(_Parts(owner, function))

    def on_response(self, owner: Owner, function: ResponseFunction) -> None:
        """Adds a callback for the whole answer."""
        _plain(function)
        self._listeners.append(_Whole(owner, function))

    def forget(self, owner: Owner) -> None:
        """Drops what a hook has set."""
        self._listeners = [listener for listener in self._listeners if listener.owner is not owner]

    def feed(self, event: Event) -> list[Event]:
        """The events for the client in place of one that came. Never raises: after a failure, `Failed` is the last."""
        if self._ended:
            return []
        events = [event]
        for listener in list(self._listeners):
            passed: list[Event] = []
            for one in events:
                passed += self._call(listener, one)
                if self.failure is not None:
                    break
            events = passed
            if self.failure is not None:
                events = [*passed, Failed(info_of(self.failure))]
                break
        self._ended = any(is_terminal(one) for one in events)
        return events

    def failed(self, error: Failed) -> None:
        """Tells the callbacks of an answer that failed before it began."""
        for event in (Start("", ""), error):
            self.feed(event)

    def _call(self, listener: _Listener, event: Event) -> list[Event]:
        """What a callback makes of an event; no more of the answer if it failed, and the answer with it."""
        owner = listener.owner
        try:
            return listener.feed(event)
        except Exception as error:  # noqa: BLE001 - the boundary of a callback that somebody else wrote
            text = described(error, self._secrets)
            shown = (HookError, HookError(text), error.__traceback__)  # its own text may have a secret in it
            _log.warning("hook %s failed while the answer passed: %s", owner.hook, text, exc_info=shown)
            owner.failed(text)
            self._listeners.remove(listener)
            if owner.on_error == "skip" and not listener.changed:
                return [event]
            self.failure = HookError(f"hook {owner.hook} failed while the answer passed: {text}")
            return [event] if isinstance(event, Start) else []


def is_terminal(event: Event) -> bool:
    """Whether an answer ends with this event."""
    return isinstance(event, End | Failed)


def _plain(function: Callable[..., object]) -> None:
    if inspect.iscoroutinefunction(function):
        raise HookError("callbacks for the answer are plain functions", hint="start a task in it for what takes time")

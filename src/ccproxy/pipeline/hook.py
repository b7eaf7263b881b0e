"""`@hook`: a function becomes a hook, a value that says what it reads, what it writes and when it runs.

    @hook(reads=["model"], writes=["headers.x-team"])
    def stamp_team(ctx: HookContext) -> None:
        ctx.headers["x-team"] = "research"

What is declared decides the order in which hooks run and which run at the same time; `ccproxy.testing.TrackingContext`
fails a hook that touches anything else. Everything that can be wrong about a declaration is found here, when the
module is loaded, and never when a request comes.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, overload

from ccproxy.errors import ConfigError
from ccproxy.pipeline.places import Place, parse

if TYPE_CHECKING:
    from ccproxy.pipeline.context import HookContext

type Stage = Literal["inbound", "outbound"]
type OnError = Literal["fail", "skip"]
#: `(ctx)`, or `(ctx, params)` for a hook with parameters; plain or a coroutine function.
type HookFunction = Callable[..., Awaitable[None] | None]
#: Places as words, or a function that names them once the parameters are known.
type Declared = Iterable[str] | Callable[[Any], Iterable[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A hook as its author declared it. Made by `@hook`; calling it calls the function.

    Attributes:
        stage: the only stage it may stand in; None is either.
        params: the type of its parameters, or None if it takes none.
        when: says whether it has anything to do; the hook is not called otherwise.
        on_error: what an exception of its own does: `fail` the request, or `skip` the hook and take back its changes.
        blocking: it waits for files or the network without `await`, and so runs in a thread.
        every: it also runs for requests that ask no model (lists, uploads, telemetry).
        locked: no request can switch it off.
        pending: why it does nothing yet; "" if it works. It is not called.
        marker: it stands for something ccproxy does by itself, and is not called either.
        summary: its first line of documentation.
    """

    name: str
    function: HookFunction
    reads: Declared
    writes: Declared
    stage: Stage | None
    params: type | None
    when: Callable[[HookContext], bool] | None
    on_error: OnError
    blocking: bool
    every: bool
    locked: bool
    pending: str
    marker: bool
    summary: str
    is_async: bool

    def __call__(self, ctx: HookContext, params: object = None) -> Awaitable[None] | None:
        return self.function(ctx) if self.params is None else self.function(ctx, params)

    def reads_with(self, params: object) -> tuple[Place, ...]:
        """What it reads when it is given `params`. Raises ConfigError."""
        return _places(self, "reads", params)

    def writes_with(self, params: object) -> tuple[Place, ...]:
        """What it writes when it is given `params`. Raises ConfigError."""
        return _places(self, "writes", params)


@overload
def hook(function: HookFunction, /) -> Hook: ...


@overload
def hook(
    *,
    reads: Declared = (),
    writes: Declared = (),
    stage: Stage | None = None,
    params: type | None = None,
    when: Callable[[HookContext], bool] | None = None,
    on_error: OnError = "fail",
    blocking: bool = False,
    every: bool = False,
    locked: bool = False,
    name: str = "",
    pending: str = "",
    marker: bool = False,
) -> Callable[[HookFunction], Hook]: ...


def hook(
    function: HookFunction | None = None,
    /,
    *,
    reads: Declared = (),
    writes: Declared = (),
    stage: Stage | None = None,
    params: type | None = None,
    when: Callable[[HookContext], bool] | None = None,
    on_error: OnError = "fail",
    blocking: bool = False,
    every: bool = False,
    locked: bool = False,
    name: str = "",
    pending: str = "",
    marker: bool = False,
) -> Hook | Callable[[HookFunction], Hook]:
    """Makes a hook of the function below it. See `Hook` for what the arguments mean.

    Raises ConfigError for a declaration that cannot be right.
    """

    def made(function: HookFunction) -> Hook:
        value = Hook(
            name=name or getattr(function, "__name__", "hook"),
            function=function,
            reads=reads if callable(reads) else tuple(reads),
            writes=writes if callable(writes) else tuple(writes),
            stage=stage,
            params=params,
            when=when,
            on_error=on_error,
            blocking=blocking,
            every=every,
            locked=locked,
            pending=pending,
            marker=marker,
            summary=(inspect.getdoc(function) or "").partition("\n")[0],
            is_async=inspect.iscoroutinefunction(function),
        )
        _check(value)
        return value

    return made if function is None else made(function)


def _check(value: Hook) -> None:
    def wrong(what: str, hint: str = "") -> ConfigError:
        return ConfigError(f"hook {value.name}: {what}", hint=hint)

    function = value.function
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise wrong("a hook is a function, not a generator", "use ctx.on_event to see the answer")
    if value.blocking and value.is_async:
        raise wrong("blocking=True is for plain functions", "an async hook awaits what takes time")
    if value.stage not in (None, "inbound", "outbound"):
        raise wrong(f"stage {value.stage!r} is neither 'inbound' nor 'outbound'")
    if value.on_error not in ("fail", "skip"):
        raise wrong(f"on_error {value.on_error!r} is neither 'fail' nor 'skip'")
    if isinstance(value.reads, tuple):
        value.reads_with(None)
    if isinstance(value.writes, tuple):
        value.writes_with(None)
    wanted = ("ctx",) if value.params is None else ("ctx", "params")
    try:
        inspect.signature(function).bind(*wanted)
    except TypeError:
        raise wrong(f"its function must take ({', '.join(wanted)})") from None


def _places(value: Hook, kind: Literal["reads", "writes"], params: object) -> tuple[Place, ...]:
    declared = value.reads if kind == "reads" else value.writes
    words = declared(params) if callable(declared) else declared
    try:
        return tuple(parse(word) for word in words)
    except ConfigError as error:
        raise ConfigError(f"hook {value.name}: {kind}: {error.message}", hint=error.hint) from None

"""Running the hooks of a stage, in the order of their graph and at the same time where nothing forbids it.

A stage of plain functions is one loop. Where coroutines or blocking functions are among them, each hook begins as soon
as those it depends on are done: coroutines as tasks, blocking functions in threads, plain functions in between.

What goes wrong in a hook is noted with its name. `fail` ends the request with a HookError; `skip` takes back what the
hook has edited and goes on. A hook that holds the event loop for more than 100 ms is logged.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from ccproxy.errors import HookError, Refused
from ccproxy.exchange.exchange import Exchange
from ccproxy.exchange.hooks import HookResult
from ccproxy.pipeline import graph
from ccproxy.pipeline.answers import Answers
from ccproxy.pipeline.context import HookContext
from ccproxy.pipeline.draft import Draft
from ccproxy.pipeline.hook import Hook, Stage
from ccproxy.pipeline.problems import described
from ccproxy.pipeline.services import Services
from ccproxy.util.clock import Clock

#: How long a hook may hold the event loop, in seconds.
MAX_HELD_SECONDS = 0.1

_log = logging.getLogger("ccproxy.pipeline")


@dataclass(frozen=True, slots=True)
class Configured:
    """A hook as the configuration has it.

    Attributes:
        name: its name, with `#2` for the second of that name in its stage.
        params: its parameters, or None.
        spec: how the configuration names it.
        forced: it runs whatever its `when` says, because the request asks for it.
    """

    hook: Hook
    name: str
    params: object = None
    spec: str = ""
    forced: bool = False


@dataclass(slots=True)
class Run:
    """The hooks' side of one exchange, over both stages."""

    exchange: Exchange
    services: Services
    clock: Clock
    answers: Answers
    state: dict[type, object]


def begin(exchange: Exchange, services: Services, clock: Clock) -> Run:
    """A run for an exchange."""
    return Run(exchange, services, clock, Answers(exchange.secrets), {})


class Pipeline:
    """The hooks of one stage.

    Args:
        stage: which one.
        hooks: in the order of the configuration.

    Raises ConfigError for hooks that wait for each other.
    """

    def __init__(self, stage: Stage, hooks: Sequence[Configured]) -> None:
        self.stage: Stage = stage
        self.hooks = tuple(hooks)
        self.graph = graph.build(
            [graph.Node(one.name, one.hook.reads_with(one.params), one.hook.writes_with(one.params)) for one in hooks]
        )
        #: Positions that are called at all, in their order.
        self._order = tuple(position for position in self.graph.order if is_called(hooks[position].hook))
        self._loop = tuple(self.hooks[position] for position in self._order)
        self._plain = not any(one.hook.is_async or one.hook.blocking for one in self._loop)

    def __bool__(self) -> bool:
        """Whether there is anything to run."""
        return bool(self._loop)

    async def run(self, draft: Draft, run: Run) -> None:
        """Runs the hooks on `draft`, until one of them answers. Raises HookError, and Refused where one says so."""
        if not self._plain:
            await self._run_together(draft, run)
            return
        other = draft.form == "other"
        for turn, one in enumerate(self._loop, 1):
            if other and not one.hook.every:
                continue
            self._call(one, turn, draft, run)
            if draft.reply is not None:
                return

    def _call(self, one: Configured, turn: int, draft: Draft, run: Run) -> None:
        """Calls a plain function."""
        hook, clock = one.hook, run.clock
        ctx, result = self._context(one, turn, draft, run)
        begun = clock.mono()
        try:
            if hook.when is not None and not one.forced and not hook.when(ctx):
                return
            run.exchange.hooks.append(result)
            if hook(ctx, one.params) is not None:
                raise TypeError("it gave something back: a hook returns None, and one that awaits is an async def")
        except Exception as error:  # noqa: BLE001 - the boundary of code that somebody else wrote
            self._failed(one, ctx, result, error, run)
        held = clock.mono() - begun
        result.ms = held * 1000
        if held > MAX_HELD_SECONDS:
            _complain(one.name, held)

    async def _call_async(self, one: Configured, turn: int, draft: Draft, run: Run) -> None:
        """Calls a coroutine function, or a function that blocks in a thread."""
        hook, clock = one.hook, run.clock
        ctx, result = self._context(one, turn, draft, run)
        begun = clock.mono()
        try:
            if hook.when is not None and not one.forced and not hook.when(ctx):
                return
            run.exchange.hooks.append(result)
            if hook.blocking:
                await asyncio.to_thread(hook, ctx, one.params)
            else:
                steps = hook(ctx, one.params)
                assert isinstance(steps, Coroutine)
                await _Timed(steps, clock, one.name)
        except Exception as error:  # noqa: BLE001 - the boundary of code that somebody else wrote
            self._failed(one, ctx, result, error, run)
        result.ms = (clock.mono() - begun) * 1000

    def _context(self, one: Configured, turn: int, draft: Draft, run: Run) -> tuple[HookContext, HookResult]:
        result = HookResult(one.name, self.stage, turn)
        ctx = HookContext(draft, run.exchange, run.answers, run.state, run.services, result, one.hook.on_error)
        return ctx, result

    def _failed(self, one: Configured, ctx: HookContext, result: HookResult, error: Exception, run: Run) -> None:
        """Notes a failure; raises it again in a form of our own unless the hook is to be skipped."""
        if isinstance(error, Refused):
            result.error = error.message
            raise error
        text = described(error, run.exchange.secrets)
        result.error = text
        shown = (HookError, HookError(text), error.__traceback__)  # its own text may have a secret in it
        _log.warning("hook %s failed on %s: %s", one.name, run.exchange.id, text, exc_info=shown)
        if one.hook.on_error == "skip":
            if ctx.undo():
                return
            text = f"{text}; what it had changed could not be taken back, as another hook went on from it"
        raise HookError(f"hook {one.name} failed: {text}") from None

    async def _run_together(self, draft: Draft, run: Run) -> None:
        """Begins each hook when those before it are done."""
        other = draft.form == "other"
        left = list(self._order)
        turns = {position: turn for turn, position in enumerate(self._order, 1)}
        done = {position for position in range(len(self.hooks)) if position not in turns}
        running: dict[asyncio.Task[None], int] = {}
        try:
            while draft.reply is None:
                position = next((position for position in left if self.graph.before[position] <= done), None)
                if position is None:
                    if not running:
                        return
                    ended, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                    for task in ended:
                        done.add(running.pop(task))
                        task.result()
                    continue
                left.remove(position)
                one = self.hooks[position]
                if other and not one.hook.every:
                    done.add(position)
                elif one.hook.is_async or one.hook.blocking:
                    call = self._call_async(one, turns[position], draft, run)
                    running[asyncio.create_task(call, name=f"hook {one.name}")] = position
                else:
                    self._call(one, turns[position], draft, run)
                    done.add(position)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


class _Timed:
    """Awaits a coroutine and looks at how long each of its steps holds the event loop."""

    def __init__(self, steps: Coroutine[Any, Any, None], clock: Clock, name: str) -> None:
        self._steps = steps
        self._clock = clock
        self._name = name

    def __await__(self) -> Generator[Any, Any]:
        steps, clock = self._steps, self._clock
        sent: Any = None
        problem: BaseException | None = None
        while True:
            begun = clock.mono()
            try:
                waits = steps.send(sent) if problem is None else steps.throw(problem)
            except StopIteration:
                return
            finally:
                held = clock.mono() - begun
                if held > MAX_HELD_SECONDS:
                    _complain(self._name, held)
            problem = None
            try:
                sent = yield waits
            except BaseException as error:  # noqa: BLE001 - handed on, as `yield from` does
                problem = error


def is_called(hook: Hook) -> bool:
    """Whether a hook does something itself, and is no name for something else."""
    return not hook.pending and not hook.marker


def _complain(name: str, held: float) -> None:
    _log.warning(
        "hook %s held the event loop for %d ms; make it async, or declare blocking=True to have it run in a thread",
        name,
        held * 1000,
    )

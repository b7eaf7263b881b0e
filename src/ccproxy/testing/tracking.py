"""For tests of hooks: a context made from plain values, which fails a hook that touches what it did not declare.

    ctx = TrackingContext(my_hook, {"model": "m", "messages": []}, dialect="openai", headers={"x-team": "a"})
    await ctx.run()
    assert ctx.body["model"] == "other"

`TrackingContext.play` gives an answer to the callbacks that the hook has set.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from ccproxy.exchange.exchange import Client, Exchange, Timings
from ccproxy.exchange.hooks import HookResult
from ccproxy.exchange.http import Headers, Snapshot
from ccproxy.exchange.route import Route
from ccproxy.lightllm.ir.events import Event
from ccproxy.lightllm.ir.response import Response, unfold
from ccproxy.lightllm.jsontext import dumps
from ccproxy.lightllm.registry import Registry
from ccproxy.pipeline.answers import Answers
from ccproxy.pipeline.context import HookContext
from ccproxy.pipeline.draft import Choice, Draft, Form, Reply
from ccproxy.pipeline.hook import Hook, Stage
from ccproxy.pipeline.pipelines import params_of
from ccproxy.pipeline.places import Place, covered, show
from ccproxy.pipeline.services import Services


class UndeclaredAccess(AssertionError):
    """A hook read or wrote what its declaration does not name."""


class TrackingContext(HookContext):
    """A request for one hook, kept to what the hook declares.

    Args:
        hook: the hook under test.
        body: the request's body: a JSON object, or bytes as they are.
        dialect: what it speaks; "" for a body of no dialect.
        headers: header fields.
        params: the hook's parameters as the configuration would have them.
        path: the path; by default the dialect's for an answer.
        method: the HTTP method.
        asks: what is asked for: `generate`, `count_tokens`, or `other`.
        stage: the stage, where the hook may stand in both.
        session: the conversation's id.
        route: where the request goes, for outbound hooks.
        services: what the application lends.
        client: who asks.
    """

    tracked = True

    def __init__(
        self,
        hook: Hook,
        body: Mapping[str, Any] | bytes = b"",
        *,
        dialect: str = "anthropic",
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
        path: str = "",
        method: str = "POST",
        asks: Form = "generate",
        stage: Stage = "inbound",
        session: str = "",
        route: Route | None = None,
        services: Services | None = None,
        client: Client | None = None,
    ) -> None:
        dialects = Registry()
        found = dialects.get(dialect) if dialect else None
        content = body if isinstance(body, bytes) else dumps(dict(body))
        target = (path or (found.paths.of("generate", "model") if found else "/")).encode("latin-1")
        fields = Headers((name.encode("latin-1"), value.encode("latin-1")) for name, value in (headers or {}).items())
        request = Snapshot(method, "http", "127.0.0.1", 4000, target, "1.1", fields, content)
        exchange = Exchange("test", client or Client("127.0.0.1", 1), request, Timings(), session=session, route=route)
        #: What is told of the hook: places it changed, notes, and an error of a callback.
        self.result = HookResult(hook.name, hook.stage or stage, 1)
        self._hook = hook
        self._params = params_of(hook, params or {})
        self._reads = hook.reads_with(self._params)
        self._writes = hook.writes_with(self._params)
        self._checks = False
        draft = Draft(
            method=method,
            target=target,
            headers=fields,
            content=content,
            dialect=dialect,
            dialects=dialects,
            form=asks if found else "other",
        )
        super().__init__(draft, exchange, Answers(), {}, services or Services(), self.result, hook.on_error)

    @property
    def content(self) -> bytes:
        """The body as it goes on; the very bytes given, if the hook did not edit it."""
        return self._draft.finish()[1] or b""

    @property
    def reply(self) -> Reply | None:
        """The answer that the hook gave in place of a provider."""
        return self._draft.reply

    @property
    def choice(self) -> Choice | None:
        """Where the hook sends the request."""
        return self._draft.choice

    @property
    def target(self) -> str:
        """Path and query as they go on."""
        return self._draft.target.decode("latin-1")

    async def run(self) -> bool:
        """Runs the hook if its condition holds, and says whether it did. Raises UndeclaredAccess, and whatever the hook
        raises."""
        hook = self._hook
        self._checks = True
        try:
            if hook.when is not None and not hook.when(self):
                return False
            pending = await asyncio.to_thread(hook, self, self._params) if hook.blocking else hook(self, self._params)
            if pending is not None:
                await pending
        finally:
            self._checks = False
        return True

    def play(self, answer: Response | Iterable[Event]) -> list[Event]:
        """Gives an answer to the callbacks; what the client would get of it. An error of a callback is in
        `result.error`."""
        events = unfold(answer) if isinstance(answer, Response) else answer
        return [passed for event in events for passed in self._answers.feed(event)]

    def _touch(self, writes: bool, place: Place) -> None:
        if self._checks:
            # What hooks tell one another is read and written by the same call.
            allowed = (*self._reads, *self._writes) if place[0] == "state" else self._reads
            declared = self._writes if writes else allowed
            if not covered(place, declared):
                verb, word = ("wrote", "writes") if writes else ("read", "reads")
                named = ", ".join(map(show, declared)) or "nothing"
                raise UndeclaredAccess(f"hook {self.hook} {verb} {show(place)}; it declares {word}: {named}")
        super()._touch(writes, place)

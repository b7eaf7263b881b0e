"""`HookContext`: what a hook is given, and all it needs.

One is made for each hook and request. Reading costs what is read; nothing is parsed before it is asked for. Every edit
is noted under the hook's name, so that the flow can tell who changed what.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping
from typing import Any, NoReturn

from ccproxy.errors import HookError, Refused
from ccproxy.exchange.exchange import Client, Exchange
from ccproxy.exchange.hooks import HookResult
from ccproxy.exchange.route import Route
from ccproxy.lightllm.ir.events import Stop
from ccproxy.lightllm.ir.parts import Text
from ccproxy.lightllm.ir.request import Request
from ccproxy.lightllm.ir.response import Response
from ccproxy.lightllm.jsontext import dumps
from ccproxy.pipeline.answers import Answers, EventFunction, PartFunction, ResponseFunction
from ccproxy.pipeline.draft import Choice, Draft, Mark, Reply
from ccproxy.pipeline.hook import OnError, Stage
from ccproxy.pipeline.places import Place, show
from ccproxy.pipeline.services import Services
from ccproxy.pipeline.views import BodyView, HeaderView, field


class _Log(logging.LoggerAdapter[logging.Logger]):
    """Puts the flow's id before each message."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        return f"{(self.extra or {})['exchange']}: {msg}", kwargs


class HookContext:
    """A request as one hook sees it.

    Args:
        draft: the request under edit.
        exchange: the exchange it belongs to.
        answers: where callbacks for the answer go.
        state: what hooks of this exchange tell one another.
        services: what the application lends.
        result: what is told of this hook.
        on_error: the hook's own choice.
    """

    __slots__ = ("_answers", "_draft", "_exchange", "_log", "_mark", "_result", "_state", "on_error", "services")

    #: Whether reading is looked at as well (`ccproxy.testing.TrackingContext`).
    tracked = False

    def __init__(
        self,
        draft: Draft,
        exchange: Exchange,
        answers: Answers,
        state: dict[type, object],
        services: Services,
        result: HookResult,
        on_error: OnError,
    ) -> None:
        self.services = services
        self.on_error: OnError = on_error
        self._draft = draft
        self._exchange = exchange
        self._answers = answers
        self._state = state
        self._result = result
        self._log: _Log | None = None
        self._mark: Mark | None = draft.mark() if on_error == "skip" else None

    # Who and what

    @property
    def id(self) -> str:
        """The flow's id."""
        return self._exchange.id

    @property
    def hook(self) -> str:
        """The hook's name in this stage."""
        return self._result.name

    @property
    def stage(self) -> Stage:
        """`inbound` (before the route is chosen) or `outbound` (what goes to the provider)."""
        return self._result.stage

    @property
    def client(self) -> Client:
        """Who asks: address, user agent, name of the client key."""
        return self._exchange.client

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self._draft.method

    @property
    def path(self) -> str:
        """The path, without its query: the client's inbound, the provider's outbound."""
        return self._draft.target.partition(b"?")[0].decode("latin-1")

    @property
    def dialect(self) -> str:
        """What the body speaks in this stage (`anthropic`, `openai`, …), or "" where nobody knows."""
        return self._draft.dialect

    @property
    def asks_model(self) -> bool:
        """Whether the request asks a model (for an answer or a count of tokens), so that there is `ctx.request`."""
        draft = self._draft
        return draft.form != "other" and draft.visible and draft.spoken is not None

    @property
    def generates(self) -> bool:
        """Whether a model's answer is asked for, and not a count of tokens, a list, an upload."""
        return self._draft.form == "generate"

    # The request

    @property
    def headers(self) -> HeaderView:
        """The header fields. Those of the connection, of ccproxy itself and, on the way to a provider that has a
        credential of its own, all that carry credentials are taken out behind the last hook."""
        # Made anew each time: one that was kept would make a cycle, in which whole exchanges wait to be collected.
        return HeaderView(self._draft, self._touch, self.tracked)

    @property
    def body(self) -> BodyView:
        """The JSON body by path."""
        return BodyView(self._draft, self._touch, self.tracked)

    @property
    def request(self) -> Request:
        """The body as a neutral value, the same for every dialect. Setting it writes the difference into the body.
        Raises HookError where no model is asked, BadRequest where the body cannot be read."""
        self._touch(False, ("body",))
        return self._draft.request

    @request.setter
    def request(self, request: Request) -> None:
        if request != self._draft.request:
            self._touch(True, ("body",))
            self._draft.set_request(request)

    @property
    def model(self) -> str:
        """The model asked for, or "". Setting it replaces it where the request names it."""
        self._touch(False, ("body", "model"))
        return self._draft.model

    @model.setter
    def model(self, model: str) -> None:
        if model != self._draft.model:
            self._touch(True, ("body", "model"))
            self._draft.set_model(model)

    @property
    def route(self) -> Route | None:
        """Where the request goes; None before that is decided."""
        self._touch(False, ("route",))
        return self._exchange.route

    def send_to(self, provider: str, *, model: str = "") -> None:
        """Sends the request to a configured provider, before any rule is asked. The last hook that does so counts.

        Args:
            provider: its name under `providers`.
            model: the model to ask there; "" keeps the client's.
        """
        if self.stage != "inbound":
            raise HookError("the route is chosen before outbound hooks run", hint="put the hook under hooks.inbound")
        self._touch(True, ("route",))
        self._draft.choice = Choice(provider, model, self.hook)

    # The conversation, other hooks, the application

    @property
    def session(self) -> str:
        """The id of the conversation, or "" where nobody knows."""
        self._touch(False, ("session",))
        return self._exchange.session

    @session.setter
    def session(self, session: str) -> None:
        if session != self._exchange.session:
            self._touch(True, ("session",))
            self._exchange.session = session

    def state[T](self, kind: type[T]) -> T:
        """This exchange's one object of a type of your own, made without arguments when it is first asked for. Hooks
        that name the same type share it, in both stages."""
        self._touch(False, ("state", kind.__name__))
        found = self._state.get(kind)
        if found is None:
            found = self._state[kind] = kind()
        return found  # type: ignore[return-value]

    @property
    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger with the hook's name and the flow's id."""
        if self._log is None:
            self._log = _Log(logging.getLogger(f"ccproxy.hooks.{self.hook}"), {"exchange": self.id})
        return self._log

    def note(self, text: str) -> None:
        """Has a line kept with the flow, for `ccproxy flows show`. It must not hold a secret."""
        self._result.notes.append(text)

    # Answers

    def respond(
        self,
        answer: str | Response | Mapping[str, Any] | bytes,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answers the client; no provider is asked, and no further hook runs.

        Args:
            answer: a text or `Response` is said as a model's answer, in the client's dialect and as a stream if that
                was asked for; a mapping is sent as JSON, bytes as they are.
            status: for a mapping or bytes.
            headers: further header fields.
        """
        self._touch(True, ("answer",))
        pairs = [field(name.lower(), value) for name, value in (headers or {}).items()]
        content: Response | bytes
        match answer:
            case str():
                content = Response("", self._draft.model, (Text(answer),), stop=Stop("end"))
            case Response():
                content = answer
            case bytes():
                content = answer
            case _:
                content = dumps(dict(answer))
                if all(name != b"content-type" for name, _ in pairs):
                    pairs.append((b"content-type", b"application/json"))
        if isinstance(content, Response) and not self.generates:
            raise HookError("a model's answer can only be given where one is asked for", hint="see ctx.generates")
        self._draft.reply = Reply(status, content, self.hook, tuple(pairs))

    def refuse(self, message: str, *, status: int = 403) -> NoReturn:
        """Ends the request with an error in the client's dialect. `on_error` does not change that.

        Args:
            message: one line for the user; must not hold a secret.
            status: the HTTP status.
        """
        raise Refused(f"hook {self.hook}: {message}", status=status)

    def on_event(self, function: EventFunction, *, edit: bool = False) -> None:
        """Has `function` called with each event of the answer as it passes (`ccproxy.lightllm.ir.events`).

        Args:
            function: plain, quick. Without `edit` what it returns does not matter, and the client gets the provider's
                bytes as they are. With it, None lets the event pass, an event or a list of events takes its place; the
                answer is written anew from the result.
            edit: whether it changes the answer.
        """
        self._touch(edit, ("answer",))
        self._answers.on_event(self, function, edit=edit)

    def on_part(self, function: PartFunction) -> None:
        """Has `function` called with each part of the answer (a text, a tool call, …) once it is complete."""
        self._touch(False, ("answer",))
        self._answers.on_part(self, function)

    def on_response(self, function: ResponseFunction) -> None:
        """Has `function` called with the whole answer once it has passed. Its `error` is set if it failed."""
        self._touch(False, ("answer",))
        self._answers.on_response(self, function)

    # For the pipeline

    def failed(self, error: str) -> None:
        """Notes what went wrong."""
        self._result.error = error

    def undo(self) -> bool:
        """Takes back what a hook that is skipped has edited. False if that is not possible any more, because another
        hook that ran at the same time has edited since."""
        mark = self._mark
        self._answers.forget(self)
        if mark is None:
            return False
        since = self._draft.editors[mark.edits :]
        if any(editor is not self for editor in since):
            return False
        self._draft.back_to(mark)
        self._result.changed.clear()
        return True

    def _touch(self, writes: bool, place: Place) -> None:
        if writes:
            self._draft.editors.append(self)
            changed = show(place)
            if changed not in self._result.changed:
                self._result.changed.append(changed)

"""Hooks at their places in the way of a request.

    body read -> inbound hooks -> route, conversion -> outbound hooks -> credential -> ... -> answer -> callbacks

An exchange without hooks goes past all of this. What inbound hooks make of a request stands in `Asked`, in place of the
client's own, which stays as it came. The answer of a provider is rewritten only where a hook edits it; hooks that watch
read it beside its way.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable
from dataclasses import dataclass, replace

from ccproxy.errors import CCProxyError
from ccproxy.exchange.exchange import Exchange, ResponseHead
from ccproxy.exchange.http import Headers, Snapshot
from ccproxy.exchange.route import Route
from ccproxy.gateway.conversion import Conversion, asks_array
from ccproxy.gateway.forward import set_model
from ccproxy.gateway.runtime import Runtime
from ccproxy.lightllm.dialect import Context
from ccproxy.lightllm.errors import info_of
from ccproxy.lightllm.ir.response import Response
from ccproxy.pipeline.draft import Choice, Draft, Form, Reply
from ccproxy.pipeline.graph import Node
from ccproxy.pipeline.overrides import wanted
from ccproxy.pipeline.pipelines import Pipelines
from ccproxy.pipeline.reply import written
from ccproxy.pipeline.runner import Configured, begin, is_called
from ccproxy.pipeline.tap import Tap
from ccproxy.routing.detect import Operation, detect
from ccproxy.routing.sentinel import Presented, presented
from ccproxy.util.clock import Clock

#: What a hook cannot write where it is not asked.
_EDITED = frozenset({"body", "route", "answer"})


@dataclass(slots=True)
class Asked:
    """The request as it goes on: the client's, or what inbound hooks have made of it.

    Attributes:
        request: method, target and header fields.
        content: the body; None for one that streams through.
        model: the model asked for, or "".
        choice: where a hook sends it.
    """

    request: Snapshot
    operation: Operation
    credentials: Presented
    content: bytes | None
    model: str
    choice: Choice | None = None


def hooked(runtime: Runtime, exchange: Exchange, clock: Clock) -> Hooked | None:
    """The hooks of an exchange, or None where none runs. Raises BadRequest or Forbidden for a request that asks for
    others and may not, or cannot."""
    pipelines = runtime.hooks
    overrides = wanted(exchange.request.headers, exchange.client)
    if overrides is not None:
        pipelines = pipelines.with_overrides(overrides)
    return Hooked(runtime, exchange, pipelines, clock) if pipelines else None


class Hooked:
    """The hooks of one exchange."""

    def __init__(self, runtime: Runtime, exchange: Exchange, pipelines: Pipelines, clock: Clock) -> None:
        self._runtime = runtime
        self._exchange = exchange
        self._pipelines = pipelines
        self._run = begin(exchange, runtime.services, clock)
        #: As the client speaks: what an answer in place of a provider's is written from.
        self._client: Draft | None = None
        self._asked: Asked | None = None

    async def inbound(self, asked: Asked) -> tuple[str, tuple[int, Headers, bytes]] | None:
        """Runs the inbound hooks on the request. Returns the answer that one of them gave, with the reason."""
        operation, request = asked.operation, asked.request
        draft = self._client = Draft(
            method=request.method,
            target=request.target,
            headers=request.headers,
            content=asked.content,
            body=request.document,
            dialect=operation.dialect,
            dialects=self._runtime.dialects,
            form=_form(operation),
            segment=operation.segment,
            path_model=operation.model,
            stream=_streams(operation),
            array=asks_array(operation, request.query),
        )
        self._asked = asked
        await self._pipelines.inbound.run(draft, self._run)
        if draft.reply is not None:
            return self._own(draft.reply)
        asked.choice = draft.choice
        if draft.changed:
            self._take(draft, asked)
        return None

    async def outbound(
        self, asked: Asked, route: Route, conversion: Conversion | None, headers: Headers | None
    ) -> tuple[Route, Headers | None, bytes | None, tuple[str, tuple[int, Headers, bytes]] | None]:
        """Runs the outbound hooks on what is to go to the provider.

        Args:
            headers: the header fields of a converted request.

        Returns the route (a model may stand in its path), the header fields in place of the client's (None: those), the
        body, and the answer that a hook gave, with the reason.
        """
        operation, request, content, dialect = asked.operation, asked.request, asked.content, asked.operation.dialect
        if conversion is not None and conversion.encoded is not None:
            content, dialect = conversion.encoded.body, conversion.source.name
        elif request is not self._exchange.request or self._pipelines.outbound:
            headers = request.headers.copy()
            if content and route.model:
                content = set_model(headers, content, route.model, request.document)
        if not self._pipelines.outbound:
            return route, headers, content, None
        assert headers is not None
        path, _, query = route.target.partition(b"?")
        there = detect(path.decode("latin-1"), query, Headers())
        draft = Draft(
            method=request.method,
            target=route.target,
            headers=headers,
            content=content,
            dialect=dialect,
            dialects=self._runtime.dialects,
            form=_form(operation),
            segment=there.segment,
            path_model=there.model,
            stream=_streams(there),
        )
        self._exchange.route = route
        await self._pipelines.outbound.run(draft, self._run)
        if draft.reply is not None:
            return route, headers, content, self._own(draft.reply)
        headers, content = draft.finish()
        if draft.changed:
            self._exchange.secrets.update(presented(headers, b"").secrets)
        if draft.target != route.target:
            route = replace(route, target=draft.target)
        return route, headers, content, None

    def conversion(self, conversion: Conversion | None, status: int) -> Conversion | None:
        """How the answer is written anew: as it is converted anyway, or because a hook edits it; None passes it on as it
        comes."""
        answers, asked = self._run.answers, self._asked
        if not answers:
            return conversion
        if conversion is not None:
            return replace(conversion, answers=answers)
        if not answers.edits or status >= 300 or asked is None or not asked.operation.generates:
            return None
        draft = self._client
        spoken = draft.spoken if draft is not None else None
        if draft is None or spoken is None:
            return None
        request = draft.request
        return Conversion(
            asked="generate",
            client=spoken,
            source=spoken,
            request=request,
            encoded=None,
            context=Context(request=request),
            form="json_array" if draft.array else "sse",
            recorder=None,
            answers=answers,
        )

    def watched(self, head: ResponseHead, chunks: AsyncIterable[bytes]) -> AsyncIterable[bytes]:
        """The bytes of an answer that is passed on as it comes, read beside their way by the hooks that watch. Raises
        HookError where one of these has failed and the answer with it."""
        tap = self._tap(head)
        return chunks if tap is None else self._tapped(tap, chunks)

    async def _tapped(self, tap: Tap, chunks: AsyncIterable[bytes]) -> AsyncGenerator[bytes]:
        answers = self._run.answers
        try:
            async for chunk in chunks:
                yield chunk
                tap.feed(chunk)
                if answers.failure is not None:
                    raise answers.failure
        except CCProxyError as error:
            tap.fail(info_of(error))
            raise
        tap.end()
        if answers.failure is not None:
            raise answers.failure

    def _tap(self, head: ResponseHead) -> Tap | None:
        answers, asked = self._run.answers, self._asked
        if not answers or asked is None or not asked.operation.generates:
            return None
        spoken = self._client.spoken if self._client is not None else None
        if spoken is None:
            return None
        return Tap(
            spoken,
            Context(),
            answers,
            status=head.status,
            content_type=head.headers.text(b"content-type").lower(),
            encoding=head.headers.text(b"content-encoding"),
            array=self._client is not None and self._client.array and bool(_streams(asked.operation)),
        )

    def _take(self, draft: Draft, asked: Asked) -> None:
        """What inbound hooks have edited goes on in place of the client's."""
        headers, content = draft.finish()
        asked.request = replace(asked.request, target=draft.target, headers=headers)
        asked.content = content
        asked.operation = detect(asked.request.path, asked.request.query, headers)
        asked.model = asked.operation.model or (draft.model if content else asked.model)
        asked.credentials = presented(headers, asked.request.query)
        self._exchange.secrets.update(asked.credentials.secrets)

    def _own(self, reply: Reply) -> tuple[str, tuple[int, Headers, bytes]]:
        """A hook's answer as status, header fields and body, in the client's dialect."""
        assert self._client is not None
        pairs = list(reply.headers)
        content = reply.content
        if isinstance(content, Response):
            kind, content = written(self._client, content)
            pairs.append((b"content-type", kind.encode()))
        return f"hook {reply.by}", (reply.status, Headers(pairs), content)


def needs_http(runtime: Runtime) -> bool:
    """Whether a hook would be passed by on a WebSocket that is relayed."""
    return any(
        is_called(one.hook) and _needs_http(one, node)
        for pipeline in (runtime.hooks.inbound, runtime.hooks.outbound)
        for one, node in zip(pipeline.hooks, pipeline.graph.nodes, strict=True)
    )


def _form(operation: Operation) -> Form:
    if operation.generates:
        return "generate"
    return "count_tokens" if operation.name == "count_tokens" else "other"


def _streams(operation: Operation) -> bool | None:
    """Whether the path asks for a stream; None where the body says it."""
    return operation.action.startswith("stream") if operation.action and operation.dialect == "gemini" else None


def _needs_http(one: Configured, node: Node) -> bool:
    """Whether a hook must see each request for models, or its answer."""
    return one.hook.locked or bool(_EDITED & {place[0] for place in node.writes}) or ("answer",) in node.reads

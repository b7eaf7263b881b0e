"""The WebSocket form of the API, as far as it differs from HTTP.

Each message is one JSON object: the client's `response.create` is a request's body with a type, the server's messages
are the data of the SSE events. Two things are the socket's own: a request that generates nothing (`generate: false`
only warms the cache), and `previous_response_id`, which here may name the last response of the same socket though
nothing is stored. `Conversation` remembers that one, so that a converted request holds the whole conversation.

Pure: a connection owns one `Conversation`, hands it the client's messages, and what answers them by HTTP, event by event.
"""

from __future__ import annotations

from ccproxy.errors import BadRequest
from ccproxy.lightllm.dialect import Context, SocketRequest
from ccproxy.lightllm.dialects.openai_responses.content import NAME
from ccproxy.lightllm.dialects.openai_responses.encode import ResponsesEncoder
from ccproxy.lightllm.dialects.openai_responses.errors import websocket_error
from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.lightllm.fields import Fields, ShapeError, as_list
from ccproxy.lightllm.ir.events import End, Start, Stop, UsageUpdate
from ccproxy.lightllm.ir.parts import JsonObject
from ccproxy.lightllm.ir.usage import Usage
from ccproxy.lightllm.jsontext import JsonError, dumps, loads, loads_or_none

#: Events with which an answer ends.
_LAST = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled", "error"})


class Conversation:
    """What one socket's `previous_response_id` stands for: the items of the last completed response and before."""

    __slots__ = ("_asked", "_id", "_items", "ended")

    def __init__(self) -> None:
        self._id = ""
        self._items: list[object] = []
        self._asked: list[object] = []
        self.ended = True

    def create(self, message: bytes | str) -> SocketRequest | ErrorInfo:
        """The request in a `response.create` message; an error for the client (see `error`) if it goes on from
        a response that is not the last one, upon which clients send everything. Raises BadRequest for anything else."""
        try:
            fields = Fields(loads(message), "message")
            kind = fields.text("type")
            if kind != "response.create":
                raise BadRequest(f"a message of type {kind[:40]!r}, which is not known", hint="send response.create")
            previous = fields.text("previous_response_id")
            stream_id = fields.text("stream_id")
            generate = fields.flag("generate") is not False and not _prewarms(fields)
            items = _items(fields.value("input"))
        except JsonError as problem:
            raise BadRequest(f"the message is not JSON: {problem}") from None
        except ShapeError as problem:
            raise BadRequest(str(problem)) from None
        if previous and previous != self._id:
            return ErrorInfo(
                "not_found",
                f"Previous response with id '{previous}' not found.",
                400,
                code="previous_response_not_found",
                param="previous_response_id",
                dialect=NAME,
                details={"type": "invalid_request_error"},
            )
        self._asked = [*self._items, *items] if previous else items
        self.ended = False
        return SocketRequest(dumps({**fields.rest(), "stream": True, "input": self._asked}), generate, stream_id)

    def prewarmed(self, context: Context, stream_id: str) -> list[bytes]:
        """The messages that answer a request which generates nothing."""
        encoder = ResponsesEncoder(context)
        model = context.request.model if context.request else ""
        events = (Start("", model), UsageUpdate(Usage(0, 0)), End(Stop("end")))
        frames = [frame for event in events for frame in encoder.event(event)]
        return [message for frame in frames if (message := self._message(frame.data, stream_id)) is not None]

    def event(self, data: bytes, stream_id: str) -> bytes | None:
        """The message for the data of one event of the answer's stream; None for what only says that it ends."""
        value = loads_or_none(data)
        return self._message(value, stream_id) if isinstance(value, dict) else None

    def error(self, error: ErrorInfo, stream_id: str) -> bytes:
        """The message for an error that by HTTP has a status."""
        return dumps(_named(websocket_error(error), stream_id))

    def _message(self, event: JsonObject | None, stream_id: str) -> bytes | None:
        if event is None:
            return None
        response = event.get("response")
        self.ended = self.ended or event.get("type") in _LAST
        if event.get("type") in ("response.completed", "response.incomplete") and isinstance(response, dict):
            self._answered(response)
        return dumps(_named(event, stream_id))

    def _answered(self, response: JsonObject) -> None:
        """The response ended the request of the last `create`. One that failed cannot be gone on from."""
        self._id = str(response.get("id") or "")
        output = response.get("output")
        self._items = [*self._asked, *(output if isinstance(output, list) else ())]


def _named(message: JsonObject, stream_id: str) -> JsonObject:
    return {**message, "stream_id": stream_id} if stream_id else message


def _prewarms(fields: Fields) -> bool:
    options = fields.mapping("prompt_cache_options")
    if options is None:
        return False
    prewarm = options.get("prewarm") is True
    fields.put_back("prompt_cache_options", {name: value for name, value in options.items() if name != "prewarm"})
    return prewarm


def _items(value: object) -> list[object]:
    if value is None:
        return []
    if isinstance(value, str):
        return [{"type": "message", "role": "user", "content": value}]
    return list(as_list(value, "message.input"))

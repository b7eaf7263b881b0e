"""The WebSocket form of the API, as far as it differs from HTTP.

Each message is one JSON object: the client's `response.create` is a request's body with a type, the server's messages
are the data of the SSE events. Two things are the socket's own: a request that generates nothing (`generate: false`
only warms the cache), and `previous_response_id`, which here may name the last response of the same socket though
nothing is stored. `Conversation` remembers that one, so that a converted request holds the whole conversation.

Pure: a connection owns one `Conversation`, hands it the client's messages and the responses that were completed.
"""

from __future__ import annotations

import msgspec

from ccproxy.errors import BadRequest
from ccproxy.lightllm.dialect import Context, Frame
from ccproxy.lightllm.dialects.openai_responses.content import NAME
from ccproxy.lightllm.dialects.openai_responses.encode import ResponsesEncoder
from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.lightllm.fields import Fields, ShapeError, as_list
from ccproxy.lightllm.ir.events import End, Start, Stop, UsageUpdate
from ccproxy.lightllm.ir.parts import JsonObject
from ccproxy.lightllm.ir.usage import Usage
from ccproxy.lightllm.jsontext import JsonError, dumps, loads


class Create(msgspec.Struct, frozen=True):
    """A request that came as a message.

    Attributes:
        body: what would have been the body of `POST /v1/responses`, with the whole conversation in `input`.
        generate: whether an answer is wanted; if not, `prewarmed` is all there is to say.
        stream_id: the client's name for this exchange on the socket, or "": every message about it repeats it.
    """

    body: bytes
    generate: bool
    stream_id: str


class Conversation:
    """What one socket's `previous_response_id` stands for: the items of the last completed response and before."""

    __slots__ = ("_asked", "_id", "_items")

    def __init__(self) -> None:
        self._id = ""
        self._items: list[object] = []
        self._asked: list[object] = []

    def create(self, message: bytes | str) -> Create | ErrorInfo:
        """The request in a `response.create` message; an error for the client (see `errors.websocket_error`) if it goes
        on from a response that is not the last one, upon which clients send everything. Raises BadRequest for anything
        else."""
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
        return Create(dumps({**fields.rest(), "stream": True, "input": self._asked}), generate, stream_id)

    def answered(self, response: JsonObject) -> None:
        """The response (as the last event of its stream has it) that ended the request of the last `create`. One that
        failed cannot be gone on from, and need not be told."""
        self._id = str(response.get("id") or "")
        output = response.get("output")
        self._items = [*self._asked, *(output if isinstance(output, list) else ())]


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


def prewarmed(context: Context) -> list[Frame]:
    """The answer to a request that generates nothing."""
    encoder = ResponsesEncoder(context)
    events = (Start("", context.request.model if context.request else ""), UsageUpdate(Usage(0, 0)), End(Stop("end")))
    return [frame for event in events for frame in encoder.event(event)]


def message_of(frame: Frame, stream_id: str = "") -> bytes | None:
    """A frame as a message, or None for a keep-alive, which a socket has of its own."""
    if frame.data is None:
        return None
    return dumps({**frame.data, "stream_id": stream_id} if stream_id else frame.data)

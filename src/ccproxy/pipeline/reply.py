"""A model's answer that no model gave: a `Response` written in the client's dialect, as a stream or as one document."""

from __future__ import annotations

import msgspec

from ccproxy.errors import BadRequest
from ccproxy.lightllm.dialect import Context, Dialect
from ccproxy.lightllm.ir.request import Request
from ccproxy.lightllm.ir.response import Response, unfold
from ccproxy.lightllm.translate import CONTENT_TYPES, ArrayWriter, SseWriter
from ccproxy.pipeline.draft import Draft


def written(draft: Draft, answer: Response) -> tuple[str, bytes]:
    """Content type and body that say `answer` to the client of a request.

    Raises BadRequest where the dialect of the client is not known.
    """
    dialect = draft.spoken
    if dialect is None:
        raise BadRequest("a hook answers in place of a model, and nobody knows what dialect the client speaks")
    request: Request | None = None
    if draft.form != "other":
        request = draft.request
    return _say(dialect, answer, request, array=draft.array)


def _say(dialect: Dialect, answer: Response, request: Request | None, *, array: bool) -> tuple[str, bytes]:
    context = Context(request=request)
    answer = msgspec.structs.replace(
        answer,
        id=answer.id or f"ccproxy-{context.new_id()}",
        created=answer.created or context.now(),
        model=answer.model or (request.model if request is not None else ""),
    )
    encoder = dialect.encoder(context)
    frames = [frame for event in unfold(answer) for frame in encoder.event(event)]
    if request is None or not request.stream:
        return "application/json", dialect.collect(frames)
    writer = ArrayWriter() if array else SseWriter()
    return CONTENT_TYPES["json_array" if array else "sse"], writer.write(frames) + writer.close()

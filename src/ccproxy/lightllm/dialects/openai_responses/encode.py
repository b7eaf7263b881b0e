"""Answers out: events become the frames of a Responses stream; the buffered response is the last of them.

An item stays open until a part of another item comes, so that neighbouring texts share one message and the texts of one
reasoning item stay together. Every index, id and whole text is said in each event that the protocol has for it: clients
rely on any of them.

Declared normalisations: fields that repeat the request are those of the request; unknown counts are 0; every item has
an id; `status` of items is said anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ccproxy.lightllm.dialect import Context, Frame
from ccproxy.lightllm.dialects.openai_responses import builtin
from ccproxy.lightllm.dialects.openai_responses.content import NAME, output_text, write_citation
from ccproxy.lightllm.dialects.openai_responses.echo import response_object
from ccproxy.lightllm.dialects.openai_responses.errors import error_event, stream_code
from ccproxy.lightllm.dialects.openai_responses.read import UNNAMED
from ccproxy.lightllm.dialects.openai_responses.usage import write_usage
from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.lightllm.ir.events import CitationDelta, End, RawDelta, Start, StopReason
from ccproxy.lightllm.ir.parts import (
    Citation,
    Image,
    JsonObject,
    Opaque,
    Part,
    Refusal,
    ServerTool,
    Signature,
    Text,
    Thinking,
    ToolCall,
)
from ccproxy.lightllm.jsontext import dumps
from ccproxy.lightllm.machine import BaseEncoder
from ccproxy.lightllm.signatures import wrap

#: `incomplete_details.reason` of our reasons; the others are complete.
_INCOMPLETE: dict[StopReason, str] = {
    "max_tokens": "max_output_tokens",
    "context_window": "max_output_tokens",
    "pause": "max_output_tokens",
    "content_filter": "content_filter",
    "refusal": "content_filter",
    "other": "content_filter",
}


class ResponsesEncoder(BaseEncoder):
    """Events become frames for a Responses client."""

    speaks = (Text, Refusal, Thinking, ToolCall, ServerTool, Opaque, Image)

    def __init__(self, context: Context) -> None:
        super().__init__(context, NAME)
        self._response: JsonObject = {}
        self._output: list[JsonObject] = []
        self._number = 0
        #: The open item as it will be, and the item id of its parts in the IR.
        self._item: JsonObject | None = None
        self._group = ""
        self._pieces: list[str] = []
        self._citations: list[Citation] = []
        self._builtins = builtin.of_request(context.request)
        self._refused = False
        #: What the events of the open part repeat.
        self._place: JsonObject = {}

    def can_say(self, part: Part) -> bool:
        return super().can_say(part) and not (isinstance(part, Image) and part.source.kind != "base64")

    # The response

    def on_start(self, event: Start) -> list[Frame]:
        context = self.context
        self._response = response_object(
            event.id or f"resp_{context.new_id()}",
            context.now() if event.created is None else event.created,
            context.model or event.model,
            context.request,
        )
        begun = dict(self._response)
        return [self._frame("response.created", response=begun), self._frame("response.in_progress", response=begun)]

    def on_end(self, event: End) -> list[Frame]:
        stop = event.stop
        incomplete = _INCOMPLETE.get(stop.reason, "")
        if stop.reason == "refusal" and self._refused:
            incomplete = ""
        frames = self._close("incomplete" if incomplete and self._is_message() else "completed")
        response = self._final("incomplete" if incomplete else "completed")
        if incomplete:
            own = self.source == NAME and stop.native
            details = stop.details if self.source == NAME else {}
            response["incomplete_details"] = {"reason": stop.native if own else incomplete, **details}
        else:
            response["completed_at"] = self.context.now()
        if self.source == NAME:
            response |= event.extras
        kind = "response.incomplete" if incomplete else "response.completed"
        return [*frames, self._frame(kind, response=response)]

    def on_failed(self, error: ErrorInfo) -> list[Frame]:
        """`error`, at which the official SDKs raise, and `response.failed`, at which Codex does."""
        response = self._final("failed")
        response["error"] = {"code": stream_code(error), "message": error.message}
        return [self._frame(**error_event(error)), self._frame("response.failed", response=response)]

    def _final(self, status: str) -> JsonObject:
        usage = write_usage(self.usage, self.source)
        response = self._response | {"status": status, "output": self._output, "usage": usage}
        if self.usage is not None and self.source == NAME and "tool_usage" in self.usage.extras:
            response["tool_usage"] = self.usage.extras["tool_usage"]
        return response

    # Parts

    def on_part_start(self, part: Part) -> list[Frame]:
        match part:
            case Text() | Refusal():
                return self._begin_said(part)
            case Thinking():
                return self._begin_thinking(part)
            case ToolCall():
                return self._begin_call(part)
            case ServerTool() | Opaque():
                frames = self._close()
                self._item = part.raw
                return [*frames, self._item_frame("added", part.raw)]
            case Image():
                return self._close() + self._whole(self._image(part))
            case _:
                return []

    def on_text(self, text: str) -> list[Frame]:
        self._pieces.append(text)
        if type(self.part) is Text:
            return [self._frame("response.output_text.delta", **self._place, delta=text, logprobs=[])]
        return [self._frame("response.refusal.delta", **self._place, delta=text)]

    def on_thinking(self, text: str) -> list[Frame]:
        frames: list[Frame] = [] if self._pieces else self._begin_thought()
        self._pieces.append(text)
        return [*frames, self._frame(self._thought("delta"), **self._place, delta=text)]

    def on_args(self, text: str) -> list[Frame]:
        self._pieces.append(text)
        if not self._place:
            return []
        return [self._frame(self._called("delta"), **self._place, delta=text)]

    def on_signature(self, signature: Signature) -> list[Frame]:
        if isinstance(self.part, Thinking) and self._item is not None:
            self._seal(self._item, signature)
            return []
        self.context.ledger.dropped(
            f"answer.parts[{self.parts}].signature", "items have no place for it", signature.origin
        )
        return []

    def on_citation(self, event: CitationDelta) -> list[Frame]:
        # Where a citation ends is known with the end of its text.
        if write_citation(event.citation, 0) is None:
            return super().on_citation(event)
        self._citations.append(event.citation)
        return []

    def on_raw(self, event: RawDelta) -> list[Frame]:
        if self._item is not None:
            self._item = self._item | event.fields
        return []

    def on_part_end(self, part: Part) -> list[Frame]:
        text = "".join(self._pieces)
        match part:
            case Text():
                return self._end_text(part, text)
            case Refusal():
                return self._end_content({"type": "refusal", "refusal": text, **_content(part.extras, self.source)})
            case Thinking():
                return self._end_thought(text) if self._pieces else []
            case ToolCall():
                return self._end_call(part, text)
            case ServerTool() | Opaque():
                return self._close()
            case _:
                return []

    # Messages

    def _begin_said(self, part: Text | Refusal) -> list[Frame]:
        frames: list[Frame] = []
        if not (self._is_message() and self._group == part.item):
            frames = self._close()
            item = {"type": "message", "id": self._id("msg", part.item), "status": "in_progress", "role": "assistant"}
            extras = {n: v for n, v in part.extras.items() if n != "content"} if self.source == NAME else {}
            frames += self._open({**item, "content": [], **extras}, part.item)
        if isinstance(part, Text):
            begun = output_text("", [], {"logprobs": []})
        else:
            self._refused = True
            begun = {"type": "refusal", "refusal": ""}
        self._place |= {"content_index": len(self._content_list())}
        return [*frames, self._frame("response.content_part.added", **self._place, part=begun)]

    def _end_text(self, part: Text, text: str) -> list[Frame]:
        annotations: list[JsonObject] = []
        frames: list[Frame] = []
        for citation in self._citations:
            if (annotation := write_citation(citation, len(text))) is None:
                continue
            frames.append(
                self._frame(
                    "response.output_text.annotation.added",
                    **self._place,
                    annotation_index=len(annotations),
                    annotation=annotation,
                )
            )
            annotations.append(annotation)
        self._citations = []
        frames.append(self._frame("response.output_text.done", **self._place, text=text, logprobs=[]))
        further = {"logprobs": [], **_content(part.extras, self.source)}
        return frames + self._end_content(output_text(text, annotations, further))

    def _end_content(self, content: JsonObject) -> list[Frame]:
        frames: list[Frame] = []
        if content["type"] == "refusal":
            frames.append(self._frame("response.refusal.done", **self._place, refusal=content["refusal"]))
        frames.append(self._frame("response.content_part.done", **self._place, part=content))
        self._content_list().append(content)
        self._pieces = []
        return frames

    def _content_list(self) -> list[JsonObject]:
        content: list[JsonObject] = (self._item or {})["content"]
        return content

    def _is_message(self) -> bool:
        return self._item is not None and self._item["type"] == "message"

    # Reasoning

    def _begin_thinking(self, part: Thinking) -> list[Frame]:
        frames: list[Frame] = []
        is_same = (
            self._item is not None and self._item["type"] == "reasoning" and part.item and self._group == part.item
        )
        if not is_same:
            frames = self._close()
            item: JsonObject = {"type": "reasoning", "id": self._id("rs", part.item), "summary": []}
            if self.source == NAME:
                item |= part.extras
            frames += self._open(item, part.item)
        if part.form == "redacted" and part.signature is not None and self._item is not None:
            self._seal(self._item, part.signature, whole=True)
        return frames

    def _seal(self, item: JsonObject, signature: Signature, *, whole: bool = False) -> None:
        place = "whole" if whole and signature.origin != NAME else "here"
        item["encrypted_content"] = wrap(signature, NAME, place)  # type: ignore[arg-type]

    def _is_full(self) -> bool:
        """Whether the open thinking is the model's own words, which only its own dialect keeps from the client's eye."""
        return isinstance(self.part, Thinking) and self.part.form == "full" and self.source == NAME

    def _thought(self, what: str) -> str:
        return f"response.reasoning_text.{what}" if self._is_full() else f"response.reasoning_summary_text.{what}"

    def _begin_thought(self) -> list[Frame]:
        item = self._item or {}
        place = {"item_id": item.get("id"), "output_index": len(self._output)}
        if self._is_full():
            self._place = {**place, "content_index": len(item.setdefault("content", []))}
            return []
        self._place = {**place, "summary_index": len(item["summary"])}
        part = {"type": "summary_text", "text": ""}
        return [self._frame("response.reasoning_summary_part.added", **self._place, part=part)]

    def _end_thought(self, text: str) -> list[Frame]:
        item = self._item or {}
        frames = [self._frame(self._thought("done"), **self._place, text=text)]
        if self._is_full():
            item["content"].append({"type": "reasoning_text", "text": text})
        else:
            part = {"type": "summary_text", "text": text}
            frames.append(self._frame("response.reasoning_summary_part.done", **self._place, part=part))
            item["summary"].append(part)
        self._pieces = []
        return frames

    # Calls

    def _begin_call(self, part: ToolCall) -> list[Frame]:
        frames = self._close()
        if part.signature is not None:
            # A reasoning item without text carries the signature of the call after it.
            sealed = wrap(part.signature, NAME, "next")
            item: JsonObject = {
                "type": "reasoning",
                "id": self._id("rs", ""),
                "summary": [],
                "encrypted_content": sealed,
            }
            frames += self._whole(item)
        if self._builtin(part) is not None:
            # Its item has an object for arguments: it can begin only when they are whole.
            return frames
        item = {"type": "custom_tool_call" if part.kind == "custom" else "function_call"}
        item |= {"id": self._id("ctc" if part.kind == "custom" else "fc", part.item), "call_id": part.id}
        item["name"] = part.name
        if part.namespace:
            item["namespace"] = part.namespace
        item |= {"input" if part.kind == "custom" else "arguments": "", "status": "in_progress"}
        if self.source == NAME:
            item |= part.extras
        return frames + self._open(item, part.item)

    def _builtin(self, part: ToolCall) -> builtin.Builtin | None:
        """The tool of OpenAI's definition that is called, if it is one."""
        if self.source == NAME and (kind := builtin.CALLS.get(str(part.extras.get("type")))) is not None:
            return kind
        return None if part.namespace else self._builtins.get(part.name)

    def _called(self, what: str) -> str:
        custom = self._item is not None and self._item["type"] == "custom_tool_call"
        return f"response.custom_tool_call_input.{what}" if custom else f"response.function_call_arguments.{what}"

    def _end_call(self, part: ToolCall, args: str) -> list[Frame]:
        self._pieces = []
        kind = self._builtin(part)
        if kind is not None:
            item = builtin.call_item(kind, part.id, args, self._id(kind.item, part.item))
            if self.source == NAME:
                item |= {name: value for name, value in part.extras.items() if name != "type"}
            return self._whole(item)
        begun = self._item or {}
        frames: list[Frame] = []
        field = "input" if part.kind == "custom" else "arguments"
        if not args and field == "arguments":
            args = "{}"
            frames.append(self._frame(self._called("delta"), **self._place, delta=args))
        begun[field] = args
        return [*frames, self._frame(self._called("done"), **self._place, **{field: args}), *self._close()]

    def _image(self, part: Image) -> JsonObject:
        own = part.extras.get("image_generation_call") if self.source == NAME else None
        item: JsonObject = {"type": "image_generation_call", "status": "completed"}
        item |= own or {"id": self._id("ig", ""), "output_format": part.source.media_type.rpartition("/")[2] or "png"}
        return {**item, "result": part.source.data}

    # Items

    def _open(self, item: JsonObject, group: str) -> list[Frame]:
        """An item begins: a copy of it is said, it itself grows."""
        self._item, self._group = item, group
        self._pieces = []
        self._place = {"item_id": item["id"], "output_index": len(self._output)}
        begun = {name: list(value) if isinstance(value, list) else value for name, value in item.items()}
        return [self._item_frame("added", begun)]

    def _close(self, status: str = "completed") -> list[Frame]:
        """The open item, if there is one, is complete."""
        item, self._item, self._place = self._item, None, {}
        if item is None:
            return []
        if item.get("status") == "in_progress":
            item["status"] = status
        frame = self._item_frame("done", item)
        self._output.append(item)
        return [frame]

    def _whole(self, item: JsonObject) -> list[Frame]:
        """An item that comes all at once."""
        begun = {**item, "status": "in_progress"} if item.get("status") == "completed" else item
        frames = [self._item_frame("added", begun), self._item_frame("done", item)]
        self._output.append(item)
        return frames

    def _item_frame(self, what: str, item: JsonObject) -> Frame:
        return self._frame(f"response.output_item.{what}", output_index=len(self._output), item=item)

    def _id(self, prefix: str, item: str) -> str:
        return item if item and not item.startswith(UNNAMED) else f"{prefix}_{self.context.new_id()}"

    def _frame(self, type: str, **fields: Any) -> Frame:  # noqa: A002
        number = self._number
        self._number = number + 1
        return Frame({"type": type, "sequence_number": number, **fields}, type)


def _content(extras: JsonObject, source: str) -> JsonObject:
    """The extras of a content part that was this dialect's own."""
    found: JsonObject = extras.get("content", {}) if source == NAME else {}
    return found


def collect(frames: Sequence[Frame]) -> bytes:
    """The buffered response that the frames of one complete answer end in."""
    return dumps(next(frame.data["response"] for frame in reversed(frames) if frame.data and "response" in frame.data))

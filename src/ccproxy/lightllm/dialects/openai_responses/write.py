"""Messages as items: the writing of `input`. `read.py` is the way in.

An item's parts stand next to each other in a message and share its id (`item`); parts without one are items of their own.
"""

from __future__ import annotations

from collections.abc import Iterable

from ccproxy.errors import Untranslatable
from ccproxy.lightllm.dialects.openai_responses import builtin
from ccproxy.lightllm.dialects.openai_responses.content import output_text, write_citation, write_content
from ccproxy.lightllm.dialects.openai_responses.read import AS_ITEM, UNNAMED
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.ir.parts import (
    Image,
    JsonObject,
    Opaque,
    Part,
    Refusal,
    ServerTool,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from ccproxy.lightllm.ir.request import Message
from ccproxy.lightllm.toolids import safe

#: The most characters of a call's id.
_ID_LENGTH = 64

#: What stands before the output of a tool that failed, because its item cannot say so.
FAILED = "The tool reported an error:"


def write_input(messages: Iterable[Message], ledger: LossLedger, *, own: bool) -> list[JsonObject]:
    """The items of `messages`. `own` is whether they came in this dialect. Raises Untranslatable."""
    items: list[JsonObject] = []
    for index, message in enumerate(messages):
        path = f"messages[{index}]"
        if message.name:
            ledger.dropped(f"{path}.name", "Responses has no names of speakers", message.name)
        if not message.parts and not own:
            ledger.repaired(f"messages[{index}]", "a message without content, which says nothing")
        elif message.role == "assistant":
            _assistant(message, path, ledger, items)
        else:
            _other(message, path, ledger, items, own)
    return items


# Turns of the user, the system, the developer


def _other(message: Message, path: str, ledger: LossLedger, items: list[JsonObject], own: bool) -> None:
    parts = message.parts
    if AS_ITEM in message.extras:
        items += [part.raw for part in parts if isinstance(part, Opaque)]
        return
    run: list[Part] = []
    for index, part in enumerate(parts):
        if not isinstance(part, ToolResult):
            run.append(part)
            continue
        if run:
            items.append(_message(message, run, path, ledger))
            run = []
        items.append(write_result(part, f"{path}.parts[{index}]", ledger, own=own))
    if run or not parts:
        items.append(_message(message, run, path, ledger))


def _message(message: Message, parts: list[Part], path: str, ledger: LossLedger) -> JsonObject:
    item = next((part.item for part in parts if type(part) is Text and part.item), "")
    return {
        "type": "message",
        **({"id": item} if item else {}),
        "role": message.role,
        "content": write_content(parts, f"{path}.content", ledger),
        **message.extras,
    }


def write_result(part: ToolResult, path: str, ledger: LossLedger, *, own: bool) -> JsonObject:
    """The item of a tool's result."""
    kind = builtin.OUTPUTS.get(str(part.extras.get("type")))
    if kind is not None:
        return builtin.write_output(kind, part)
    content = part.content
    if part.is_error:
        ledger.approximated(f"{path}.is_error", "results cannot say that the tool failed", True, "a text before it")
        first = content[0] if content else Text("")
        if isinstance(first, Text):
            content = (Text(f"{FAILED}\n{first.text}".rstrip("\n"), cache=first.cache), *content[1:])
        else:
            content = (Text(FAILED), *content)
    written: JsonObject = {"type": "custom_tool_call_output" if part.kind == "custom" else "function_call_output"}
    if part.item:
        written["id"] = part.item
    written["call_id"] = call_id(part.call_id)
    if part.name and own:
        written["name"] = part.name
    if not content:
        written["output"] = ""
    elif len(content) == 1 and type(only := content[0]) is Text and only.cache is None and not only.extras:
        written["output"] = only.text
    else:
        written["output"] = write_content(content, f"{path}.content", ledger)
    return written | part.extras


def call_id(given: str) -> str:
    """A call's id within the API's length."""
    return given if len(given) <= _ID_LENGTH else safe(given, _ID_LENGTH)


# Turns of the model


def _assistant(message: Message, path: str, ledger: LossLedger, items: list[JsonObject]) -> None:
    parts = message.parts
    index = 0
    while index < len(parts):
        part = parts[index]
        at = f"{path}.parts[{index}]"
        end = index + 1
        match part:
            case Text() | Refusal():
                while end < len(parts) and isinstance(parts[end], Text | Refusal) and _same_item(part, parts[end]):
                    end += 1
                items.append(_answer(parts[index:end]))
            case Thinking():
                while end < len(parts) and isinstance(parts[end], Thinking) and _same_item(part, parts[end]):
                    end += 1
                items.append(_reasoning(parts[index:end]))
            case ToolCall():
                items.append(_call(part))
            case ServerTool() | Opaque():
                items.append(part.raw)
            case Image() if "image_generation_call" in part.extras:
                rest = part.extras["image_generation_call"]
                items.append({"type": "image_generation_call", **rest, "result": part.source.data})
            case _:
                raise Untranslatable(f"{at}: a {type(part).__name__.lower()} in an answer of the history")
        index = end


def _same_item(part: Part, other: Part) -> bool:
    item: str = getattr(part, "item", "")
    return bool(item) and item == getattr(other, "item", "")


def _answer(parts: tuple[Part, ...]) -> JsonObject:
    """A message of the model's. Only one that came with an id has the strict form of an answer."""
    first = parts[0]
    item: str = getattr(first, "item", "")
    extras = {name: value for name, value in getattr(first, "extras", {}).items() if name != "content"}
    written: JsonObject = {"type": "message", "role": "assistant"}
    if not item and isinstance(first, Text) and not first.citations and "content" not in first.extras:
        return {**written, "content": first.text, **extras}
    if item and not item.startswith(UNNAMED):
        written |= {"id": item, "status": "completed"}
    return {**written, "content": [_said(part) for part in parts], **extras}


def _said(part: Part) -> JsonObject:
    if isinstance(part, Refusal):
        return {"type": "refusal", "refusal": part.text, **part.extras.get("content", {})}
    if not isinstance(part, Text):
        raise AssertionError("an answer's message holds texts and refusals")
    annotations = [written for one in part.citations if (written := write_citation(one, len(part.text))) is not None]
    return output_text(part.text, annotations, part.extras.get("content"))


def _reasoning(parts: tuple[Part, ...]) -> JsonObject:
    """A reasoning item. An id is never made up: OpenAI checks it against what it sealed."""
    written: JsonObject = {"type": "reasoning"}
    summary: list[JsonObject] = []
    content: list[JsonObject] = []
    sealed = ""
    extras: JsonObject = {}
    for part in parts:
        if not isinstance(part, Thinking):
            raise AssertionError("a reasoning item holds thinking")
        if part.item and not part.item.startswith(UNNAMED):
            written["id"] = part.item
        if part.form == "full":
            content.append({"type": "reasoning_text", "text": part.text})
        elif part.text or part.form == "summary":
            summary.append({"type": "summary_text", "text": part.text})
        if part.signature is not None:
            sealed = part.signature.value
        extras |= part.extras
    written["summary"] = summary
    if content:
        written["content"] = content
    if sealed:
        written["encrypted_content"] = sealed
    return written | extras


def _call(part: ToolCall) -> JsonObject:
    kind = builtin.CALLS.get(str(part.extras.get("type")))
    if kind is not None:
        return builtin.write_call(kind, part, part.item)
    written: JsonObject = {"type": "custom_tool_call" if part.kind == "custom" else "function_call"}
    if part.item:
        written["id"] = part.item
    written |= {"call_id": call_id(part.id), "name": part.name}
    if part.namespace:
        written["namespace"] = part.namespace
    if part.kind == "custom":
        written["input"] = part.args
    else:
        written["arguments"] = part.args or "{}"
    return written | part.extras

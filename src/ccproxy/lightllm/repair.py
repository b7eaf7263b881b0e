"""Puts broken histories right, where `lightllm.repair` asks for it; every change is recorded.

Clients that were cut off, or edited their history, send tool results without a call, calls without a result, or one id
twice; providers refuse such a conversation for ever. A healthy history comes back as the same object.
"""

from __future__ import annotations

import msgspec

from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.ir.parts import Part, Text, ToolCall, ToolResult
from ccproxy.lightllm.ir.request import Message

NO_RESULT = "No result was recorded for this call."


def repaired(messages: tuple[Message, ...], ledger: LossLedger) -> tuple[Message, ...]:
    """`messages` with every call answered once and every result asked for."""
    state = _Repair(ledger)
    for index, message in enumerate(messages):
        state.message(message, f"messages[{index}]")
    # The calls of the last turn may still be under way at the client.
    return tuple(state.messages) if state.changed else messages


class _Repair:
    def __init__(self, ledger: LossLedger) -> None:
        self.messages: list[Message] = []
        self.changed = False
        self._ledger = ledger
        self._used: set[str] = set()
        #: Calls without a result yet: the id in the history → the id they have now, in order.
        self._open: dict[str, list[str]] = {}

    def message(self, message: Message, path: str) -> None:
        if message.role == "assistant":
            self._close(path)
            parts = tuple(self._call(part, path) for part in message.parts)
        else:
            if message.role == "user" and not any(isinstance(part, ToolResult) for part in message.parts):
                self._close(path)
            parts = tuple(self._result(part, path) for part in message.parts)
        if any(new is not old for new, old in zip(parts, message.parts, strict=True)):
            self.changed = True
            message = msgspec.structs.replace(message, parts=parts)
        self.messages.append(message)

    def _call(self, part: Part, path: str) -> Part:
        if not isinstance(part, ToolCall):
            return part
        unique, n = part.id, 1
        while unique in self._used:
            n += 1
            unique = f"{part.id}_{n}"
        self._used.add(unique)
        self._open.setdefault(part.id, []).append(unique)
        if unique == part.id:
            return part
        self._ledger.repaired(f"{path}.tool_call.id", "the id was used before", part.id, unique)
        return msgspec.structs.replace(part, id=unique)

    def _result(self, part: Part, path: str) -> Part:
        if not isinstance(part, ToolResult):
            return part
        waiting = self._open.get(part.call_id)
        if not waiting:
            self._ledger.repaired(f"{path}.tool_result", "no call before it has this id", part.call_id, "text")
            text = "\n".join(inner.text for inner in part.content if isinstance(inner, Text))
            return Text(f"Result of the tool call {part.call_id}:\n{text}")
        unique = waiting.pop(0)
        if not waiting:
            del self._open[part.call_id]
        return part if unique == part.call_id else msgspec.structs.replace(part, call_id=unique)

    def _close(self, path: str) -> None:
        """Answers the calls that the conversation went on without."""
        missing = [unique for waiting in self._open.values() for unique in waiting]
        self._open.clear()
        if not missing:
            return
        self.changed = True
        for unique in missing:
            self._ledger.repaired(f"{path}.tool_call", "the call before has no result", unique, NO_RESULT)
        results = tuple(ToolResult(unique, (Text(NO_RESULT),), is_error=True) for unique in missing)
        last = self.messages[-1]
        if last.role == "user":
            self.messages[-1] = msgspec.structs.replace(last, parts=(*results, *last.parts))
        else:
            self.messages.append(Message("user", results))

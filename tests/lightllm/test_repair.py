"""Broken histories put right, healthy ones left alone."""

from __future__ import annotations

from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.ir.parts import Text, ToolCall, ToolResult
from ccproxy.lightllm.ir.request import Message
from ccproxy.lightllm.repair import NO_RESULT, repaired


def user(*parts: object) -> Message:
    return Message("user", parts)  # type: ignore[arg-type]


def assistant(*parts: object) -> Message:
    return Message("assistant", parts)  # type: ignore[arg-type]


HEALTHY = (
    user(Text("a")),
    assistant(Text("b"), ToolCall("1", "f"), ToolCall("2", "f")),
    user(ToolResult("1", (Text("x"),)), ToolResult("2")),
    assistant(ToolCall("3", "f")),
    user(ToolResult("3")),
    user(Text("c")),
    assistant(ToolCall("4", "f")),
)


def test_a_healthy_history_is_the_same_object() -> None:
    ledger = LossLedger()
    assert repaired(HEALTHY, ledger) is HEALTHY
    assert len(ledger) == 0


def test_a_result_without_a_call_becomes_text() -> None:
    ledger = LossLedger()
    fixed = repaired((user(Text("a"), ToolResult("9", (Text("lost"),))),), ledger)
    assert fixed == (user(Text("a"), Text("Result of the tool call 9:\nlost")),)
    assert [loss.kind for loss in ledger] == ["repaired"]


def test_a_second_result_of_a_call_becomes_text() -> None:
    ledger = LossLedger()
    fixed = repaired((assistant(ToolCall("1", "f")), user(ToolResult("1"), ToolResult("1", (Text("x"),)))), ledger)
    assert fixed[1] == user(ToolResult("1"), Text("Result of the tool call 1:\nx"))


def test_a_call_without_a_result_gets_one() -> None:
    ledger = LossLedger()
    missing = ToolResult("1", (Text(NO_RESULT),), is_error=True)
    assert repaired((assistant(ToolCall("1", "f")), user(Text("go on"))), ledger) == (
        assistant(ToolCall("1", "f")),
        user(missing),
        user(Text("go on")),
    )
    both = (assistant(ToolCall("1", "f"), ToolCall("2", "f")), user(ToolResult("2")), assistant(Text("x")))
    assert repaired(both, ledger)[1] == user(missing, ToolResult("2"))


def test_a_repeated_id_is_told_apart_with_its_result() -> None:
    ledger = LossLedger()
    fixed = repaired(
        (
            assistant(ToolCall("1", "f"), ToolCall("1", "g")),
            user(ToolResult("1", (Text("f"),)), ToolResult("1", (Text("g"),))),
            assistant(ToolCall("1", "h")),
            user(ToolResult("1", (Text("h"),))),
        ),
        ledger,
    )
    assert fixed == (
        assistant(ToolCall("1", "f"), ToolCall("1_2", "g")),
        user(ToolResult("1", (Text("f"),)), ToolResult("1_2", (Text("g"),))),
        assistant(ToolCall("1_3", "h")),
        user(ToolResult("1_3", (Text("h"),))),
    )
    assert len(ledger) == 2
    assert repaired(fixed, ledger) is fixed

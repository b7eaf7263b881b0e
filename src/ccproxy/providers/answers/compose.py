"""What a stand-in model says to a request: a tool call or a text, inside the limits the client set.

A word counts as a token, so `max_tokens` and the reported usage agree with each other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from ccproxy.providers.answers.asked import Asked, Tool
from ccproxy.providers.answers.schema import example
from ccproxy.providers.answers.script import Part, Script, Stop, Text, ToolCall, Usage, estimate_tokens, new_id, words

#: Tools that only look, by how people name them. A stand-in's invented arguments should do no harm.
_LOOKING = re.compile(
    r"^(get|list|ls|read|search|find|fetch|look|query|glob|grep|show|view|weather|time|add|echo)", re.I
)
_SHELL = re.compile(r"^(bash|shell|exec|exec_command|run_shell_command)$", re.I)


def choose_tool(asked: Asked) -> Tool | None:
    """The tool to use, or None where there is none to use: the one the client insists on, else one its text names, else
    one that looks harmless, else the first."""
    if asked.choice == "none" or not asked.tools:
        return None
    for tool in asked.tools:
        if tool.name == asked.choice:
            return tool
    spoken = set(re.findall(r"[\w.-]+", asked.text.lower()))
    by_name = [tool for tool in asked.tools if tool.name.lower() in spoken]
    harmless = [tool for tool in asked.tools if _SHELL.match(tool.name)]
    harmless += [tool for tool in asked.tools if _LOOKING.match(tool.name)]
    return [*by_name, *harmless, *asked.tools][0]


def wants_tool(asked: Asked, *, once: bool) -> bool:
    """Whether the answer should be a tool call. `once`: only while the conversation holds no tool result at all; else
    whenever there is none since the assistant last spoke."""
    return not (asked.has_results if once else asked.results)


def compose(
    asked: Asked, text: str, *, size: int, tool: Tool | None = None, answer_id: str = "", created: int = 1_700_000_000
) -> Script:
    """The answer to `asked`: a call of `tool` if given, else `text` (or, where the client demands JSON, an example of
    its schema).

    Args:
        size: bytes of the request, from which the input tokens are estimated.
        answer_id: middle of the answer's id; "" makes one.
        created: seconds since the epoch.
    """
    stop: Stop
    parts: Sequence[Part]
    sequence = ""
    if tool is not None:
        arguments = msgspec.json.encode(example(tool.schema)).decode()
        parts, stop, output = [ToolCall(tool.name, arguments)], "tool_use", estimate_tokens(len(arguments)) + 8
    else:
        if asked.schema is not None:
            text = msgspec.json.encode(example(asked.schema)).decode()
        text, stop, sequence = _limited(asked, text)
        parts, output = ([Text(text)] if text else []), len(words(text))
    return Script(
        model=asked.model or "demo-1",
        parts=parts,
        usage=Usage(input=estimate_tokens(size), output=output),
        stop=stop,
        stop_sequence=sequence,
        id=answer_id or new_id(),
        created=created,
    )


def _limited(asked: Asked, text: str) -> tuple[str, Stop, str]:
    """`text` up to the first stop sequence and the token limit, why it ends there, and the sequence."""
    found = min(((text.find(stop), stop) for stop in asked.stop if stop in text), default=(-1, ""))
    cut = text[: found[0]] if found[1] else text
    pieces = words(cut)
    if asked.max_tokens is not None and len(pieces) > asked.max_tokens:
        return "".join(pieces[: asked.max_tokens]), "max_tokens", ""
    return (cut, "stop_sequence", found[1]) if found[1] else (text, "end", "")

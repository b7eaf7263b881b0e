"""`usageMetadata`: thoughts are counted apart from the candidates, cached tokens inside of the prompt, and what tools of
Google's brought in apart from it."""

from __future__ import annotations

from ccproxy.lightllm.dialects.gemini.spelling import NAME, fields_of
from ccproxy.lightllm.ir.parts import JsonObject
from ccproxy.lightllm.ir.usage import Usage, total_of

_TOOLS = "toolUsePromptTokenCount"


def read_usage(given: object) -> Usage:
    """A `usageMetadata` object. Raises ShapeError."""
    fields = fields_of(given, "usageMetadata")
    prompt = fields.integer("promptTokenCount")
    tools = fields.integer(_TOOLS)
    thoughts = fields.integer("thoughtsTokenCount")
    candidates = fields.integer("candidatesTokenCount")
    cached = fields.integer("cachedContentTokenCount")
    fields.value("totalTokenCount")
    extras = {name: value for name, value in fields.rest().items() if value is not None}
    if tools is not None:
        extras[_TOOLS] = tools
    return Usage(
        input=total_of(prompt, tools),
        output=total_of(candidates, thoughts),
        cache_read=cached,
        reasoning=thoughts,
        extras=extras,
    )


def write_usage(usage: Usage | None, source: str) -> JsonObject:
    """A `usageMetadata` object; {} when nothing is known."""
    if usage is None:
        return {}
    extras = dict(usage.extras) if source == NAME else {}
    tools = extras.pop(_TOOLS, None)
    counts = {
        "promptTokenCount": usage.input if usage.input is None or tools is None else max(usage.input - tools, 0),
        "candidatesTokenCount": usage.visible_output,
        "totalTokenCount": usage.total if usage.total is not None else usage.input,
        "cachedContentTokenCount": usage.cache_read,
        "thoughtsTokenCount": usage.reasoning,
        _TOOLS: tools,
    }
    return {name: count for name, count in counts.items() if count is not None} | extras

"""Usage in Anthropic's arithmetic: cached input is counted apart from `input_tokens`."""

from __future__ import annotations

from ccproxy.lightllm.dialects.anthropic.read import NAME
from ccproxy.lightllm.fields import Fields
from ccproxy.lightllm.ir.parts import JsonObject
from ccproxy.lightllm.ir.usage import Usage


def read_usage(given: JsonObject) -> Usage:
    """A `usage` object (of a stream: everything reported so far, merged)."""
    fields = Fields(given, "usage")
    fresh = fields.integer("input_tokens")
    read = fields.integer("cache_read_input_tokens")
    write = fields.integer("cache_creation_input_tokens")
    details = fields.fields("output_tokens_details")
    return Usage(
        input=None if fresh is None else fresh + (read or 0) + (write or 0),
        output=fields.integer("output_tokens"),
        cache_read=read,
        cache_write=write,
        reasoning=details.integer("thinking_tokens"),
        extras={name: value for name, value in fields.rest().items() if value is not None},
    )


def write_usage(usage: Usage | None, source: str) -> JsonObject:
    """The `usage` of a message; the two counts that every message has are 0 until they are known."""
    usage = usage or Usage()
    return {"input_tokens": 0, "output_tokens": 0} | _counts(usage, source)


def write_delta_usage(usage: Usage | None, source: str) -> JsonObject:
    """The `usage` of `message_delta`: what is known at the end."""
    return {"output_tokens": 0} | _counts(usage or Usage(), source)


def _counts(usage: Usage, source: str) -> JsonObject:
    counts = {
        "input_tokens": usage.fresh_input,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": usage.output,
    }
    written: JsonObject = {name: count for name, count in counts.items() if count is not None}
    if usage.reasoning is not None:
        written["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return written | usage.extras if source == NAME else written

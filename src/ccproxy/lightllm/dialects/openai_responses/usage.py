"""Usage in OpenAI's arithmetic: cached and written tokens inside of `input_tokens`, reasoning inside of `output_tokens`."""

from __future__ import annotations

from ccproxy.lightllm.dialects.openai_responses.content import NAME
from ccproxy.lightllm.fields import Fields
from ccproxy.lightllm.ir.parts import JsonObject
from ccproxy.lightllm.ir.usage import Usage


def read_usage(given: JsonObject) -> Usage:
    """The `usage` of a response."""
    fields = Fields(given, "usage")
    fields.value("total_tokens")
    before, after = fields.fields("input_tokens_details"), fields.fields("output_tokens_details")
    usage = Usage(
        input=fields.integer("input_tokens"),
        output=fields.integer("output_tokens"),
        cache_read=before.integer("cached_tokens"),
        cache_write=before.integer("cache_write_tokens"),
        reasoning=after.integer("reasoning_tokens"),
        extras={name: value for name, value in fields.rest().items() if value is not None},
    )
    for name, rest in (("input_tokens_details", before.rest()), ("output_tokens_details", after.rest())):
        if further := {key: value for key, value in rest.items() if value is not None}:
            usage.extras[name] = further
    return usage


def write_usage(usage: Usage | None, source: str) -> JsonObject | None:
    """The `usage` of a response; None when nothing was reported. Every count is there, 0 where it is not known: the
    official SDK demands them. A provider of this dialect is quoted as it is."""
    if usage is None:
        return None
    own = source == NAME
    extras = dict(usage.extras) if own else {}
    extras.pop("tool_usage", None)

    def counts(**given: int | None) -> JsonObject:
        return {name: count or 0 for name, count in given.items() if count is not None or not own}

    before = counts(cached_tokens=usage.cache_read, cache_write_tokens=usage.cache_write)
    after = counts(reasoning_tokens=usage.reasoning)
    return {
        "input_tokens": usage.input or 0,
        "input_tokens_details": before | extras.pop("input_tokens_details", {}),
        "output_tokens": usage.output or 0,
        "output_tokens_details": after | extras.pop("output_tokens_details", {}),
        "total_tokens": (usage.input or 0) + (usage.output or 0),
        **extras,
    }

"""Usage in OpenAI's arithmetic: cached input is counted in `prompt_tokens`, reasoning in `completion_tokens`."""

from __future__ import annotations

from ccproxy.lightllm.dialects.openai.spelling import NAME
from ccproxy.lightllm.fields import Fields
from ccproxy.lightllm.ir.parts import JsonObject
from ccproxy.lightllm.ir.usage import Usage

_INPUT, _OUTPUT = "prompt_tokens_details", "completion_tokens_details"


def read_usage(given: JsonObject) -> Usage:
    """A `usage` object. Some servers leave reasoning out of `completion_tokens` and count it in the total alone; some
    have `prompt_cache_hit_tokens` (DeepSeek) in place of the details."""
    fields = Fields(given, "usage")
    prompt, completion = fields.integer("prompt_tokens"), fields.integer("completion_tokens")
    total = fields.integer("total_tokens")
    details, more = fields.fields(_INPUT), fields.fields(_OUTPUT)
    read, write = details.integer("cached_tokens"), details.integer("cache_write_tokens")
    reasoning = more.integer("reasoning_tokens")
    if read is None and fields.has("prompt_cache_hit_tokens"):
        read = fields.integer("prompt_cache_hit_tokens")
        fields.put_back("prompt_cache_hit_tokens", read)
    if prompt is not None and completion is not None and total is not None:
        apart = total - prompt - completion
        if apart > 0 and reasoning in (None, 0, apart):
            completion, reasoning = completion + apart, apart
    extras: JsonObject = {name: value for name, value in fields.rest().items() if value is not None}
    for name, rest in ((_INPUT, details.rest()), (_OUTPUT, more.rest())):
        if kept := {inner: value for inner, value in rest.items() if value is not None}:
            extras[name] = kept
    return Usage(prompt, completion, read, write, reasoning, extras)


def write_usage(usage: Usage, source: str) -> JsonObject:
    """The `usage` of an answer; the counts that every one has are 0 where they are not known."""
    prompt, completion = usage.input or 0, usage.output or 0
    written: JsonObject = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    details = {"cached_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write}
    known: JsonObject = {name: count for name, count in details.items() if count is not None}
    more: JsonObject = {} if usage.reasoning is None else {"reasoning_tokens": usage.reasoning}
    extras = dict(usage.extras) if source == NAME else {}
    known |= extras.pop(_INPUT, {})
    more |= extras.pop(_OUTPUT, {})
    if known:
        written[_INPUT] = known
    if more:
        written[_OUTPUT] = more
    return written | extras

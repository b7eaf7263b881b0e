"""Tokens in one arithmetic, whatever the dialect counts.

`input` is every token of the prompt, cached ones included. `output` is every generated token, reasoning included. The
others are shares of these two. None means the provider did not say, which is not zero.

| | `input` | `output` |
| --- | --- | --- |
| anthropic | `input_tokens` + `cache_read_input_tokens` + `cache_creation_input_tokens` | `output_tokens` |
| openai | `prompt_tokens` | `completion_tokens` |
| openai_responses | `input_tokens` | `output_tokens` |
| gemini | `promptTokenCount` + `toolUsePromptTokenCount` | `candidatesTokenCount` + `thoughtsTokenCount` |
"""

from __future__ import annotations

import msgspec

from ccproxy.lightllm.ir.parts import JsonObject


class Usage(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an answer cost.

    Attributes:
        cache_read: prompt tokens that came from the cache.
        cache_write: prompt tokens that were written to it.
        reasoning: generated tokens that were reasoning.
        extras: further counts in the provider's own words, for its own dialect only.
    """

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
    extras: JsonObject = {}

    @property
    def fresh_input(self) -> int | None:
        """Prompt tokens that were neither read from nor written to the cache: Anthropic's `input_tokens`. Never below
        zero."""
        if self.input is None:
            return None
        return max(self.input - (self.cache_read or 0) - (self.cache_write or 0), 0)

    @property
    def visible_output(self) -> int | None:
        """Generated tokens without the reasoning: Gemini's `candidatesTokenCount`. Never below zero."""
        if self.output is None:
            return None
        return max(self.output - (self.reasoning or 0), 0)

    @property
    def total(self) -> int | None:
        """Input and output together, when both are known."""
        return None if self.input is None or self.output is None else self.input + self.output

    def merged(self, later: Usage) -> Usage:
        """This, overwritten by what a later report of the same answer says (reports are cumulative)."""
        return Usage(
            self.input if later.input is None else later.input,
            self.output if later.output is None else later.output,
            self.cache_read if later.cache_read is None else later.cache_read,
            self.cache_write if later.cache_write is None else later.cache_write,
            self.reasoning if later.reasoning is None else later.reasoning,
            {**self.extras, **later.extras} if later.extras else self.extras,
        )


def total_of(*counts: int | None) -> int | None:
    """The sum of the counts that were reported; None when none was."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None

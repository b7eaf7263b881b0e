"""The laws of a dialect, for authors of dialects: `Conformance` runs them all. See docs/how-to/add-a-dialect.md.

`ccproxy.testing.conformance.strategies` has the random input for properties of your own; it needs hypothesis.
"""

from ccproxy.testing.conformance.answers import KINDS, carried, essence, same_answer, thinking_text
from ccproxy.testing.conformance.cases import Case, cases_of
from ccproxy.testing.conformance.cutting import cuttings
from ccproxy.testing.conformance.kit import Check, Conformance
from ccproxy.testing.conformance.verdict import LAWS, LawBroken
from ccproxy.testing.conformance.ways import (
    checked,
    collected,
    context,
    decode_document,
    decode_stream,
    encode_frames,
    encode_stream,
)

__all__ = [
    "KINDS",
    "LAWS",
    "Case",
    "Check",
    "Conformance",
    "LawBroken",
    "carried",
    "cases_of",
    "checked",
    "collected",
    "context",
    "cuttings",
    "decode_document",
    "decode_stream",
    "encode_frames",
    "encode_stream",
    "essence",
    "same_answer",
    "thinking_text",
]

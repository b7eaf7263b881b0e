"""Finish reasons. Source: google-genai, `FinishReason` and `BlockedReason`."""

from __future__ import annotations

from ccproxy.lightllm.errors import ErrorKind
from ccproxy.lightllm.ir.events import StopReason

STOPS: dict[str, StopReason] = {
    "STOP": "end",
    "MAX_TOKENS": "max_tokens",
    "CONTINUATION": "pause",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "ESCALATION": "content_filter",
    "PUP_LIMITED_DISABLED": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "OTHER": "other",
    "IMAGE_OTHER": "other",
    "NO_IMAGE": "other",
    "TOO_MANY_TOOL_CALLS": "other",
}

#: Reasons that mean there is no answer: what came so far must not be taken for one.
FAILURES: dict[str, ErrorKind] = {
    "MALFORMED_FUNCTION_CALL": "api",
    "UNEXPECTED_TOOL_CALL": "api",
    "MALFORMED_RESPONSE": "api",
    "MISSING_THOUGHT_SIGNATURE": "invalid_request",
}

#: Our reasons in Gemini's words, for answers of other dialects. `CONTINUATION` demands a token that only Google gives.
REASONS: dict[StopReason, str] = {
    "end": "STOP",
    "tool_use": "STOP",
    "stop_sequence": "STOP",
    "max_tokens": "MAX_TOKENS",
    "context_window": "MAX_TOKENS",
    "pause": "MAX_TOKENS",
    "refusal": "SAFETY",
    "content_filter": "SAFETY",
    "other": "OTHER",
}

"""The response object around an answer: what of the request every response repeats."""

from __future__ import annotations

from ccproxy.errors import Untranslatable
from ccproxy.lightllm.dialects.openai_responses.request import write_instructions, write_text
from ccproxy.lightllm.dialects.openai_responses.tools import write_tool_choice, write_tools
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.ir.parts import JsonObject
from ccproxy.lightllm.ir.request import Request
from ccproxy.lightllm.schema_rules import ANYTHING

#: Fields of a request that are repeated as they came.
_REPEATED = ("truncation", "max_tool_calls", "safety_identifier", "top_logprobs")


def response_object(answer_id: str, created: int, model: str, request: Request | None) -> JsonObject:
    """A response that has just begun, for the client's `request` (None: not known)."""
    response: JsonObject = {
        "id": answer_id,
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "metadata": {},
        "model": model,
        "output": [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": False,
        "temperature": None,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "truncation": "disabled",
        "usage": None,
        "user": None,
    }
    if request is not None:
        response |= _repeated(request)
    return response


def _repeated(request: Request) -> JsonObject:
    unsaid = LossLedger()
    reasoning = request.reasoning
    effort = "none" if reasoning.mode == "off" else reasoning.effort or None
    said: JsonObject = {
        "max_output_tokens": request.max_tokens,
        "metadata": request.metadata,
        "parallel_tool_calls": request.parallel_tools is not False,
        "reasoning": {"effort": effort, "summary": reasoning.summary or None},
        "temperature": request.sampling.temperature,
        "text": {"format": {"type": "text"}} | write_text(request, ANYTHING, unsaid, own=True),
        "tool_choice": write_tool_choice(request) or "auto",
        "tools": write_tools(request, unsaid),
        "top_p": request.sampling.top_p,
        "user": request.user or None,
    }
    try:
        said["instructions"] = write_instructions(request.system, unsaid) or None
    except Untranslatable:
        # A request of another dialect, which has more than text there.
        said["instructions"] = None
    if request.cache_key:
        said["prompt_cache_key"] = request.cache_key
    return said | {name: request.extras[name] for name in _REPEATED if request.extras.get(name) is not None}

"""The registered value."""

from __future__ import annotations

from typing import Literal

from ccproxy.lightllm.dialect import Capabilities, Dialect, Operation, Paths
from ccproxy.lightllm.dialects.anthropic.errors import decode_error, encode_error
from ccproxy.lightllm.dialects.anthropic.listings import (
    decode_count,
    decode_models,
    encode_count,
    encode_model,
    encode_models,
)
from ccproxy.lightllm.dialects.anthropic.request import read_request, write_count_request, write_request
from ccproxy.lightllm.dialects.anthropic.response import AnthropicDecoder, AnthropicEncoder, collect
from ccproxy.lightllm.schema_rules import ANTHROPIC_STRICT, PLAIN_TOP

CAPABILITIES = Capabilities(
    document_types=frozenset({"application/pdf", "text/*"}),
    answer_media=False,
    thinking="signed",
    tool_name=r"[a-zA-Z0-9_-]{1,128}",
    hosted_tools=frozenset({"web_search"}),
    sampling=frozenset({"temperature", "top_p", "top_k"}),
    temperature=(0.0, 1.0),
    max_stop=1000,
    blank_stop=False,
    needs_max_tokens=True,
    json_mode=False,
    efforts=("low", "medium", "high", "xhigh", "max"),
    budgets=True,
    max_budget=32_768,
    adaptive=True,
    cache_marks=True,
    schema=PLAIN_TOP,
    strict_schema=ANTHROPIC_STRICT,
    output_schema=ANTHROPIC_STRICT,
)


def _match(path: str) -> Operation | Literal[""]:
    if path.endswith("/messages"):
        return "generate"
    return "count_tokens" if path.endswith("/messages/count_tokens") else ""


DIALECT = Dialect(
    name="anthropic",
    capabilities=CAPABILITIES,
    paths=Paths(
        generate="/v1/messages",
        count_tokens="/v1/messages/count_tokens",
        models="/v1/models",
        model="/v1/models/{model}",
    ),
    headers=(("anthropic-version", "2023-06-01"), ("content-type", "application/json")),
    match=_match,
    read_request=read_request,
    write_request=write_request,
    write_count_request=write_count_request,
    decoder=AnthropicDecoder,
    encoder=AnthropicEncoder,
    collect=collect,
    decode_error=decode_error,
    encode_error=encode_error,
    decode_count=decode_count,
    encode_count=encode_count,
    decode_models=decode_models,
    encode_models=encode_models,
    encode_model=encode_model,
)

"""The registered value, and the capabilities of servers that speak the dialect without being OpenAI."""

from __future__ import annotations

from typing import Literal

import msgspec

from ccproxy.lightllm.dialect import Capabilities, Dialect, Operation, Paths
from ccproxy.lightllm.dialects.openai.decoder import OpenAIDecoder
from ccproxy.lightllm.dialects.openai.encoder import OpenAIEncoder, collect
from ccproxy.lightllm.dialects.openai.errors import decode_error, encode_error
from ccproxy.lightllm.dialects.openai.listings import decode_models, encode_model, encode_models
from ccproxy.lightllm.dialects.openai.request import read_request, write_request
from ccproxy.lightllm.schema_rules import OPENAI_STRICT, PLAIN_TOP

CAPABILITIES = Capabilities(
    image_detail=True,
    document_types=frozenset({"application/pdf", "text/*"}),
    document_urls=False,
    audio_types=frozenset({"audio/wav", "audio/x-wav", "audio/wave", "audio/mpeg", "audio/mp3"}),
    result_media=False,
    answer_media=False,
    thinking="none",
    custom_tools=True,
    allowed_tools=True,
    schema=PLAIN_TOP,
    strict_schema=OPENAI_STRICT,
    sampling=frozenset({"temperature", "top_p", "frequency_penalty", "presence_penalty", "seed"}),
    max_stop=4,
    efforts=("minimal", "low", "medium", "high", "xhigh", "max"),
    cache_key=True,
    metadata=True,
    verbosity=True,
    json_word="anywhere",
)

#: What any server of this dialect takes, for one of which nothing more is known.
COMPATIBLE = msgspec.structs.replace(
    CAPABILITIES,
    document_types=frozenset({"text/*"}),
    custom_tools=False,
    allowed_tools=False,
    efforts=("low", "medium", "high"),
    thinking_off=False,
    cache_key=False,
    metadata=False,
    verbosity=False,
    legacy_limit=True,
    developer_role=False,
    text_parts=False,
)


def _match(path: str) -> Operation | Literal[""]:
    return "generate" if path.endswith("/chat/completions") else ""


DIALECT = Dialect(
    name="openai",
    capabilities=CAPABILITIES,
    paths=Paths(generate="/v1/chat/completions", models="/v1/models", model="/v1/models/{model}"),
    headers=(("content-type", "application/json"),),
    match=_match,
    read_request=read_request,
    write_request=write_request,
    decoder=OpenAIDecoder,
    encoder=OpenAIEncoder,
    collect=collect,
    decode_error=decode_error,
    encode_error=encode_error,
    decode_models=decode_models,
    encode_models=encode_models,
    encode_model=encode_model,
)

"""The registered value."""

from __future__ import annotations

from typing import Literal

import msgspec

from ccproxy.lightllm.dialect import Capabilities, Dialect, Operation, Paths
from ccproxy.lightllm.dialects.openai_responses.decode import ResponsesDecoder
from ccproxy.lightllm.dialects.openai_responses.encode import ResponsesEncoder, collect
from ccproxy.lightllm.dialects.openai_responses.errors import decode_error, encode_error
from ccproxy.lightllm.dialects.openai_responses.listings import (
    decode_count,
    decode_models,
    encode_count,
    encode_model,
    encode_models,
)
from ccproxy.lightllm.dialects.openai_responses.request import read_request, write_count_request, write_request
from ccproxy.lightllm.dialects.openai_responses.websocket import Conversation
from ccproxy.lightllm.schema_rules import OPENAI_STRICT, PLAIN_TOP

#: Office documents that OpenAI reads as files (https://developers.openai.com/api/docs/guides/file-inputs).
_DOCUMENTS = frozenset({
    "application/pdf",
    "application/json",
    "application/msword",
    "application/rtf",
    "application/vnd.ms-excel",
    "application/vnd.ms-powerpoint",
    "application/vnd.oasis.opendocument.text",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "text/*",
})  # fmt: skip

CAPABILITIES = Capabilities(
    image_detail=True,
    document_types=_DOCUMENTS,
    thinking="signed",
    custom_tools=True,
    namespaces=True,
    hosted_tools=frozenset({"web_search"}),
    allowed_tools=True,
    max_stop=0,
    efforts=("minimal", "low", "medium", "high", "xhigh", "max"),
    cache_key=True,
    metadata=True,
    verbosity=True,
    json_word="messages",
    schema=PLAIN_TOP,
    strict_schema=OPENAI_STRICT,
)

#: The ChatGPT Codex backend, which takes less. (It also wants every answer streamed: `Target.stream`.)
CODEX_CAPABILITIES = msgspec.structs.replace(
    CAPABILITIES, max_tokens=False, sampling=frozenset(), user=False, metadata=False
)


def _match(path: str) -> Operation | Literal[""]:
    if path.endswith("/responses"):
        return "generate"
    return "count_tokens" if path.endswith("/responses/input_tokens") else ""


DIALECT = Dialect(
    name="openai_responses",
    capabilities=CAPABILITIES,
    paths=Paths(
        generate="/v1/responses",
        count_tokens="/v1/responses/input_tokens",
        models="/v1/models",
        model="/v1/models/{model}",
    ),
    headers=(("content-type", "application/json"),),
    match=_match,
    read_request=read_request,
    write_request=write_request,
    write_count_request=write_count_request,
    decoder=ResponsesDecoder,
    encoder=ResponsesEncoder,
    collect=collect,
    decode_error=decode_error,
    encode_error=encode_error,
    decode_count=decode_count,
    encode_count=encode_count,
    decode_models=decode_models,
    encode_models=encode_models,
    encode_model=encode_model,
    conversation=Conversation,
)

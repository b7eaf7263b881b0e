"""The registered value."""

from __future__ import annotations

import re
from typing import Literal

from ccproxy.lightllm.dialect import Capabilities, Dialect, Operation, Paths
from ccproxy.lightllm.dialects.gemini.decoder import GeminiDecoder
from ccproxy.lightllm.dialects.gemini.encoder import GeminiEncoder, collect
from ccproxy.lightllm.dialects.gemini.errors import decode_error, encode_error
from ccproxy.lightllm.dialects.gemini.listings import (
    decode_count,
    decode_models,
    encode_count,
    encode_model,
    encode_models,
)
from ccproxy.lightllm.dialects.gemini.request import read_request, write_count_request, write_request
from ccproxy.lightllm.dialects.gemini.tools import HOSTED
from ccproxy.lightllm.schema_rules import GEMINI_JSON

CAPABILITIES = Capabilities(
    image_types=frozenset({"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"}),
    document_types=frozenset({"application/pdf", "text/*"}),
    audio_types=frozenset({"audio/*"}),
    result_media=False,
    system_anywhere=False,
    tool_name=r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}",
    hosted_tools=HOSTED,
    allowed_tools=True,
    parallel_control=False,
    sampling=frozenset({"temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty", "seed"}),
    max_stop=5,
    budgets=True,
    adaptive=True,
    user=False,
    schema=GEMINI_JSON,
    output_schema=GEMINI_JSON,
    strict_schema=GEMINI_JSON,
)

_ACTION = re.compile(r".*/(?:models|tunedModels|endpoints)/[^/]+:(?P<action>[A-Za-z]+)|.*/v1internal:(?P<internal>\w+)")
_OPERATIONS: dict[str, Operation] = {
    "generateContent": "generate",
    "streamGenerateContent": "generate",
    "countTokens": "count_tokens",
}


def _match(path: str) -> Operation | Literal[""]:
    found = _ACTION.fullmatch(path)
    return _OPERATIONS.get(found["action"] or found["internal"], "") if found else ""


DIALECT = Dialect(
    name="gemini",
    capabilities=CAPABILITIES,
    paths=Paths(
        generate="/v1beta/models/{model}:generateContent",
        stream="/v1beta/models/{model}:streamGenerateContent?alt=sse",
        count_tokens="/v1beta/models/{model}:countTokens",
        models="/v1beta/models",
        model="/v1beta/models/{model}",
    ),
    headers=(("content-type", "application/json"),),
    match=_match,
    read_request=read_request,
    write_request=write_request,
    write_count_request=write_count_request,
    decoder=GeminiDecoder,
    encoder=GeminiEncoder,
    collect=collect,
    decode_error=decode_error,
    encode_error=encode_error,
    decode_count=decode_count,
    encode_count=encode_count,
    decode_models=decode_models,
    encode_models=encode_models,
    encode_model=encode_model,
)

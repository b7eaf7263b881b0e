"""OpenAI Chat Completions, as a client's dialect and an upstream's. See README.md for the mapping."""

from ccproxy.lightllm.dialects.openai.dialect import DIALECT

__all__ = ["DIALECT"]

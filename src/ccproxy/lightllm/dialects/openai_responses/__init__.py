"""OpenAI Responses, as a client's dialect (Codex among them) and an upstream's. See README.md for the mapping."""

from ccproxy.lightllm.dialects.openai_responses.dialect import DIALECT

__all__ = ["DIALECT"]

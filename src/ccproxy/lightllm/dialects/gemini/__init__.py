"""Gemini's generateContent, as a client's dialect and an upstream's. See README.md for the mapping."""

from ccproxy.lightllm.dialects.gemini.dialect import DIALECT

__all__ = ["DIALECT"]

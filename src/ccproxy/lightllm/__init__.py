"""Conversion between LLM dialects: pure, synchronous, without I/O."""

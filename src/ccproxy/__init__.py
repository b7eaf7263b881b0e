"""ccproxy: a transparent interceptor for LLM tooling."""

__version__ = "3.0.0.dev0"

"""Random input for properties over all dialects: the kit's."""

from ccproxy.testing.conformance.strategies import requests, responses

__all__ = ["requests", "responses"]

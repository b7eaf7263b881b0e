"""Ways to cut a byte string into chunks: every test of a stream runs them all."""

from ccproxy.testing.conformance.cutting import cuttings
from ccproxy.testing.conformance.strategies import cut

__all__ = ["cut", "cuttings"]

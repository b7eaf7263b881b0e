"""The demo provider: answers inside ccproxy, in the dialect it is asked in, without an account or a network."""

from __future__ import annotations

from ccproxy.providers.base import ProviderType

TYPES = (
    ProviderType(name="demo", dialects=(), host="demo.invalid", path="", main="", in_process=True, models=("demo-1",)),
)

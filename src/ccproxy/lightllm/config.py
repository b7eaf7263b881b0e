"""Configuration of conversion: the values of `lightllm`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class LightllmConfig(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """How requests are converted between dialects."""

    strict: Annotated[
        bool, Meta(description="Refuse a conversion that loses anything, with a 400 that names the losses.")
    ] = False
    default_max_tokens: Annotated[
        int, Meta(ge=1, description="Output limit where the provider demands one and the client gave none.")
    ] = 8192
    repair: Annotated[
        bool, Meta(description="Put broken histories right (tool results without a call, repeated ids).")
    ] = False
    fetch_images: Annotated[
        bool,
        Meta(
            description="Fetch images given by URL for providers that take none: from public addresses only, 20 MiB and "
            "20 of a request at most, not through egress.proxy."
        ),
    ] = False

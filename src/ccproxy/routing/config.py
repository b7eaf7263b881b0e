"""Configuration of routing rules: the entries of `inspector.transforms`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Regex = Annotated[str, Meta(extra={"format": "regex"})]


class TransformRule(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A routing rule; the first one that matches decides. All given patterns must match (`re.search`)."""

    match_host: Annotated[
        Regex | None, Meta(description="Regular expression for the Host or X-Forwarded-Host the client named.")
    ] = None
    match_path: Annotated[Regex, Meta(description="Regular expression for the path.")] = ".*"
    match_model: Annotated[Regex | None, Meta(description="Regular expression for the model in the request.")] = None
    action: Annotated[
        Literal["redirect", "passthrough", "transform"],
        Meta(
            description="`redirect` sends the request to the provider, `transform` converts it to the provider's "
            "dialect, `passthrough` leaves the request as it is."
        ),
    ] = "redirect"
    dest_provider: Annotated[str, Meta(description="Name of the provider to send to (not for passthrough).")] = ""
    dest_model: Annotated[str, Meta(description="Model to ask for in place of the client's.")] = ""

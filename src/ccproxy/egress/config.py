"""Configuration of the way out: the values of `egress`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class EgressConfig(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """How providers are reached."""

    ca_file: Annotated[
        str, Meta(description="PEM file of further authorities to trust, beside the system's and certifi's.")
    ] = ""
    proxy: Annotated[
        str,
        Meta(
            description="HTTP proxy for everything that goes out, `http://[user:pass@]host:port`.",
            extra={"format": "proxy"},
        ),
    ] = ""
    no_proxy: Annotated[
        list[str],
        Meta(
            description="Hosts that are reached without `proxy`: names, `.example.com` for all below, addresses and "
            "networks such as `10.0.0.0/8`. Loopback always is."
        ),
    ] = []
    connect_seconds: Annotated[
        float, Meta(ge=0, description="Longest time to connect, TLS included. 0 = no limit.")
    ] = 10.0
    first_byte_seconds: Annotated[
        float, Meta(ge=0, description="Longest wait for an answer to begin. 0 = no limit.")
    ] = 600.0
    idle_seconds: Annotated[float, Meta(ge=0, description="Longest silence inside an answer. 0 = no limit.")] = 300.0
    check_at_start: Annotated[
        bool,
        Meta(
            description="Open a connection to every provider at the start and close it again, to say at once which cannot "
            "be reached."
        ),
    ] = True
    max_connections: Annotated[int, Meta(ge=1, description="Most connections to providers at once.")] = 1000

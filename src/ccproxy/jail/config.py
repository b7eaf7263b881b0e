"""Configuration of the jail: the values of `jail`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Port = Annotated[int, Meta(ge=1, le=65535)]


class JailConfig(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """How `ccproxy run --inspect` isolates a command."""

    engine: Annotated[
        Literal["auto", "tun", "redirect"],
        Meta(
            description="`tun` carries every protocol and needs /dev/net/tun; `redirect` needs no device and carries "
            "DNS and some TCP ports (`jail.redirect_ports`); `auto` takes the first that works."
        ),
    ] = "auto"
    redirect_ports: Annotated[
        list[Port],
        Meta(description="TCP ports that engine `redirect` carries beside 80 and 443; all others are refused."),
    ] = []
    allow_host: Annotated[
        list[Annotated[str, Meta(pattern="^[0-9]{1,5}$")]],
        Meta(
            description="Ports of this machine's loopback that jailed commands may reach, as "
            "`host.ccproxy.internal:PORT`. Default: none."
        ),
    ] = []

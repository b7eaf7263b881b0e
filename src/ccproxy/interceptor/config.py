"""Configuration of the interceptor: the values of `interceptor` and of `inspector.mitmproxy`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Port = Annotated[int, Meta(ge=1, le=65535)]
Regex = Annotated[str, Meta(extra={"format": "regex"})]


class MitmproxyConfig(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Options of mitmproxy, under mitmproxy's own names."""

    ignore_hosts: Annotated[
        list[Regex],
        Meta(description="Regular expressions on `host:port`: these connections pass without being looked into."),
    ] = []
    allow_hosts: Annotated[
        list[Regex], Meta(description="If not empty, only connections that match one of these are looked into.")
    ] = []
    tcp_hosts: Annotated[
        list[Regex], Meta(description="Connections whose TLS is opened, but that are not taken for HTTP.")
    ] = []
    udp_hosts: Annotated[list[Regex], Meta(description="UDP that is passed on as it is.")] = []
    ssl_insecure: Annotated[
        bool, Meta(description="Do NOT verify the certificates of servers that the interceptor connects to.")
    ] = False
    http2: Annotated[bool, Meta(description="Speak HTTP/2 with clients and servers that offer it.")] = True
    websocket: Annotated[bool, Meta(description="Look into WebSockets.")] = True
    validate_inbound_headers: Annotated[
        bool, Meta(description="Refuse malformed messages, with which requests could be smuggled.")
    ] = True
    tcp_timeout: Annotated[int, Meta(ge=1, description="Seconds after which a silent connection is closed.")] = 600


class WireguardConfig(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A WireGuard endpoint for clients beyond this machine: a phone, a virtual machine."""

    listen: Annotated[
        str, Meta(description='Address to listen on, for example `0.0.0.0`. Default: "", no endpoint.')
    ] = ""
    port: Annotated[Port, Meta(description="UDP port of the endpoint.")] = 51820
    endpoint: Annotated[
        str,
        Meta(
            description="The address that clients are told to use. Default: `listen`, or a local address of this machine."
        ),
    ] = ""


class InterceptorConfig(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """The process that looks into the traffic of jails and of other caught clients."""

    preload: Annotated[
        bool, Meta(description="Start it with the proxy. Otherwise it starts with the first jail, in some 2 seconds.")
    ] = False
    quic: Annotated[
        Literal["reject", "intercept"],
        Meta(description="HTTP/3: refuse it, so that clients use HTTP/2 at once, or look into it."),
    ] = "reject"
    udp: Annotated[
        Literal["forward", "refuse"], Meta(description="UDP other than DNS and QUIC: pass it on, or refuse it.")
    ] = "forward"
    scripts: Annotated[list[str], Meta(description="mitmproxy addons to load: paths of Python files.")] = []
    upstream_proxy: Annotated[
        str,
        Meta(
            description="HTTP proxy for everything intercepted that does not go to a provider, "
            "`http://[user:pass@]host:port`: HTTP, and all other TCP of jails by CONNECT. UDP does not go through it. "
            "Providers are reached through egress.proxy.",
            extra={"format": "proxy"},
        ),
    ] = ""
    http_proxy_port: Annotated[
        Port | None,
        Meta(description="Port on loopback for clients that are told to use an HTTP proxy. Default: none."),
    ] = None
    wireguard: WireguardConfig = WireguardConfig()

"""Whom to trust: one TLS client context for verified connections and one for providers with `verify: false`.

Trust is a union, never a replacement: what OpenSSL finds by itself (the system store, or what SSL_CERT_FILE and
SSL_CERT_DIR name), the system store again where those variables hide it, certifi, and `egress.ca_file`. Host names are
checked. Not set is OpenSSL's strict X.509 mode, which `ssl.create_default_context` turns on since Python 3.13: it
rejects the authorities of many corporate proxies for missing extensions.

Loading some hundred authorities takes 10-20 ms, so a context is built when the first https connection needs it, in a
thread, and kept on the instance.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path

import certifi

from ccproxy.egress.config import EgressConfig
from ccproxy.errors import ConfigError
from ccproxy.util.aio import SingleFlight

#: Where systems keep their bundle. An OpenSSL that came with Python may look elsewhere.
SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, NixOS
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # Alpine, macOS
)
_ALPN = ["http/1.1"]


def client_context(config: EgressConfig, *, verify: bool, keylog: Path | None = None) -> ssl.SSLContext:
    """A new context for connections to providers. Blocks for some 10 ms.

    Args:
        config: for `ca_file`.
        verify: False accepts any certificate for any name.
        keylog: a file that gets the keys of every connection, in the form Wireshark reads.

    Raises ConfigError if `ca_file` is missing or holds no certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(_ALPN)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if keylog is not None:
        context.keylog_filename = str(keylog)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    # An authority that is trusted by name needs no root above it: `ca_file` may hold an intermediate one.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_default_certs()
    for bundle in _system_bundles():
        with contextlib.suppress(
            OSError
        ):  # an unreadable system bundle is no reason to stop; ssl.SSLError is an OSError
            context.load_verify_locations(cafile=bundle)
    context.load_verify_locations(cafile=certifi.where())
    _load_ca_file(context, config.ca_file)
    return context


def trusted_bundles(config: EgressConfig) -> list[Path]:
    """The PEM files that hold, together, everybody who is trusted: for a program that cannot take the context."""
    default = ssl.get_default_verify_paths().cafile
    found = [*([default] if default else []), *_system_bundles(), certifi.where()]
    own = [Path(config.ca_file).expanduser()] if config.ca_file else []
    return [*map(Path, dict.fromkeys(found)), *own]


def check_trust(config: EgressConfig) -> None:
    """Raises ConfigError if `ca_file` cannot be used; quick, for the start and for `config check`."""
    _load_ca_file(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), config.ca_file)


def _system_bundles() -> list[str]:
    """Bundles that `load_default_certs` passes over when SSL_CERT_FILE is set or OpenSSL was built for another system."""
    paths = ssl.get_default_verify_paths()
    loaded = paths.cafile
    candidates = dict.fromkeys((paths.openssl_cafile, *SYSTEM_BUNDLES))
    return [path for path in candidates if path != loaded and Path(path).is_file()]


def _load_ca_file(context: ssl.SSLContext, ca_file: str) -> None:
    if not ca_file:
        return
    path = Path(ca_file).expanduser()
    try:
        context.load_verify_locations(cafile=path)
    except ssl.SSLError:
        raise ConfigError(
            f"egress.ca_file: {path} holds no certificate in PEM form",
            hint="expected are -----BEGIN CERTIFICATE----- blocks",
        ) from None
    except OSError as error:
        raise ConfigError(
            f"egress.ca_file: cannot read {path}: {(error.strerror or str(error)).lower()}",
            hint="give the path of a PEM file, or remove the key",
        ) from None


class Trust:
    """The two contexts of one configuration, built when first asked for."""

    def __init__(self, config: EgressConfig, keylog: Path | None = None) -> None:
        self._config = config
        self._keylog = keylog
        self._contexts: dict[bool, ssl.SSLContext] = {}
        self._building: SingleFlight[ssl.SSLContext] = SingleFlight()

    async def context(self, *, verify: bool) -> ssl.SSLContext:
        """The context for connections with or without verification. Raises ConfigError."""
        context = self._contexts.get(verify)
        if context is None:

            async def build() -> ssl.SSLContext:
                return await asyncio.to_thread(client_context, self._config, verify=verify, keylog=self._keylog)

            context = self._contexts[verify] = await self._building.do(str(verify), build)
        return context

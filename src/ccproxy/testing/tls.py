"""Certificates for tests, made with the `openssl` command at the time they are needed; nothing secret is shipped."""

from __future__ import annotations

import ipaddress
import shutil
import ssl
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ccproxy.errors import NotSupported

_CONFIG = """\
[req]
distinguished_name = name
prompt = no
[name]
CN = {name}
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature,keyEncipherment
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {names}
"""


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files: an authority's certificate, and a server's certificate and key signed by it."""

    ca: Path
    certificate: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        """What a server on these certificates uses. Offers HTTP/1.1 alone."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate, self.key)
        context.set_alpn_protocols(["http/1.1"])
        return context

    def client_context(self) -> ssl.SSLContext:
        """What a client that trusts this authority alone uses."""
        return ssl.create_default_context(cafile=self.ca)


def make_certificates(directory: Path, names: Sequence[str] = ("localhost", "127.0.0.1", "::1")) -> Certificates:
    """Makes an authority and a server certificate for `names` (host names and addresses) in `directory`.

    Names that are not the server's make a certificate that clients must refuse. Raises NotSupported without `openssl`.
    """
    openssl = shutil.which("openssl")
    if openssl is None:
        raise NotSupported("test certificates need the openssl command", hint="install openssl")
    alternatives = ",".join(f"{'IP' if _is_address(name) else 'DNS'}:{name}" for name in names)

    def config(file: str, name: str) -> str:
        path = directory / file
        path.write_text(_CONFIG.format(name=name, names=alternatives))
        return str(path)

    def run(*arguments: str | Path) -> None:
        done = subprocess.run([openssl, *map(str, arguments)], capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise NotSupported(f"openssl could not make a test certificate: {done.stderr.strip().splitlines()[-1:]}")

    made = Certificates(directory / "ca.pem", directory / "server.pem", directory / "server.key")
    authority_key, signing = directory / "ca.key", directory / "server.csr"
    authority = config("ca.cnf", "ccproxy test authority")
    server = config("server.cnf", "ccproxy test server")
    run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha256", "-days", "3650", "-config", authority,
        "-extensions", "authority", "-keyout", authority_key, "-out", made.ca)  # fmt: skip
    run("req", "-newkey", "rsa:2048", "-nodes", "-sha256", "-config", server, "-keyout", made.key, "-out", signing)
    run("x509", "-req", "-sha256", "-days", "365", "-in", signing, "-CA", made.ca, "-CAkey", authority_key,
        "-set_serial", "1", "-extfile", server, "-extensions", "server", "-out", made.certificate)  # fmt: skip
    return made


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True

"""How programs in a jail come to trust the interceptor: its authority beside those they trust already, never instead.

Two ways together reach everything that was tried (curl, wget, git, Python, Node, Deno, Bun, Go, Java, OpenSSL): the
system's bundles are covered by copies that hold the authority too, and variables lead programs with a bundle of their
own to the system's. A bundle that the user names in a variable is covered in the same way, and the variable stays.
"""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

#: Where systems keep their bundle.
SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, NixOS
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # Alpine
)

#: Variables that name a bundle which takes the place of the program's own.
BUNDLE_VARIABLES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "AWS_CA_BUNDLE",
    "CARGO_HTTP_CAINFO",
    "PIP_CERT",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "DENO_CERT",
)
#: The one that names authorities to trust beside the program's own.
EXTRA_VARIABLE = "NODE_EXTRA_CA_CERTS"

_JAVA_STORES = ("lib/security/cacerts", "jre/lib/security/cacerts")


@dataclass(slots=True)
class Trust:
    """What a jail needs.

    Attributes:
        files: content by the real path of the file that it covers.
        variables: what is to be set in the command's environment.
        problems: clients that will not trust the interceptor, and why.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def plan(
    environment: Mapping[str, str],
    authority: Path,
    own_bundle: Path,
    fallback: bytes,
    bundles: Sequence[str] = SYSTEM_BUNDLES,
) -> Trust:
    """What to cover and what to set.

    Args:
        environment: the command's, as the user has it.
        authority: the interceptor's certificate, a PEM file that the command may read.
        own_bundle: written, with `fallback` and the authority in it, where the system has no bundle.
        fallback: authorities in PEM form.
        bundles: where the system may have bundles.

    Raises OSError if `authority` cannot be read.
    """
    pem = authority.read_bytes()
    trust = Trust()
    found = ""
    for path in bundles:
        if _cover(trust, path, pem):
            found = found or path
    if not found:
        found = str(own_bundle)
        content = joined(fallback, pem)
        if not own_bundle.exists() or own_bundle.read_bytes() != content:
            own_bundle.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            own_bundle.write_bytes(content)
    for name in BUNDLE_VARIABLES:
        if not (own := environment.get(name)) or not _cover(trust, own, pem):
            trust.variables[name] = found
    if not (own := environment.get(EXTRA_VARIABLE)) or not _cover(trust, own, pem):
        trust.variables[EXTRA_VARIABLE] = str(authority)
    stores = java_stores(environment)
    if stores:
        system = trust.files.get(os.path.realpath(found)) or joined(fallback, pem)
        content = java_store(system)
        trust.files.update(dict.fromkeys(stores, content))
    return trust


def joined(*bundles: bytes) -> bytes:
    """PEM texts one after the other."""
    return b"".join(text if text.endswith(b"\n") else text + b"\n" for text in bundles if text)


def _cover(trust: Trust, path: str, pem: bytes) -> bool:
    """Plans to cover the bundle at `path`. False if there is no readable file."""
    real = os.path.realpath(path)
    if real in trust.files:
        return True
    try:
        content = Path(real).read_bytes()
    except OSError:
        return False
    trust.files[real] = joined(content, pem)
    return True


def java_stores(environment: Mapping[str, str]) -> list[str]:
    """The real paths of the trust stores of the Java that the command would find."""
    homes = [environment.get("JAVA_HOME", "")]
    if java := shutil.which("java", path=environment.get("PATH")):
        homes.append(str(Path(java).resolve().parent.parent))
    paths = [Path(home) / store for home in homes if home for store in _JAVA_STORES]
    return sorted({os.path.realpath(path) for path in paths if path.is_file()})


def java_store(bundle: bytes) -> bytes:
    """The certificates of a PEM bundle as a trust store of Java (PKCS#12 without a password). Those that cannot be read
    are left out."""
    # Imported here: they take a while, and only Java needs them.
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12

    certificates = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of authorities that break a rule and that Java leaves to its users
        for number, text in enumerate(_blocks(bundle)):
            try:
                certificate = x509.load_pem_x509_certificate(text)
            except ValueError:
                continue
            certificates.append(pkcs12.PKCS12Certificate(certificate, f"authority-{number}".encode()))
    return pkcs12.serialize_java_truststore(certificates, NoEncryption())


def _blocks(bundle: bytes) -> list[bytes]:
    begin, end = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
    return [begin + part.partition(end)[0] + end + b"\n" for part in bundle.split(begin)[1:]]

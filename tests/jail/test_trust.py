"""Which files a jail covers and which variables it sets, for what a user may have."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12

from ccproxy.jail import trust
from ccproxy.testing.tls import Certificates, make_certificates

FALLBACK = b"fallback\n"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


class Machine:
    """Where a system may have its bundle, and what a jail on it needs."""

    def __init__(self, folder: Path, certificates: Certificates) -> None:
        self.folder = folder
        self.bundle = folder / "system.pem"
        self.own = folder / "state" / "own.pem"
        self._certificates = certificates

    def plan(self, **environment: str) -> trust.Trust:
        environment.setdefault("PATH", str(self.folder))
        places = [str(self.folder / "missing.pem"), str(self.bundle)]
        return trust.plan(environment, self._certificates.ca, self.own, FALLBACK, places)


@pytest.fixture
def machine(tmp_path: Path, certificates: Certificates) -> Machine:
    made = Machine(tmp_path, certificates)
    made.bundle.write_bytes(b"system")
    return made


def test_the_bundle_is_covered_and_named(machine: Machine, certificates: Certificates) -> None:
    found = machine.plan()
    assert found.files == {str(machine.bundle): b"system\n" + certificates.ca.read_bytes()}
    assert set(found.variables) == {*trust.BUNDLE_VARIABLES, trust.EXTRA_VARIABLE}
    assert {found.variables[name] for name in trust.BUNDLE_VARIABLES} == {str(machine.bundle)}
    assert found.variables["NODE_EXTRA_CA_CERTS"] == str(certificates.ca)


def test_a_system_without_one(machine: Machine, certificates: Certificates) -> None:
    machine.bundle.unlink()
    found = machine.plan()
    assert machine.own.read_bytes() == FALLBACK + certificates.ca.read_bytes()
    assert found.files == {}
    assert found.variables["SSL_CERT_FILE"] == str(machine.own)


def test_a_bundle_of_the_user_s_stays_where_it_is(machine: Machine, certificates: Certificates) -> None:
    own, link = machine.folder / "user.pem", machine.folder / "link.pem"
    own.write_bytes(b"user\n")
    link.symlink_to(own)
    found = machine.plan(SSL_CERT_FILE=str(own), NODE_EXTRA_CA_CERTS=str(link))
    assert found.files[str(own)] == b"user\n" + certificates.ca.read_bytes()
    assert "SSL_CERT_FILE" not in found.variables
    assert "NODE_EXTRA_CA_CERTS" not in found.variables


def test_one_that_is_not_there_is_replaced(machine: Machine) -> None:
    found = machine.plan(SSL_CERT_FILE="/no-such-file")
    assert found.variables["SSL_CERT_FILE"] == str(machine.bundle)


def test_java_s_store_is_covered(machine: Machine, certificates: Certificates, tmp_path: Path) -> None:
    home = tmp_path / "jdk"
    store = home / "lib" / "security" / "cacerts"
    store.parent.mkdir(parents=True)
    store.write_bytes(b"old")
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    (home / "bin").mkdir()
    (home / "bin" / "java").touch(mode=0o755)
    java.symlink_to(home / "bin" / "java")
    assert trust.java_stores({"PATH": str(java.parent)}) == [str(store)]
    assert trust.java_stores({"PATH": "/nowhere", "JAVA_HOME": str(home)}) == [str(store)]
    assert trust.java_stores({"PATH": "/nowhere"}) == []
    found = machine.plan(PATH=str(java.parent))
    loaded = pkcs12.load_pkcs12(found.files[str(store)], None)
    own = x509.load_pem_x509_certificate(certificates.ca.read_bytes())
    assert [entry.certificate for entry in loaded.additional_certs] == [own]


def test_a_certificate_that_cannot_be_read_is_left_out(certificates: Certificates) -> None:
    broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    store = trust.java_store(broken + certificates.ca.read_bytes())
    assert len(pkcs12.load_pkcs12(store, None).additional_certs) == 1


def test_an_authority_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        trust.plan(os.environ, tmp_path / "no.pem", tmp_path / "own.pem", b"")

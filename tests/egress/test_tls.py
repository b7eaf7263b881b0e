from __future__ import annotations

import asyncio
import ssl
import threading
from pathlib import Path

import certifi
import pytest

from ccproxy.egress.config import EgressConfig
from ccproxy.egress.tls import SYSTEM_BUNDLES, Trust, check_trust, client_context, trusted_bundles
from ccproxy.errors import ConfigError
from ccproxy.testing import Certificates
from egress.support import PATIENCE


def authorities(context: ssl.SSLContext) -> set[bytes]:
    """The certificates a context trusts, in DER form."""
    return set(context.get_ca_certs(binary_form=True))


def in_file(path: str | Path) -> set[bytes]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=path)
    return authorities(context)


class TestTrustIsAUnion:
    def test_ca_file_comes_on_top_of_certifi(self, certificates: Certificates) -> None:
        context = client_context(EgressConfig(ca_file=str(certificates.ca)), verify=True)

        assert authorities(context) >= in_file(certifi.where()) | in_file(certificates.ca)

    def test_ssl_cert_file_replaces_nothing(self, certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca))

        trusted = authorities(client_context(EgressConfig(), verify=True))

        assert trusted >= in_file(certificates.ca) | in_file(certifi.where())
        for bundle in SYSTEM_BUNDLES:
            if Path(bundle).is_file():
                assert trusted >= in_file(bundle)

    def test_without_them_the_authority_is_unknown(self, certificates: Certificates) -> None:
        assert not authorities(client_context(EgressConfig(), verify=True)) & in_file(certificates.ca)

    def test_files_that_hold_the_same_for_other_programs(self, certificates: Certificates) -> None:
        files = trusted_bundles(EgressConfig(ca_file=str(certificates.ca)))

        assert files[-1] == certificates.ca
        assert Path(certifi.where()) in files
        assert len(set(files)) == len(files)
        assert set().union(*map(in_file, files)) >= in_file(certifi.where()) | in_file(certificates.ca)

    @pytest.mark.parametrize("broken", ["missing", "not a certificate"])
    def test_a_broken_ssl_cert_file_stops_nothing(
        self, broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "bundle.pem"
        if broken != "missing":
            path.write_text(broken)
        monkeypatch.setenv("SSL_CERT_FILE", str(path))

        assert authorities(client_context(EgressConfig(), verify=True)) >= in_file(certifi.where())

    def test_a_home_directory_is_understood(self, certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(certificates.ca.parent))

        assert authorities(client_context(EgressConfig(ca_file="~/ca.pem"), verify=True)) >= in_file(certificates.ca)


class TestTheContexts:
    def test_verified(self) -> None:
        context = client_context(EgressConfig(), verify=True)

        assert context.check_hostname
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.verify_flags & ssl.VERIFY_X509_PARTIAL_CHAIN
        assert not context.verify_flags & ssl.VERIFY_X509_STRICT  # corporate authorities often fail it
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2

    def test_unverified(self) -> None:
        context = client_context(EgressConfig(ca_file="/nowhere"), verify=False)

        assert not context.check_hostname
        assert context.verify_mode is ssl.CERT_NONE

    async def test_are_made_once_and_not_on_the_event_loops_thread(self, monkeypatch: pytest.MonkeyPatch) -> None:
        threads: list[int] = []
        original = certifi.where

        def where() -> str:
            threads.append(threading.get_ident())
            return original()

        monkeypatch.setattr(certifi, "where", where)
        trust = Trust(EgressConfig())

        first, second = await asyncio.wait_for(
            asyncio.gather(trust.context(verify=True), trust.context(verify=True)), PATIENCE
        )

        assert first is second is await trust.context(verify=True)
        assert await trust.context(verify=False) is not first
        assert len(threads) == 1
        assert threads[0] != threading.get_ident()


class TestABadCaFile:
    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError) as caught:
            check_trust(EgressConfig(ca_file=f"{tmp_path}/none.pem"))

        assert caught.value.message == f"egress.ca_file: cannot read {tmp_path}/none.pem: no such file or directory"

    def test_a_directory(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"^egress\.ca_file: "):
            check_trust(EgressConfig(ca_file=str(tmp_path)))

    @pytest.mark.parametrize("content", ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
    def test_without_a_certificate(self, content: str, tmp_path: Path) -> None:
        path = tmp_path / "ca.pem"
        path.write_text(content)

        with pytest.raises(ConfigError, match="holds no certificate in PEM form"):
            check_trust(EgressConfig(ca_file=str(path)))
        with pytest.raises(ConfigError, match="holds no certificate in PEM form"):
            client_context(EgressConfig(ca_file=str(path)), verify=True)

    async def test_is_reported_to_each_who_asks(self, tmp_path: Path) -> None:
        trust = Trust(EgressConfig(ca_file=f"{tmp_path}/none.pem"))

        for _ in range(2):
            with pytest.raises(ConfigError):
                await trust.context(verify=True)

    def test_none_at_all_is_fine(self) -> None:
        check_trust(EgressConfig())


@pytest.mark.parametrize("verify", [True, False])
def test_the_key_log(verify: bool, tmp_path: Path) -> None:
    log = tmp_path / "tls.keylog"

    assert client_context(EgressConfig(), verify=verify, keylog=log).keylog_filename == str(log)
    assert client_context(EgressConfig(), verify=verify).keylog_filename is None

import shutil
import ssl
from pathlib import Path

import pytest

from ccproxy.testing import FakeProvider, make_certificates

from .raw import connected, get

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")


async def test_https_with_an_authority_of_its_own() -> None:
    async with FakeProvider(tls=True) as provider:
        context = ssl.create_default_context(cafile=provider.ca_file)

        async with connected(provider, ssl=context, server_hostname="localhost") as wire:
            wire.send(get("/v1/models"))
            answer = await wire.answer()

        assert provider.url.startswith("https://127.0.0.1:")
        assert (answer.status, answer.complete) == (200, True)


async def test_clients_that_do_not_know_the_authority_refuse() -> None:
    async with FakeProvider(tls=True) as provider:
        with pytest.raises(ssl.SSLCertVerificationError):
            async with connected(provider, ssl=ssl.create_default_context(), server_hostname="localhost"):
                pass
        assert provider.requests == []


async def test_a_certificate_for_somebody_else_is_refused(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path, names=["somebody.example"])
    async with FakeProvider(tls=certificates) as provider:
        with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
            async with connected(provider, ssl=certificates.client_context(), server_hostname="localhost"):
                pass


def test_the_ca_file_exists_only_with_tls() -> None:
    with pytest.raises(ValueError, match="tls=True"):
        _ = FakeProvider().ca_file

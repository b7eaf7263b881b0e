"""What a credential's text must be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.auth.secret import secret_in
from ccproxy.errors import CredentialError


@given(st.binary(max_size=200))
def test_what_comes_out_can_stand_in_a_header(raw: bytes) -> None:
    try:
        text = secret_in(raw, "the output", hint="look")
    except CredentialError as error:
        assert error.status in {401, 503}
    else:
        assert text == raw.decode().strip()
        assert text.isascii()
        assert text.isprintable()


def test_messages_never_quote_it() -> None:
    with pytest.raises(CredentialError) as failed:
        secret_in(b"my-secret\nvalue", "the file", hint="look")
    assert "my-secret" not in str(failed.value)

"""What a credential's text must be, whatever its source."""

from __future__ import annotations

from ccproxy.errors import CredentialError

MAX_BYTES = 64 * 1024


def clean(raw: bytes, *, provider: str, source: str) -> str:
    """The credential in the output of a source, without surrounding white space.

    Args:
        raw: what the source gave.
        source: "command", "file ~/.key": for the message, which never quotes the content.

    Raises CredentialError: 401 if there is nothing, 503 if it cannot be one line of a header.
    """
    where = f"provider {provider!r}: the {source}"
    if len(raw) > MAX_BYTES:
        raise CredentialError(f"{where} gave more than {MAX_BYTES} bytes, which is no credential")
    text = raw.decode("utf-8", "replace").strip()
    if not text:
        raise CredentialError(f"{where} gave nothing", hint="check that it holds the credential", status=401)
    if not text.isascii() or not text.isprintable():
        raise CredentialError(
            f"{where} gave something that cannot be a credential (several lines, or other than printable ASCII)",
            hint="it must give the credential and nothing else",
        )
    return text

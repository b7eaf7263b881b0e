"""From the bytes of a source to a secret that can stand in a header field, or an error that says why not.

White space around it is dropped, as shells and editors add it. Anything else that cannot be part of a header value
would be sent as something else, or end the header: it is refused.
"""

from __future__ import annotations

from ccproxy.errors import CredentialError

#: No known credential comes near this many bytes.
MAX_BYTES = 64 * 1024


def secret_in(data: bytes, what: str, *, hint: str) -> str:
    """The secret in `data`.

    Args:
        data: what the source holds.
        what: begins the message of an error: "provider 'x': the output of its command".
        hint: how to look into it.

    Raises CredentialError: status 401 if there is nothing, 503 if it is no secret. What was found is not in it.
    """
    if len(data) > MAX_BYTES:
        raise CredentialError(f"{what} is larger than {MAX_BYTES // 1024} KiB", hint=hint)
    try:
        text = data.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise CredentialError(f"{what} is not text", hint=hint) from None
    if not text:
        raise CredentialError(f"{what} is empty", hint=hint, status=401)
    if lines := len(text.splitlines()) - 1:
        raise CredentialError(f"{what} has {lines + 1} lines; a credential has one", hint=hint)
    if not (text.isascii() and text.isprintable()):
        raise CredentialError(f"{what} holds something else than printable ASCII", hint=hint)
    return text

"""The exception tree."""

from __future__ import annotations

import ccproxy.errors as errors
from ccproxy.errors import CCProxyError, CommandError, CredentialError


def tree() -> list[type[CCProxyError]]:
    return [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, CCProxyError)]


def test_kinds_are_words_for_a_header_and_tell_errors_apart() -> None:
    kinds = [kind.kind for kind in tree()]
    assert len(kinds) == len(set(kinds))
    assert all(kind.replace("_", "").isalpha() and kind.islower() for kind in kinds)
    assert all(400 <= kind.status <= 599 for kind in tree())


def test_text_is_one_line_with_the_fix() -> None:
    assert str(CCProxyError("it broke", hint="mend it")) == "it broke (mend it)"
    assert str(CCProxyError("it broke")) == "it broke"
    assert CredentialError("x", status=401).status == 401
    assert CommandError("x", exit_code=3).exit_code == 3

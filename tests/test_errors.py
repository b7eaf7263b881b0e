"""The exception tree."""

from __future__ import annotations

import copy
import pickle

import pytest

import ccproxy.errors as errors
from ccproxy.errors import BadRequest, CCProxyError, CommandError, CredentialError, UpstreamCut


def tree() -> list[type[CCProxyError]]:
    return [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, CCProxyError)]


def test_kinds_are_words_for_a_header_and_tell_errors_apart() -> None:
    kinds = [kind.kind for kind in tree()]
    assert len(kinds) == len(set(kinds))
    assert all(kind.replace("_", "").isalpha() and kind.islower() for kind in kinds)
    assert all(400 <= kind.status <= 599 for kind in tree())


def test_every_error_says_when_it_is_raised() -> None:
    assert [kind.__name__ for kind in tree() if not kind.__doc__] == []


def test_text_is_one_line_with_the_fix() -> None:
    assert str(CCProxyError("it broke", hint="mend it")) == "it broke (mend it)"
    assert str(CCProxyError("it broke")) == "it broke"


def test_a_status_of_its_own_leaves_the_others_theirs() -> None:
    assert CredentialError("x", status=401).status == 401
    assert (CredentialError("x").status, CredentialError.status) == (503, 503)
    assert BadRequest("x", status=413).kind == "bad_request"


def test_a_command_ends_with_its_code() -> None:
    assert (CommandError("x").exit_code, CommandError("x", exit_code=3).exit_code) == (1, 3)


@pytest.mark.parametrize("error", [UpstreamCut("m", hint="h", status=599), CommandError("m", hint="h", exit_code=3)])
def test_a_copy_says_the_same(error: CCProxyError) -> None:
    for again in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (type(again), str(again), vars(again)) == (type(error), "m (h)", vars(error))

"""The beginning of a body within two bounds, and the whole size of it."""

from __future__ import annotations

from ccproxy.flows.reel import Account, Reel


def test_what_fits_is_kept_in_one_piece_and_the_account_is_settled() -> None:
    account = Account(100)
    reel = Reel(account, 100)
    assert (reel.add(b"one"), reel.add(b"two")) == (b"one", b"two")
    assert (account.held, reel.size, reel.truncated) == (6, 6, False)
    assert reel.take() == b"onetwo"
    assert account.held == 0


def test_beyond_its_own_bound_it_only_counts() -> None:
    reel = Reel(Account(100), 4)
    assert (reel.add(b"abc"), reel.add(b"def"), reel.add(b"g")) == (b"abc", b"d", b"")
    assert (reel.take(), reel.size, reel.truncated) == (b"abcd", 7, True)


def test_the_bound_over_all_is_shared() -> None:
    account = Account(5)
    first, second = Reel(account, 100), Reel(account, 100)
    first.add(b"abc")
    assert second.add(b"defg") == b"de"
    assert second.truncated and not first.truncated
    first.take()
    assert second.add(b"h") == b"", "a body has no hole in it"


def test_a_copy_leaves_reel_and_account_as_they_are() -> None:
    account = Account(10)
    reel = Reel(account, 10)
    reel.add(b"abc")
    copy = reel.copy()
    assert copy.take() == b"abc"
    assert (account.held, reel.take()) == (3, b"abc")

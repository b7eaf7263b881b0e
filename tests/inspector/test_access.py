"""Tickets are good once and for minutes, cookies for days; neither is good for the other, nor with another key."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ccproxy.inspector.access import SESSION_SECONDS, TICKET_SECONDS, Access, key_path, login_url, read_key, ticket
from ccproxy.util.clock import FakeClock

KEY = bytes(range(32))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def access(clock: FakeClock) -> Access:
    return Access(KEY, clock.wall)


class TestTickets:
    def test_a_ticket_is_good_once(self, access: Access, clock: FakeClock) -> None:
        given = ticket(KEY, clock.wall())
        cookie = access.login(given)
        assert cookie is not None
        assert access.knows(cookie)
        assert access.login(given) is None

    def test_and_two_are_two(self, access: Access, clock: FakeClock) -> None:
        first, second = ticket(KEY, clock.wall()), ticket(KEY, clock.wall())
        assert first != second
        assert access.login(first) != access.login(second)

    def test_it_grows_old(self, access: Access, clock: FakeClock) -> None:
        given = ticket(KEY, clock.wall())
        clock.advance(TICKET_SECONDS + 3)
        assert access.login(given) is None

    def test_one_from_before_the_start_may_have_been_used(self, clock: FakeClock) -> None:
        given = ticket(KEY, clock.wall())
        clock.advance(10)
        assert Access(KEY, clock.wall).login(given) is None

    def test_one_from_the_future_is_refused(self, access: Access, clock: FakeClock) -> None:
        assert access.login(ticket(KEY, clock.wall() + 60)) is None

    @pytest.mark.parametrize("given", ["", ".", "..", "0.x.y", "é.é.é", "x" * 500, "1a.b.\ud800"])
    def test_nonsense(self, access: Access, given: str) -> None:
        assert access.login(given) is None
        assert not access.knows(given)

    def test_another_key_or_a_changed_ticket(self, access: Access, clock: FakeClock) -> None:
        assert access.login(ticket(bytes(32), clock.wall())) is None
        made, nonce, mac = ticket(KEY, clock.wall()).split(".")
        assert access.login(f"{int(made, 16) + 1:x}.{nonce}.{mac}") is None
        assert access.login(f"{made}.{nonce}.{mac[:-1]}") is None

    def test_a_used_ticket_is_forgotten_only_when_it_is_too_old_to_be_used(
        self, access: Access, clock: FakeClock
    ) -> None:
        given = ticket(KEY, clock.wall())
        assert access.login(given)
        clock.advance(TICKET_SECONDS)
        assert access.login(ticket(KEY, clock.wall()))
        assert access.login(given) is None

    def test_it_stands_behind_the_hash(self) -> None:
        assert login_url("http://127.0.0.1:8083", KEY, 1.0).startswith("http://127.0.0.1:8083/#login=")


class TestCookies:
    def test_a_cookie_survives_a_restart(self, access: Access, clock: FakeClock) -> None:
        cookie = access.login(ticket(KEY, clock.wall())) or ""
        clock.advance(3600)
        assert Access(KEY, clock.wall).knows(cookie)

    def test_it_ends(self, access: Access, clock: FakeClock) -> None:
        cookie = access.login(ticket(KEY, clock.wall())) or ""
        clock.advance(SESSION_SECONDS + 1)
        assert not access.knows(cookie)

    def test_a_ticket_is_no_cookie_nor_a_cookie_a_ticket(self, access: Access, clock: FakeClock) -> None:
        given = ticket(KEY, clock.wall())
        assert not access.knows(given)
        cookie = access.login(given) or ""
        assert access.login(cookie) is None


class TestTheKey:
    def test_it_is_made_once_for_its_owner_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "state" / "inspector.key"
        key = read_key(path)
        assert len(key) == 32
        assert read_key(path) == key
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_one_that_others_may_read_is_tightened(self, tmp_path: Path) -> None:
        path = tmp_path / "inspector.key"
        read_key(path)
        path.chmod(0o644)
        read_key(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_half_a_key_is_none(self, tmp_path: Path) -> None:
        path = tmp_path / "inspector.key"
        path.write_bytes(b"short")
        assert len(read_key(path)) == 32

    def test_it_is_in_the_state_directory(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setitem(os.environ, "CCPROXY_CONFIG_DIR", str(tmp_path))
        assert key_path() == tmp_path / "state" / "inspector.key"

"""What a jail may reach: hosts by pattern, names behind addresses, and this machine."""

from __future__ import annotations

import pytest

from ccproxy.interceptor.policy import Patterns, Policy, is_machine


def policy(allow: tuple[str, ...] = (), deny: tuple[str, ...] = (), **more: object) -> Policy:
    return Policy(Patterns.of(allow), Patterns.of(deny), **more)  # type: ignore[arg-type]


class TestPatterns:
    @pytest.mark.parametrize(
        ("pattern", "host", "match"),
        [
            ("Some.Test", "some.test", True),
            ("some.test", "a.some.test", False),
            ("*.some.test", "a.b.some.test", True),
            ("*.some.test", "some.test", True),
            ("*.some.test", "awesome.test", False),
            ("192.0.2.0/24", "192.0.2.77", True),
            ("192.0.2.0/24", "198.51.100.1", False),
            ("192.0.2.1", "192.0.2.1", True),
            ("2001:db8::/32", "2001:db8::1", True),
            ("[2001:db8::1]", "2001:db8::1", True),
            ("192.0.2.0/24", "::ffff:192.0.2.1", True),
            ("192.0.2.0/24", "2001:db8::1", False),
        ],
    )
    def test_who_is_meant(self, pattern: str, host: str, match: bool) -> None:
        assert Patterns.of([pattern]).match(host) is match

    @pytest.mark.parametrize("text", ["", "http://x.test/", "a b", "*", "x:1", "300.1.2.3/99"])
    def test_what_is_none(self, text: str) -> None:
        with pytest.raises(ValueError, match="is no host"):
            Patterns.of([text])


class TestMachine:
    @pytest.mark.parametrize(
        "host",
        [
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "0.0.0.0",
            "::",
            "169.254.169.254",
            "fe80::1%eth0",
            "::ffff:127.0.0.1",
            "224.0.0.1",
            "x.localhost",
        ],
    )
    def test_what_leads_to_it(self, host: str) -> None:
        assert is_machine(host)
        assert policy().refuses_address(host, 80)
        assert not policy(on_this_machine=True).refuses_address(host, 80)

    @pytest.mark.parametrize("host", ["192.168.1.1", "10.1.2.3", "203.0.113.1", "2001:db8::1", "some.test"])
    def test_what_does_not(self, host: str) -> None:
        assert not is_machine(host)

    def test_its_ports_by_name(self) -> None:
        ours = policy(host_ports=frozenset({5432}))
        assert ours.refuses_address("10.0.0.54", 5432) == ""
        assert "jail.allow_host" in ours.refuses_address("10.0.0.54", 22)
        assert "jail.allow_host" in ours.refuses_address("127.0.0.1", 5432)


class TestPolicy:
    def test_by_default_everything(self) -> None:
        assert policy().refuses_name("any.test") == ""
        assert policy().refuses_address("203.0.113.1", 443) == ""

    def test_what_is_denied(self) -> None:
        ours = policy(deny=("bad.test", "203.0.113.0/24"))
        assert ours.refuses_name("Bad.Test.") == "bad.test is denied (--deny)"
        assert "denied" in ours.refuses_address("203.0.113.9", 1)
        ours.learn("bad.test", ["198.51.100.1"])
        assert "denied" in ours.refuses_address("198.51.100.1", 1)
        ours.learn("good.test", ["198.51.100.1"])  # they share an address
        assert ours.refuses_address("198.51.100.1", 1) == ""

    def test_only_what_is_allowed(self) -> None:
        ours = policy(allow=("good.test",), providers=frozenset({"api.test"}))
        assert ours.refuses_name("good.test") == ""
        assert ours.refuses_name("api.test") == ""
        assert "--allow-net" in ours.refuses_name("other.test")
        assert "--allow-net" in ours.refuses_address("203.0.113.1", 443)
        assert not ours.knows("203.0.113.1")
        ours.learn("good.test", ["203.0.113.1"])
        ours.learn("other.test", ["203.0.113.2"])
        assert ours.knows("203.0.113.1")
        assert ours.refuses_address("203.0.113.1", 443) == ""
        assert "other.test" in ours.refuses_address("203.0.113.2", 443)

    def test_denied_wins(self) -> None:
        ours = policy(allow=("*.test",), deny=("bad.test",))
        assert ours.refuses_name("good.test") == ""
        assert ours.refuses_name("bad.test")

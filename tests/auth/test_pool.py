from __future__ import annotations

from ccproxy.auth.base import Credential, SourceStatus, StaticSource
from ccproxy.auth.pool import LIMITED, REFUSED, CredentialPool, credential_report
from ccproxy.util.clock import FakeClock


def pool(count: int, clock: FakeClock | None = None) -> CredentialPool:
    sources = [StaticSource(Credential(f"secret-{n}"), label=f"key {n}") for n in range(count)]
    return CredentialPool(sources, clock=clock or FakeClock())


def number(chosen: object) -> int:
    found = getattr(chosen, "number", None)
    assert isinstance(found, int)
    return found


def test_one_is_always_the_one_and_is_tried_once() -> None:
    single = pool(1)
    member = single.choose("s")

    assert member is single.members[0]
    single.rest(member, 100)
    assert single.choose("s") is member
    assert single.choose("s", [member]) is None


def test_a_conversation_keeps_to_one_and_several_are_spread() -> None:
    several = pool(3)

    first = {f"session {n}": number(several.choose(f"session {n}")) for n in range(60)}

    assert {session: number(several.choose(session)) for session in first} == first
    assert set(first.values()) == {0, 1, 2}
    # Which one is no accident of the process.
    assert {session: number(pool(3).choose(session)) for session in first} == first


def test_a_request_of_no_conversation_takes_the_first() -> None:
    assert [number(pool(3).choose("")) for _ in range(3)] == [0, 0, 0]


def test_a_further_credential_moves_only_who_moves_to_it() -> None:
    before = {f"s{n}": number(pool(3).choose(f"s{n}")) for n in range(60)}
    after = {f"s{n}": number(pool(4).choose(f"s{n}")) for n in range(60)}

    assert {after[session] for session in before if after[session] != before[session]} == {3}


def test_one_that_rests_is_left_and_its_conversations_stay_where_they_moved() -> None:
    clock = FakeClock()
    several = pool(2, clock)
    member = several.choose("s")
    assert member is not None
    several.rest(member, 60)

    other = several.choose("s", [member])
    assert other is not None
    assert other is not member
    assert several.resting(member) == 60
    clock.advance(61)

    assert several.choose("s") is other
    assert several.resting(member) == 0


def test_when_all_rest_the_one_that_is_rested_first_is_used_once() -> None:
    several = pool(2)
    several.rest(several.members[0], 100)
    several.rest(several.members[1], 50)

    assert several.choose("s") is several.members[1]
    assert several.choose("s", [several.members[1]]) is None


def test_conversations_are_forgotten_in_time() -> None:
    several = pool(2)
    for n in range(10_050):
        several.choose(f"s{n}")

    assert len(several._kept) == 10_000


async def test_the_report_holds_no_secret() -> None:
    clock = FakeClock()

    class Login(StaticSource):
        def status(self) -> SourceStatus:
            return SourceStatus(expires=clock.wall() + 90.2, problem="it is late", renews=True)

    both = CredentialPool([Login(Credential("secret"), "login"), StaticSource(Credential("secret"))], clock=clock)
    both.rest(both.members[1], 5)

    assert credential_report(both, clock) == [
        {"source": "login", "expires_in": 90, "renews": True, "resting": 0, "problem": "it is late"},
        {"source": "fixed", "expires_in": None, "renews": False, "resting": 5, "problem": ""},
    ]
    assert both.label == "login, fixed"
    assert credential_report(None, clock) == []
    await both.close()


def test_what_is_refused_rests_longer_than_what_is_limited_and_as_long_as_is_said() -> None:
    several = pool(3)
    one, two, three = several.members
    several.retire(one, "refused", None)
    several.retire(two, "limited", None)
    several.retire(three, "limited", 7.0)
    assert [several.resting(member) for member in several.members] == [REFUSED, LIMITED, 7.0]


def test_a_single_one_never_rests() -> None:
    single = pool(1)
    single.retire(single.members[0], "refused", 100.0)
    assert single.resting(single.members[0]) == 0

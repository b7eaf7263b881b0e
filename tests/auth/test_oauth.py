"""A shared login, as stories: what is in the file, what the vendor answers, what becomes of the token."""

from __future__ import annotations

import asyncio
import errno
import logging
import stat
from pathlib import Path

import pytest

from ccproxy.auth.base import Credential
from ccproxy.auth.journal import Journal, Note
from ccproxy.auth.oauth import PAUSE
from ccproxy.auth.store import FileStore
from ccproxy.errors import CredentialError, UpstreamError

from .support import REFUSED, Claude, access, refresh, renewed


async def fails(claude: Claude) -> CredentialError:
    with pytest.raises(CredentialError) as caught:
        await claude.source.get()
    assert "canary" not in str(caught.value)
    return caught.value


class TestReading:
    async def test_a_valid_token_is_used_and_nobody_is_asked(self, tmp_path: Path) -> None:
        claude = Claude(tmp_path)

        credential = await claude.source.get()

        assert (credential.value, credential.header) == (access(1), "authorization")
        assert claude.endpoint.requests == []
        assert claude.source.status().expires == claude.clock.wall() + 3600
        assert "canary" not in repr(credential) + repr(claude.source.status()) + claude.source.label

    async def test_what_its_program_writes_is_used_at_once(self, tmp_path: Path) -> None:
        claude = Claude(tmp_path)
        await claude.token()

        claude.write(7)

        assert await claude.token() == access(7)

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            ("", "holds no JSON"),
            ('{"claudeAiOauth": {"acc', "holds no JSON"),
            ("[1]", "holds no JSON object"),
            ("{}", "has no access token at claudeAiOauth.accessToken"),
            ('{"claudeAiOauth": {"accessToken": "a\\nb"}}', "that is no token"),
            ("x" * 1_100_000, "is larger than"),
        ],
    )
    async def test_a_malformed_file_is_told_without_quoting_it(self, tmp_path: Path, content: str, says: str) -> None:
        claude = Claude(tmp_path)
        claude.path.write_text(content)

        error = await fails(claude)

        assert says in str(error)
        assert str(claude.path) in str(error)
        assert claude.source.status().problem == str(error)

    async def test_a_file_in_the_middle_of_being_written_does_not_stop_who_has_a_token(self, tmp_path: Path) -> None:
        claude = Claude(tmp_path)
        await claude.token()
        claude.path.write_text('{"claudeAiOauth": {"acc')

        assert await claude.token() == access(1)
        assert "holds no JSON" in claude.source.status().problem

        claude.write(2)

        assert await claude.token() == access(2)
        assert claude.source.status().problem == ""

    async def test_a_login_that_is_gone_is_over(self, tmp_path: Path) -> None:
        claude = Claude(tmp_path)
        await claude.token()
        claude.path.unlink()

        assert "does not exist" in str(await fails(claude))

    async def test_logged_out_means_log_in_and_nothing_is_posted(self, tmp_path: Path) -> None:
        claude = Claude(tmp_path)
        claude.write(accessToken="", refreshToken="", expiresAt=0)

        error = await fails(claude)

        assert error.status == 401
        assert "/login" in error.hint
        assert claude.endpoint.requests == []


class TestRenewing:
    async def test_an_expired_token_is_renewed_and_written_back_beside_its_siblings(self, tmp_path: Path) -> None:
        claude = Claude(tmp_path, renewed(2, refresh_token_expires_in=86400))
        claude.write(lifetime=-1)
        before = claude.document

        assert await claude.token() == access(2)

        assert claude.login == before["claudeAiOauth"] | {
            "accessToken": access(2),
            "refreshToken": refresh(2),
            "expiresAt": int((claude.clock.wall() + 3600) * 1000),
            "refreshTokenExpiresAt": int((claude.clock.wall() + 86400) * 1000),
        }
        assert claude.document["mcpOAuth"] == before["mcpOAuth"]
        assert stat.S_IMODE(claude.path.stat().st_mode) == 0o600
        assert sorted(path.name for path in claude.path.parent.iterdir()) == [".credentials.json"]
        assert claude.source.status().problem == ""

    async def test_the_headroom_counts(self, tmp_path: Path) -> None:
        claude = Claude(tmp_path, renewed(2), headroom_seconds=60)
        claude.write(lifetime=61)
        assert await claude.token() == access(1)

        claude.clock.advance(1)

        assert await claude.token() == access(2)

    async def test_a_login_that_does_not_say_when_it_expires_is_renewed_when_it_is_refused(
        self, tmp_path: Path
    ) -> None:
        claude = Claude(tmp_path, renewed(2))
        claude.write(expiresAt=None)
        assert await claude.token() == access(1)

        assert (await claude.source.refresh(Credential(access(1)))).value == access(2)

    async def test_many_at_once_cause_one_renewal(self, tmp_path: Path) -> None:
        claude = Claude(tmp_path, renewed(2))
        claude.write(lifetime=-1)

        tokens = await asyncio.gather(*(claude.token() for _ in range(20)))

        assert set(tokens) == {access(2)}
        assert len(claude.endpoint.requests) == 1

    async def test_refused_together_causes_one_renewal_however_late_one_comes(self, tmp_path: Path) -> None:
        claude = Claude(tmp_path, renewed(2))
        rejected = await claude.source.get()

        found = await asyncio.gather(*(claude.source.refresh(rejected) for _ in range(20)))
        late = await claude.source.refresh(rejected)

        assert {each.value for each in (*found, late)} == {access(2)}
        assert len(claude.endpoint.requests) == 1

    async def test_told_to_it_renews_what_is_still_good(self, tmp_path: Path) -> None:
        claude = Claude(tmp_path, renewed(2))

        assert (await claude.source.refresh()).value == access(2)

    async def test_a_refresh_token_that_does_not_rotate_is_kept(self, tmp_path: Path) -> None:
        claude = Claude(tmp_path, (200, {"access_token": access(2), "expires_in": 60}))
        claude.write(lifetime=-1)
        await claude.token()

        assert claude.login["refreshToken"] == refresh(1)

    async def test_fewer_scopes_are_asked_for_when_these_are_refused(self, tmp_path: Path) -> None:
        claude = Claude(tmp_path, (400, {"error": "invalid_scope"}), renewed(2))
        claude.write(lifetime=-1)

        assert await claude.token() == access(2)
        assert [fields.get("scope") for fields in claude.endpoint.fields] == ["user:inference user:profile", None]

    async def test_told_not_to_it_only_reads(self, tmp_path: Path) -> None:
        claude = Claude(tmp_path, renewed(2), refresh=False)
        claude.write(lifetime=30)
        assert await claude.token() == access(1)

        claude.clock.advance(31)
        error = await fails(claude)

        assert error.status == 401
        assert "use Claude Code once" in error.hint
        assert claude.endpoint.requests == []


class TestFailing:
    async def test_a_refused_login_says_how_to_log_in_and_asks_no_more(self, tmp_path: Path) -> None:
        claude = Claude(tmp_path, REFUSED)
        claude.write(lifetime=-1)

        first, second = await fails(claude), await fails(claude)

        assert str(first) == str(second)
        assert first.status == 401
        assert "invalid_grant" in str(first)
        assert "/login" in first.hint
        assert len(claude.endpoint.requests) == 1
        assert not claude.note.exists()

        claude.write(5)  # logged in again

        assert await claude.token() == access(5)
        assert claude.source.status().problem == ""

    @pytest.mark.parametrize(
        "answer",
        [
            UpstreamError("cannot connect to auth.example:443: connection refused"),
            (503, b"upstream connect error"),
            (429, {"error": {"type": "rate_limit_error"}}),
            (200, b"<html>"),
            (200, {"token": 1}),
            (200, [1]),
        ],
    )
    async def test_an_endpoint_that_is_down_is_asked_again_after_a_while(
        self, tmp_path: Path, answer: tuple[int, object] | UpstreamError
    ) -> None:
        claude = Claude(tmp_path, answer, renewed(2))
        claude.write(lifetime=-1)
        assert (await fails(claude)).status == 503
        await fails(claude)
        assert len(claude.endpoint.requests) == 1

        claude.clock.advance(PAUSE)

        assert await claude.token() == access(2)

    async def test_until_the_token_expires_a_failure_stops_nobody_and_is_seen(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        claude = Claude(tmp_path, (503, b""), renewed(2))
        claude.write(lifetime=30)

        assert [await claude.token() for _ in range(3)] == [access(1)] * 3

        assert len(claude.endpoint.requests) == 1
        assert "status 503" in claude.source.status().problem
        assert "canary" not in caplog.text

    @pytest.mark.parametrize("how", ["mode", "folder"])
    async def test_what_cannot_be_written_back_is_not_renewed(
        self, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        claude = Claude(tmp_path, renewed(2))
        claude.write(lifetime=-1)
        if how == "mode":
            claude.path.chmod(0o400)
        else:
            monkeypatch.setattr(Journal, "write", _read_only)

        error = await fails(claude)

        assert "read-only" in str(error)
        assert "Claude Code would be logged out" in str(error)
        assert claude.endpoint.requests == []


def _read_only(journal: Journal, note: Note) -> None:
    raise OSError(errno.EROFS, "Read-only file system")


class FullDisk(FileStore):
    """Takes no more."""

    full = True

    async def save(self, data: bytes) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        await super().save(data)


class TestNothingIsLost:
    async def test_tokens_that_cannot_be_written_are_kept_beside_and_used_by_everybody(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        claude = Claude(tmp_path, renewed(2), renewed(3))
        claude.write(lifetime=-1)
        store = FullDisk(str(claude.path))
        claude.source._store = store

        assert await claude.token() == access(2)

        assert claude.login["refreshToken"] == refresh(1)
        assert "no space left" in claude.source.status().problem
        assert any(record.levelno == logging.ERROR for record in caplog.records)
        assert stat.S_IMODE(claude.note.stat().st_mode) == 0o600
        # Another process, or this one after a restart:
        claude.source = claude.another()
        assert await claude.token() == access(2)
        # It is renewed from there, and written as soon as that is possible.
        claude.clock.advance(3600)
        assert await claude.token() == access(3)
        assert claude.endpoint.fields[-1]["refresh_token"] == refresh(2)
        assert claude.login["refreshToken"] == refresh(3)
        assert not claude.note.exists()

    async def test_not_written_twice_in_a_row_nothing_is_lost_either(self, tmp_path: Path) -> None:
        claude = Claude(tmp_path, renewed(2), (503, b""), renewed(3))
        claude.write(lifetime=-1)
        claude.source._store = FullDisk(str(claude.path))
        await claude.token()
        claude.clock.advance(3600)
        await fails(claude)
        claude.source = claude.another()

        assert await claude.token() == access(3)
        assert [fields["refresh_token"] for fields in claude.endpoint.fields] == [refresh(1), refresh(2), refresh(2)]

    async def test_a_login_made_anew_wins_over_tokens_kept_beside(self, tmp_path: Path) -> None:
        claude = Claude(tmp_path, renewed(2))
        claude.write(lifetime=-1)
        claude.source._store = FullDisk(str(claude.path))
        await claude.token()

        claude.write(9)

        assert await claude.token() == access(9)

    async def test_no_place_at_all_is_said_loudly_and_the_tokens_live_on_in_memory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        claude = Claude(tmp_path, renewed(2), renewed(3))
        claude.write(lifetime=-1)
        store = FullDisk(str(claude.path))
        claude.source._store = store
        claude.endpoint.gate = asyncio.Event()
        asked = asyncio.create_task(claude.token())
        await claude.endpoint.arrived.wait()
        with monkeypatch.context() as full:
            full.setattr(Journal, "write", _read_only)
            claude.endpoint.gate.set()
            assert await asked == access(2)
        assert any(record.levelno == logging.CRITICAL for record in caplog.records)
        claude.path.touch()
        assert await claude.token() == access(2)

        store.full = False
        claude.clock.advance(3600)

        assert await claude.token() == access(3)
        assert claude.endpoint.fields[-1]["refresh_token"] == refresh(2)
        assert claude.login["refreshToken"] == refresh(3)

    async def test_a_process_that_died_in_the_middle_is_told_of_when_the_login_turns_out_to_be_over(
        self, tmp_path: Path
    ) -> None:
        claude = Claude(tmp_path, UpstreamError("closed the connection without an answer"), REFUSED)
        claude.write(lifetime=-1)
        await fails(claude)
        claude.source = claude.another()

        assert "after a renewal that was interrupted" in str(await fails(claude))

    async def test_ending_waits_for_a_renewal_under_way(self, tmp_path: Path) -> None:
        claude = Claude(tmp_path, renewed(2))
        claude.write(lifetime=-1)
        claude.endpoint.gate = asyncio.Event()
        asked = asyncio.create_task(claude.token())
        await claude.endpoint.arrived.wait()
        asked.cancel()
        ending = asyncio.create_task(claude.source.close())
        await asyncio.sleep(0)
        assert not ending.done()

        claude.endpoint.gate.set()
        await ending

        assert claude.login["accessToken"] == access(2)


class TestOthers:
    async def test_a_program_without_locks_that_was_faster_is_followed(self, tmp_path: Path) -> None:
        claude = Claude(tmp_path)
        claude.endpoint.answers = [lambda request: (claude.write(8), REFUSED)[1]]
        claude.write(lifetime=-1)

        assert await claude.token() == access(8)

    async def test_a_login_made_while_its_renewal_ran_is_not_overwritten(self, tmp_path: Path) -> None:
        claude = Claude(tmp_path)
        claude.endpoint.answers = [lambda request: (claude.write(8), renewed(2))[1]]
        claude.write(lifetime=-1)

        assert await claude.token() == access(8)
        assert claude.login["refreshToken"] == refresh(8)

    async def test_what_was_added_to_the_file_meanwhile_is_kept(self, tmp_path: Path) -> None:
        claude = Claude(tmp_path)
        claude.endpoint.answers = [lambda request: (claude.write(lifetime=-1, added="yes"), renewed(2))[1]]
        claude.write(lifetime=-1)

        assert await claude.token() == access(2)
        assert claude.login["added"] == "yes"

    async def test_who_waits_for_the_lock_uses_what_its_holder_wrote(self, tmp_path: Path) -> None:
        claude = Claude(tmp_path, renewed(2))
        claude.write(lifetime=-1)
        claude.endpoint.gate = asyncio.Event()
        first = asyncio.create_task(claude.token())
        await claude.endpoint.arrived.wait()
        second = asyncio.create_task(claude.another().get())
        while claude.slept < 3:
            await asyncio.sleep(0)

        claude.endpoint.gate.set()

        assert await first == (await second).value == access(2)
        assert len(claude.endpoint.requests) == 1

    async def test_a_lock_that_is_never_given_back_is_an_error_in_time(self, tmp_path: Path) -> None:
        claude = Claude(tmp_path, renewed(2), timeout_seconds=5)
        claude.write(lifetime=-1)
        claude.endpoint.gate = asyncio.Event()
        first = asyncio.create_task(claude.token())
        await claude.endpoint.arrived.wait()
        claude.source = claude.another()

        assert "holds the lock" in str(await fails(claude))

        claude.endpoint.gate.set()
        await first

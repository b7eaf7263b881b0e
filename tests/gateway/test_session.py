from __future__ import annotations

import pytest

from ccproxy.exchange.http import Headers
from ccproxy.gateway.session import session_of


@pytest.mark.parametrize(
    ("headers", "body", "session"),
    [
        ([(b"X-Claude-Code-Session-Id", b"s1"), (b"session-id", b"s2")], b'{"prompt_cache_key":"k"}', "s1"),
        ([(b"session-id", b"s2"), (b"thread-id", b"t")], None, "s2"),
        ([(b"X-Session-Id", b"s3")], None, "s3"),
        ([], b'{"metadata":{"user_id":"{\\"session_id\\":\\"u\\"}"},"prompt_cache_key":"k"}', '{"session_id":"u"}'),
        ([], b'{"metadata":{"other":1},"prompt_cache_key":"k"}', "k"),
        ([], b'{"request":{"session_id":"g"}}', "g"),
        ([], b'{"session_id":"o"}', "o"),
        ([], b'{"metadata":{"user_id":5},"session_id":7}', ""),
        ([], b"[]", ""),
        ([], b"no json", ""),
        ([], b"", ""),
        ([], None, ""),
    ],
)
def test_how_clients_name_a_conversation(headers: list[tuple[bytes, bytes]], body: bytes | None, session: str) -> None:
    assert session_of(Headers(headers), body) == session

"""The value that a dialect is."""

from __future__ import annotations

import pytest

from ccproxy.lightllm.dialect import Context, Paths, Target

from .kit import NAMES, REGISTRY


def test_paths_hold_the_model_where_they_say_so() -> None:
    paths = Paths(
        generate="/v1beta/models/{model}:generateContent", stream="/v1beta/models/{model}:stream?alt=sse", models="/m"
    )
    assert paths.of("generate", "gemini-2.5") == "/v1beta/models/gemini-2.5:generateContent"
    assert paths.of("generate", "a b/c?", stream=True) == "/v1beta/models/a%20b/c%3F:stream?alt=sse"
    assert paths.of("models") == "/m"
    assert paths.of("count_tokens", "m") == ""


@pytest.mark.parametrize("name", NAMES)
def test_every_dialect_knows_its_own_paths(name: str) -> None:
    dialect = REGISTRY.get(name)
    assert dialect.name == name
    path = dialect.paths.of("generate", "m").partition("?")[0]
    assert dialect.match(path) == "generate"
    assert dialect.match("/nowhere") == ""


@pytest.mark.parametrize("name", NAMES)
def test_a_count_request_exists_where_there_is_a_path_for_it(name: str) -> None:
    dialect = REGISTRY.get(name)
    assert bool(dialect.paths.count_tokens) == (dialect.write_count_request is not None)
    if dialect.write_count_request is None:
        with pytest.raises(ValueError, match="no token count"):
            dialect.encode_request(
                REGISTRY.get("anthropic").decode_request(b'{"messages":[]}'), Target(), operation="count_tokens"
            )


def test_a_context_makes_its_own_ids_and_times() -> None:
    context = Context()
    assert context.new_id() != context.new_id()
    assert context.new_id().isalnum()
    assert context.now() > 1_700_000_000
    assert context.ledger is not Context().ledger

"""The words for places, and which of them overlap."""

from __future__ import annotations

import pytest

from ccproxy.errors import ConfigError
from ccproxy.pipeline.places import covered, overlap, parse, show


@pytest.mark.parametrize(
    ("word", "place"),
    [
        ("body", ("body",)),
        ("body.metadata.user_id", ("body", "metadata", "user_id")),
        ("request", ("body",)),
        ("model", ("body", "model")),
        ("headers.X-Team.v2", ("headers", "x-team.v2")),
        ("response", ("answer",)),
        ("state.Seen", ("state", "Seen")),
    ],
)
def test_words_are_places(word: str, place: tuple[str, ...]) -> None:
    assert parse(word) == place
    assert parse(show(place)) == place


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("bdy", "did you mean 'body'?"),
        ("", "places are body, headers"),
        ("cookies", "places are"),
        ("model.x", "nothing below 'model'"),
        ("body..x", "nothing below 'body'"),
        ("headers.", "nothing below"),
    ],
)
def test_other_words_are_refused(word: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(word)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("one", "other", "does"),
    [
        ("body", "body.model", True),
        ("request", "model", True),
        ("body.a", "body.ab", False),
        ("body.messages.*.content", "body.messages.3", True),
        ("body.messages.*.content", "body.messages.3.role", False),
        ("headers.a", "headers.A", True),
        ("headers.a", "headers.b", False),
        ("headers", "body", False),
    ],
)
def test_a_place_overlaps_what_it_holds_and_what_holds_it(one: str, other: str, does: bool) -> None:
    assert overlap(parse(one), parse(other)) is does
    assert overlap(parse(other), parse(one)) is does


def test_a_declared_place_covers_what_is_below_it_only() -> None:
    declared = [parse("body.metadata"), parse("headers")]
    assert covered(parse("body.metadata.user_id"), declared)
    assert covered(parse("headers.x"), declared)
    assert not covered(parse("body"), declared)
    assert not covered(parse("body.model"), declared)

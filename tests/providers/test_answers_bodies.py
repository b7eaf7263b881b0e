import pytest

from ccproxy.providers.answers.bodies import decode
from ccproxy.testing.encoding import encode

DATA = "some text, wörld; ".encode() * 5000
CODINGS = ["gzip", "deflate", "br", "zstd"]


@pytest.mark.parametrize("coding", CODINGS)
def test_a_coding_is_taken_off(coding: str) -> None:
    assert decode(coding, encode(coding, DATA)) == DATA  # type: ignore[arg-type]


def test_several_codings_are_taken_off_last_first() -> None:
    assert decode("gzip, br", encode("br", encode("gzip", DATA))) == DATA


@pytest.mark.parametrize("coding", ["", "identity", " Identity "])
def test_no_coding_is_the_data_itself(coding: str) -> None:
    assert decode(coding, DATA) == DATA


@pytest.mark.parametrize("coding", CODINGS)
def test_wrong_cut_and_too_large_data_are_refused(coding: str) -> None:
    encoded = encode(coding, DATA)  # type: ignore[arg-type]

    with pytest.raises(ValueError, match=coding):
        decode(coding, b"this is not compressed at all")
    with pytest.raises(ValueError, match="too early"):
        decode(coding, encoded[:-4])
    with pytest.raises(ValueError, match="larger than 1000 bytes"):
        decode(coding, encoded, limit=1000)


def test_an_unknown_coding_is_refused() -> None:
    with pytest.raises(ValueError, match="'compress'"):
        decode("compress", DATA)

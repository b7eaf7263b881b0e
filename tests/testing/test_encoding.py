import zlib

import brotli
import pytest
import zstandard

from ccproxy.testing.encoding import Encoding, encode, encoder

PIECES = [b"data: one\n\n", b"data: two\n\n", "data: wörld 🌍\n\n".encode()]


def decoder(encoding: Encoding):
    match encoding:
        case "gzip":
            return zlib.decompressobj(wbits=31).decompress
        case "deflate":
            return zlib.decompressobj().decompress
        case "br":
            return brotli.Decompressor().process
        case "zstd":
            return zstandard.ZstdDecompressor().decompressobj().decompress
        case _:
            return lambda data: data


@pytest.mark.parametrize("encoding", ["", "gzip", "deflate", "br", "zstd"])
def test_each_piece_can_be_decoded_at_once(encoding: Encoding) -> None:
    running, decode = encoder(encoding), decoder(encoding)

    assert [decode(running.piece(piece)) for piece in PIECES] == PIECES
    assert decode(running.finish()) == b""


@pytest.mark.parametrize("encoding", ["", "gzip", "deflate", "br", "zstd"])
def test_all_at_once(encoding: Encoding) -> None:
    assert decoder(encoding)(encode(encoding, b"".join(PIECES))) == b"".join(PIECES)

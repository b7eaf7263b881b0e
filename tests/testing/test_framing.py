from ccproxy.testing import cr, crlf, no_last_blank, one_byte, split_data, split_utf8, with_bom, with_comments

FRAMES = ["event: a\ndata: wörld\n\n".encode(), "data: 🌍!\n\n".encode()]
WHOLE = b"".join(FRAMES)


def test_line_ends() -> None:
    assert crlf(FRAMES)[1] == "data: 🌍!\r\n\r\n".encode()
    assert cr(FRAMES)[1] == "data: 🌍!\r\r".encode()
    assert crlf(crlf(FRAMES)) == crlf(FRAMES)
    assert cr(crlf(FRAMES)) == cr(FRAMES)


def test_what_is_added_is_a_bom_or_comments() -> None:
    assert b"".join(with_bom(FRAMES)) == b"\xef\xbb\xbf" + WHOLE
    assert with_bom([]) == [b"\xef\xbb\xbf"]
    assert with_comments(FRAMES, "hm") == [b": hm\n\n", FRAMES[0], b": hm\n\n", FRAMES[1]]


def test_the_last_blank_line_is_missing() -> None:
    assert no_last_blank(FRAMES) == [FRAMES[0], "data: 🌍!".encode()]
    assert no_last_blank([*FRAMES, b"\n"]) == no_last_blank(FRAMES)
    assert no_last_blank([]) == []


def test_pieces_of_any_size_are_the_same_bytes() -> None:
    assert b"".join(split_data(FRAMES, 3)) == WHOLE
    assert {len(piece) for piece in one_byte(FRAMES)} == {1}
    assert b"".join(one_byte(FRAMES)) == WHOLE


def test_characters_are_cut_in_the_middle() -> None:
    pieces = split_utf8(FRAMES)

    assert b"".join(pieces) == WHOLE
    assert [piece[-1:] for piece in pieces[:-1]] == [b"\xc3", b"\xf0"]


def test_they_compose() -> None:
    assert b"".join(one_byte(with_bom(crlf(FRAMES)))) == b"\xef\xbb\xbf" + WHOLE.replace(b"\n", b"\r\n")

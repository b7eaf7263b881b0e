from __future__ import annotations

from ccproxy.testing.conformance import cuttings


def test_every_cutting_holds_every_byte_and_every_point_is_cut_once() -> None:
    raw = b"0123456789"
    found = list(cuttings(raw))
    assert all(b"".join(chunks) == raw for chunks in found)
    assert [raw] in found
    assert [bytes([byte]) for byte in raw] in found
    assert any(b"" in chunks for chunks in found)
    assert [len(first) for first, *rest in found[3:] if len(rest) == 1] == list(range(11))


def test_long_ones_are_cut_at_some_points() -> None:
    assert len(list(cuttings(bytes(1000), every_split_up_to=10))) == 3 + 11


def test_nothing_can_be_cut() -> None:
    assert all(b"".join(chunks) == b"" for chunks in cuttings(b""))

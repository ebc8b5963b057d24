"""How bytes are cut; that cuts change no answer is tested on sockets, in `test_reader` and `test_known_heads`."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from serve.http.pieces import BODY_PIECE, HEAD_PIECE, LINE_PIECE, Pieces

HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def take_all(pieces: Pieces, *parts: bytes) -> list[bytes]:
    taken = []
    for part in parts:
        pieces.add(part)
        while pieces.waiting:
            taken.append(pieces.take())
    return taken


def test_each_head_is_a_piece():
    assert take_all(Pieces(), HEAD * 3 + b"GE") == [HEAD] * 3 + [b"GE"]


def test_a_long_head_is_cut():
    taken = take_all(Pieces(), b"a" * (HEAD_PIECE + LINE_PIECE + 5))
    assert list(map(len, taken)) == [HEAD_PIECE, LINE_PIECE, 5]


def test_trailers_are_cut_into_small_pieces():
    pieces = Pieces()
    pieces.expect_chunks()
    taken = take_all(pieces, b"0\r\n" + b"T: a\r\n" * 1000)
    assert max(map(len, taken)) == LINE_PIECE


@given(cuts=st.sets(st.integers(1, 2 * len(HEAD) - 1)))
def test_a_head_ends_a_piece_wherever_the_reads_were_cut(cuts):
    data = HEAD * 2
    taken = take_all(Pieces(), *(data[start:end] for start, end in pairwise([0, *sorted(cuts), len(data)])))
    assert b"".join(taken) == data
    lengths = [0]
    for piece in taken:
        lengths.append(lengths[-1] + len(piece))
    assert len(HEAD) in lengths


def test_a_body_ends_a_piece_and_a_large_one_is_cut():
    pieces = Pieces()
    pieces.expect_body(BODY_PIECE + 5)
    taken = take_all(pieces, b"\r\n\r\n" * (BODY_PIECE // 4) + b"12345" + HEAD)
    assert list(map(len, taken)) == [BODY_PIECE, 5, len(HEAD)]


@given(cuts=st.sets(st.integers(1, 60)))
def test_chunks_lines_and_trailers_are_pieces_wherever_the_reads_were_cut(cuts):
    chunks = [b"5;a=b\r\n", b"\r\n\r\nx\r\n", b"1A\r\n", b"b" * 26 + b"\r\n", b"0\r\n", b"T: u\r\n\r\n"]
    data = b"".join(chunks)
    pieces = Pieces()
    pieces.expect_chunks()
    ends = [end for end in sorted(cuts) if end < len(data)]
    taken = take_all(pieces, *(data[start:end] for start, end in pairwise([0, *ends, len(data)])), HEAD)
    assert b"".join(taken) == data + HEAD
    reached, lengths = 0, []
    for piece in taken:
        reached += len(piece)
        lengths.append(reached)
    wanted = 0
    for chunk in chunks:
        wanted += len(chunk)
        assert wanted in lengths
    assert pieces.announced == 5 + 26


def test_a_size_that_is_none_is_left_to_the_parser():
    pieces = Pieces()
    pieces.expect_chunks()
    assert take_all(pieces, b"xyz\r\n", b"ab") == [b"xyz\r\n", b"ab"]
    assert pieces.announced == 0

"""Lines of a stream, and whether it is over or silent, from the pieces in which it came in."""

from __future__ import annotations

import pytest

from chartgen.measure.events import LINE_LIMIT, data_of, is_over, last_said, lines

END = b"[DONE]"


def timed(*pieces: bytes) -> list[tuple[float, bytes]]:
    return [(float(at), piece) for at, piece in enumerate(pieces, 1)]


@pytest.mark.parametrize(
    ("pieces", "found"),
    [
        ((b"a\nb\n",), [(1, b"a"), (1, b"b")]),
        ((b"a", b"b", b"c\n\n", b"d"), [(3, b"abc"), (3, b""), (4, b"d")]),
        ((b"a\nb", b"\nc"), [(1, b"a"), (2, b"b"), (2, b"c")]),
        ((b"", b"\n"), [(2, b"")]),
        ((), []),
    ],
)
def test_lines(pieces: tuple[bytes, ...], found: list[tuple[float, bytes]]) -> None:
    assert list(lines(timed(*pieces))) == found


def test_a_line_without_an_end_is_cut() -> None:
    half = b"x" * (LINE_LIMIT // 2 + 1)
    ((at, line),) = lines(timed(half, half, half, b"\n"))
    assert (at, len(line)) == (2, 2 * len(half))


@pytest.mark.parametrize(
    ("line", "data"),
    [
        (b"data: x\r", b"x"),
        (b"data:x", b"x"),
        (b"data", b"data"),
        (b": ping", b""),
        (b"event: message", b""),
        (b"id: 1", b""),
        (b"<html>", b"<html>"),
    ],
)
def test_the_data_of_a_line(line: bytes, data: bytes) -> None:
    assert data_of(line) == data


@pytest.mark.parametrize(
    ("pieces", "over"),
    [
        ((b"data: [DONE]\n\n",), True),
        ((b"data: [DONE]",), True),
        ((b"data: x\n\ndata:[DONE]\r\n",), True),
        ((b"data: [", b"DONE", b"]"), True),
        ((b"data: x\n", b"data: [DONE]\n"), True),
        ((b"data: x data: [DONE]",), False),
        ((b"data: x ", b"data: [DONE]"), False),
        ((b"x" * 100, b"data: [DONE]"), False),
        ((b"[DONE]",), True),
        ((), False),
    ],
)
def test_the_end_of_a_stream(pieces: tuple[bytes, ...], over: bool) -> None:
    assert is_over(timed(*pieces), END) == over


@pytest.mark.parametrize(
    ("pieces", "last"),
    [
        ((b"data: a\n\n", b"data: b\n\n", b": ping\n\n", b": ping\n"), 2),
        ((b"data: a\n", b": pi", b"ng\n"), 1),
        ((b"data: a", b"b\n", b": ping\n"), 2),
        ((b"data: a\n", b"data: no end"), 1),
        ((b"data: a\n", b"x", b"x"), 1),
        ((b"data: a\n", b"data: alive\n", b"data:\n"), 1),
        ((b": ping\n", b"data: alive\n"), None),
        ((), None),
    ],
)
def test_when_something_was_said_last(pieces: tuple[bytes, ...], last: float | None) -> None:
    assert last_said(timed(*pieces), lambda data: data != b"alive") == last

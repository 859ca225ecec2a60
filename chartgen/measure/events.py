"""The lines of a stream of events, from the pieces in which it comes in (HTML standard, §9.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

Piece = tuple[float, bytes]
# No event of a chat completion comes near; a line of this size never ends.
LINE_LIMIT = 1 << 20
# The last line of a stream is shorter.
_END_BYTES = 64


def lines(pieces: Sequence[Piece], *, last_unended: bool = True) -> Iterator[tuple[float, bytes]]:
    """Yield each line without its end, with the time of its last piece; the last one may lack it.

    One that grows longer than LINE_LIMIT is yielded as far as it is, and nothing after it.
    """
    begun: list[bytes] = []
    size = 0
    for at, piece in pieces:
        first, *others = piece.split(b"\n")
        begun.append(first)
        size += len(first)
        if others:
            yield at, b"".join(begun)
            *whole, rest = others
            yield from ((at, line) for line in whole)
            begun, size = [rest], len(rest)
        if size > LINE_LIMIT:
            break
    if size and last_unended:
        yield at, b"".join(begun)


def data_of(line: bytes) -> bytes:
    """Return the data of a line, nothing for comments and the fields `event`, `id` and `retry`.

    Any other line is returned whole, so that a page of a proxy shows as what it is.
    """
    line = line.strip()
    if line.startswith(b"data:"):
        return line[5:].lstrip()
    return b"" if line.startswith((b":", b"event:", b"id:", b"retry:")) else line


def is_over(pieces: Sequence[Piece], end: bytes) -> bool:
    """Tell whether the last line so far has `end` as its data, whether the line is whole or not."""
    tail = b""
    for _, piece in reversed(pieces):
        tail = (piece[-_END_BYTES:] + tail).rstrip()
        _, line_end, line = tail.rpartition(b"\n")
        if line_end or len(tail) >= _END_BYTES:
            return bool(line_end) and data_of(line) == end
    return data_of(tail) == end


def last_said(pieces: Sequence[Piece], says: Callable[[bytes], bool]) -> float | None:
    """Return when the last event was whole whose data `says` takes for more than a sign of life."""
    end = len(pieces)
    while end:
        begin = end - 1
        while begin and not pieces[begin - 1][1].endswith(b"\n"):
            begin -= 1
        for at, line in reversed(list(lines(pieces[begin:end], last_unended=False))):
            data = data_of(line)
            if data and says(data):
                return at
        end = begin
    return None

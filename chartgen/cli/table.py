"""Tables of text that fit a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from chartgen.terminal import display_width, one_line

_GAP = "  "
_CUT = "…"
# A column that gives way keeps at least this much, or it would say nothing.
_LEAST = 8


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    width: int,
    right: Sequence[int] = (),
) -> str:
    """Return a table as text, at most `width` cells wide where its columns can give way.

    The widest column is shortened first, its cells cut with an ellipsis. `right` names the
    columns, from 0, that are set flush right.
    """
    cells = [[one_line(cell) for cell in row] for row in (head, *rows)]
    widths = [max(display_width(row[at]) for row in cells) for at in range(len(head))]
    room = width - len(_GAP) * (len(head) - 1)
    while sum(widths) > room and max(widths) > _LEAST:
        widths[widths.index(max(widths))] -= 1
    lines = []
    for row in cells:
        sized = enumerate(zip(row, widths, strict=True))
        shown = [_fitted(cell, size, at in right) for at, (cell, size) in sized]
        lines.append(_GAP.join(shown).rstrip())
    return "".join(f"{line}\n" for line in lines)


def _fitted(cell: str, width: int, right: bool) -> str:
    if display_width(cell) > width:
        cell = cell[: len(cell) - 1]
        while display_width(cell) > width - len(_CUT):
            cell = cell[:-1]
        cell += _CUT
    space = " " * (width - display_width(cell))
    return space + cell if right else cell + space

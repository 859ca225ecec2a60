"""Tables of text that fit a terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence

from chartgen.terminal import display_width, one_line

_GAP = "  "
_CUT = "…"
# A column that gives way keeps at least this much, or it would say nothing.
_LEAST = 7
# A number, a version or a date, with what stands around it: `222 / 72*`, `23.3 GiB`, `1.0.10+`.
_NUMBER = re.compile(r"[^A-Za-z]*\d[^A-Za-z]*[A-Za-z]{0,3}[^A-Za-z]*")


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    width: int,
    right: Sequence[int] = (),
) -> str:
    """Return a table as text, at most `width` cells wide where its columns can give way.

    The widest column is shortened first, its cells cut with an ellipsis; a number is never cut, as
    its beginning is another number. `right` names the columns, from 0, that are set flush right.
    """
    cells = [[one_line(cell) for cell in row] for row in (head, *rows)]
    columns = range(len(head))
    widths = [max(display_width(row[at]) for row in cells) for at in columns]
    least = [max([_LEAST, *(_number_width(row[at]) for row in cells[1:])]) for at in columns]
    room = width - len(_GAP) * (len(head) - 1)
    while sum(widths) > room:
        giving = [at for at in columns if widths[at] > least[at]]
        if not giving:
            break
        widths[max(giving, key=lambda at: widths[at])] -= 1
    lines = []
    for row in cells:
        sized = enumerate(zip(row, widths, strict=True))
        shown = [_fitted(cell, size, at in right) for at, (cell, size) in sized]
        lines.append(_GAP.join(shown).rstrip())
    return "".join(f"{line}\n" for line in lines)


def named_table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    width: int,
    right: Sequence[int] = (),
) -> str | None:
    """Return a table of things that the first column names, and in which only the names give way.

    None where it does not fit `width` so, or where two names would be cut to the same text.
    `right` as of `table`.
    """
    cells = [[one_line(cell) for cell in row] for row in (head, *rows)]
    names = [row[0] for row in cells]
    others = [max(display_width(row[at]) for row in cells) for at in range(1, len(head))]
    room = width - sum(others) - len(_GAP) * len(others)
    if room < min(_LEAST, max(map(display_width, names))):
        return None
    shown = [_cut(name, room) for name in names]
    if len(set(shown)) < len(set(names)):
        return None
    fitted = [(name, *row[1:]) for name, row in zip(shown, cells, strict=True)]
    return table(fitted[0], fitted[1:], width=width, right=right)


def _number_width(cell: str) -> int:
    return display_width(cell) if _NUMBER.fullmatch(cell) else 0


def _cut(cell: str, width: int) -> str:
    if display_width(cell) <= width:
        return cell
    while display_width(cell) > width - len(_CUT):
        cell = cell[:-1]
    return cell + _CUT


def _fitted(cell: str, width: int, right: bool) -> str:
    cell = _cut(cell, width)
    space = " " * (width - display_width(cell))
    return space + cell if right else cell + space

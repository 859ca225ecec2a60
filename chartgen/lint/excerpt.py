"""One line of a source file, cut to fit a terminal, with the cell that a column stands in."""

from __future__ import annotations

from chartgen.terminal import display_width, printable

_TAB = "    "
_CUT = "…"
# How much of the line to show after the column, if there is that much: enough to see the value.
_AFTER = 20


def excerpt(line: str, column: int, width: int) -> tuple[str, int]:
    """Return what to print of a line, and the caret's offset in cells.

    It takes `width` cells at most; less than 22 are not enough to say anything and count as 22.
    `column` counts characters from 1; 0 stands for none, and the beginning is shown. A tab is
    shown as four spaces. A line that is too long loses its beginning, its end or both, marked
    with an ellipsis, such that the column stays in sight.
    """
    line = line.rstrip("\r\n")
    width = max(width, 2 * len(_CUT) + _AFTER)
    at = min(max(column - 1, 0), len(line))
    # What lies further off than one width is never shown, and a line may be a megabyte long.
    start, end = max(0, at - width), at + width
    cells = [_shown(character) for character in line[start:end]]
    widths = [display_width(cell) for cell in cells]
    at -= start
    caret = sum(widths[:at])
    if start == 0 and end >= len(line) and max(sum(widths), caret + 1) <= width:
        return "".join(cells).rstrip(), caret
    first = _first_shown(widths, at, width)
    before = _CUT if start or first else ""
    room = width - len(before) - len(_CUT)
    last = first
    while last < len(cells) and widths[last] <= room:
        room -= widths[last]
        last += 1
    after = _CUT if last < len(cells) or end < len(line) else ""
    text = "".join(cells[first:last]).rstrip()
    return before + text + after, len(before) + sum(widths[first:at])


def _first_shown(widths: list[int], at: int, width: int) -> int:
    """Return the first character to show so that column `at` and what follows it have room."""
    room = width - 2 - min(_AFTER, sum(widths[at:]))
    if sum(widths[:at]) <= room:
        return 0
    first = at
    while first > 0 and widths[first - 1] <= room:
        first -= 1
        room -= widths[first]
    return first


def _shown(character: str) -> str:
    return _TAB if character == "\t" else printable(character).replace("\n", "")

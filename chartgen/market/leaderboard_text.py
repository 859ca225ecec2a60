"""A leaderboard in writing: rows of words for a table, and a Markdown document."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from chartgen.market.leaderboard import ABILITY_WORDS, Row
from chartgen.market.page_markdown import is_web_address
from chartgen.terminal import one_line

HEAD = ("APP", "VERSION", "TOKENS/S", "CONTEXT", "VISION", "TOOLS", "FROM")
MORE = ("GPU MEMORY", "ENGINE", "HARDWARE", "DATE")
# Columns of numbers, set flush right.
RIGHT = (2, 3)
# Said of a row by a mark, as a table of 80 columns has no room for it in words.
_TWO, _UNRELEASED, _SAME = "*", "+", "="
_MEANINGS = {
    _TWO: "two speeds, fast / slow: no single number stands for them; placed by the slow one",
    _UNRELEASED: "not released yet",
    _SAME: "measured of an earlier version, which runs the same",
}
# What means something to Markdown within a line of a table.
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~&$])")
_NOT_IN_LINKS = re.compile(r"[<>|\\\s]")


def cells(row: Row, *, wide: bool) -> tuple[str, ...]:
    """Return the cells of a row below HEAD, and below MORE too where it is `wide`."""
    narrow = (
        row.title,
        row.version + ("" if row.released else _UNRELEASED),
        _speed(row),
        row.context_text or "-",
        ABILITY_WORDS[row.vision],
        ABILITY_WORDS[row.tools],
        row.origin or "-",
    )
    more = (row.gpu_memory, row.engine, row.hardware, row.date)
    return (*narrow, *(text or "-" for text in more)) if wide else narrow


def marks(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return a line for each mark that stands in the cells of rows."""
    used = "".join(_marks(row) for row in rows)
    return tuple(f"{mark} {text}" for mark, text in _MEANINGS.items() if mark in used)


def leaderboard_markdown(rows: Sequence[Row]) -> str:
    """Return a Markdown document: a table with all columns, and what its words mean."""
    head = (
        "App", "Version", "Tokens/s", "Context", "Vision", "Tools", "GPU memory", "Engine",
        "Model", "Measured on", "Source", "Date",
    )  # fmt: skip
    lines = [_line(head), _line(["---"] * len(head))]
    for row in rows:
        version = row.version if row.released else f"{row.version} (not released)"
        of = row.measured_version
        machine = row.hardware + (f", as {of}" if of and of != row.version else "")
        rate = row.speed.words.removesuffix(" tokens/s") if row.speed is not None else ""
        texts = (
            row.title, version, rate, row.context_text, ABILITY_WORDS[row.vision],
            ABILITY_WORDS[row.tools], row.gpu_memory, row.engine, row.model, machine,
        )  # fmt: skip
        lines.append(_line([*map(_plain, texts), _source(row), _plain(row.date)]))
    return "\n".join(["# Leaderboard", "", *lines, "", *_KEY]) + "\n"


_KEY = (
    "Tokens per second of one request from end to end. An app of two speeds has fast and slow",
    "runs, of which a mean says nothing; it is placed by the slow ones. “Tested” abilities passed",
    "a smoke test, “yes” follows from the settings; “untested” is what the model is made for, and",
    "neither a setting nor a test says of the app.",
)


def _speed(row: Row) -> str:
    if row.speed is None:
        return "-"
    return (row.speed.text or "two") + _marks(row).replace(_UNRELEASED, "")


def _marks(row: Row) -> str:
    other = bool(row.measured_version) and row.measured_version != row.version
    two = row.speed is not None and row.speed.two
    found = ((_TWO, two), (_SAME, other), (_UNRELEASED, not row.released))
    return "".join(mark for mark, there in found if there)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _source(row: Row) -> str:
    address = row.source
    if not is_web_address(address) or _NOT_IN_LINKS.search(address):
        return _plain(address or row.origin)
    return f"[{_plain(urlsplit(address).hostname or address)}](<{address}>)"


def _plain(text: str) -> str:
    """Write a text so that Markdown reads it as text, on one line."""
    return _MARKDOWN.sub(r"\\\1", one_line(text))

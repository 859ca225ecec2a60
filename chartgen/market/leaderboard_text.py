"""A leaderboard in writing: rows of words for a table, a list, and a Markdown document."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from chartgen.market.leaderboard import ABILITY_WORDS, Row, by_machine
from chartgen.market.page_markdown import is_web_address
from chartgen.terminal import one_line

HEAD = ("APP", "VERSION", "TOKENS/S", "CONTEXT", "VISION", "TOOLS", "FROM")
MORE = ("GPU MEMORY", "ENGINE", "HARDWARE", "DATE")
# Columns of numbers, set flush right.
RIGHT = (2, 3)
# Said of a row by a mark, as a table of 80 columns has no room for it in words.
_TWO, _UNRELEASED, _SAME, _UNVERSIONED = "*", "+", "=", "~"
_MEANINGS = {
    _TWO: "two speeds, fast / slow, and no single number; placed by the slow one",
    _UNRELEASED: "not released yet",
    _SAME: "measured of an earlier version, which runs the same",
    _UNVERSIONED: "published without a version, so of no release: see the app's page",
}
_NO_BREAK = "\N{NO-BREAK SPACE}"
# What means something to Markdown within a line of a table.
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~&$])")
_NOT_IN_LINKS = re.compile(r"[<>|\\\s]")


def titles(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return what rows are called: the titles, with the name of the app where several share one."""
    count = Counter(row.title for row in rows)
    return tuple(f"{r.title} ({r.app})" if count[r.title] > 1 else r.title for r in rows)


def cells(row: Row, title: str, *, wide: bool) -> tuple[str, ...]:
    """Return the cells of a row below HEAD, and below MORE too where it is `wide`."""
    narrow = (
        title,
        row.version + ("" if row.released else _UNRELEASED),
        _speed(row),
        row.context_text or "-",
        ABILITY_WORDS[row.vision],
        ABILITY_WORDS[row.tools],
        row.origin or "-",
    )
    more = (row.gpu_memory, row.engine, row.hardware, row.date)
    return (*narrow, *(text or "-" for text in more)) if wide else narrow


def listed(row: Row, title: str, *, width: int) -> str:
    """Return a row as a few lines of at most `width` characters, where it has no room for cells.

    What it says of an app stays whole, so a line of a single word may be longer.
    """
    _, version, _, _, vision, tools, origin = cells(row, title, wide=False)
    speed = "not measured" if row.speed is None else row.speed.words
    named = {"context": row.context_text, "vision": vision, "tools": tools}
    known = [f"{name} {text}" for name, text in named.items() if text]
    needs = [f"GPU memory {row.gpu_memory}"] if row.gpu_memory else []
    told = [speed + _speed_marks(row), origin if row.speed is not None else ""]
    pieces = [f"version {version}", *told, *known, *needs, row.engine]
    # Each piece is one word for the wrapping.
    text = ", ".join(piece.replace(" ", _NO_BREAK) for piece in pieces if piece)
    lines = [one_line(title), *_wrapped(text, width, before="  ")]
    return "".join(f"{line.replace(_NO_BREAK, ' ')}\n" for line in lines)


def legend(rows: Sequence[Row], *, width: int) -> str:
    """Return what each mark means that stands in the cells of rows; empty where there is none."""
    used = "".join(_marks(row) for row in rows)
    texts = (f"{mark} {text}" for mark, text in _MEANINGS.items() if mark in used)
    lines = [line for text in texts for line in _wrapped(text, width, after="  ")]
    return "".join(f"{line}\n" for line in lines)


def leaderboard_markdown(rows: Sequence[Row]) -> str:
    """Return a Markdown document: a table with all columns, and what its words mean.

    Apps of several machines have a table for each.
    """
    named = dict(zip(rows, titles(rows), strict=True))
    machines = by_machine(rows)
    lines = ["# Leaderboard", ""]
    for machine, found in machines or (("", ()),):
        if len(machines) > 1:
            lines += [f"## Made for {_plain(machine)}", ""]
        lines += [_line(_COLUMNS), _line(["---"] * len(_COLUMNS))]
        lines += [_markdown_row(row, named[row]) for row in found]
        lines.append("")
    return "\n".join([*lines, *_KEY]) + "\n"


def _markdown_row(row: Row, title: str) -> str:
    version = row.version if row.released else f"{row.version} (not released)"
    of = row.measured_version
    machine = row.hardware + (f", as {of}" if of and of != row.version else "")
    rate = row.speed.words.removesuffix(" tokens/s") if row.speed is not None else ""
    if row.published_without_version:
        rate = "published without a version"
    texts = (
        title, version, rate, row.context_text, ABILITY_WORDS[row.vision],
        ABILITY_WORDS[row.tools], row.gpu_memory, row.engine, row.model, machine,
    )  # fmt: skip
    return _line([*map(_plain, texts), _source(row), _plain(row.date)])


_COLUMNS = (
    "App", "Version", "Tokens/s", "Context", "Vision", "Tools", "GPU memory", "Engine",
    "Model", "Measured on", "Source", "Date",
)  # fmt: skip
_KEY = (
    "Tokens per second of one request from end to end. An app of two speeds has fast and slow",
    "runs, of which a mean says nothing; it is placed by the slow ones. “As” names the earlier",
    "version that was measured where the app's own runs the same. What was published without a",
    "version is the speed of no release, and stands on the app's page. “Tested” abilities passed a",
    "smoke test, “yes” follows from the settings; “untested” is what the model is made for, and",
    "neither a setting nor a test says of the app.",
)


def _speed(row: Row) -> str:
    text = "-" if row.speed is None else row.speed.text or "two"
    return text + _speed_marks(row)


def _speed_marks(row: Row) -> str:
    return _marks(row).replace(_UNRELEASED, "")


def _marks(row: Row) -> str:
    other = bool(row.measured_version) and row.measured_version != row.version
    two = row.speed is not None and row.speed.two
    found = (
        (_TWO, two),
        (_SAME, other),
        (_UNRELEASED, not row.released),
        (_UNVERSIONED, row.published_without_version),
    )
    return "".join(mark for mark, there in found if there)


def _wrapped(text: str, width: int, *, before: str = "", after: str = "") -> Iterator[str]:
    # textwrap breaks at a no-break space no more than a browser does.
    yield from textwrap.wrap(
        text,
        width,
        initial_indent=before,
        subsequent_indent=before + after,
        break_long_words=False,
        break_on_hyphens=False,
    )


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

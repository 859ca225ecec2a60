"""Text made safe to print, and how wide it stands on a terminal.

What comes from a file or from a remote side may hold escape sequences that move the cursor or
rename the window, and direction overrides that make a line read as another one. Helm printed such
fields of a repository index unfiltered (GHSA-c38g-469g-cmgx).
"""

from __future__ import annotations

import re
import unicodedata

# Whole sequences go first, so that `ESC [ 31 m` leaves no `[31m` behind: CSI and OSC are the two
# kinds with a payload (ECMA-48 §5.4, §8.3.89). What is left of others is one stray character.
_ESCAPE_SEQUENCE = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b\\]|\x9d)[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\\\|\x9c)"
)
# C0 and C1 controls but tab and newline; direction marks, embeddings, overrides and isolates
# (Unicode UAX #9 §2); the line and paragraph separators; halves of surrogate pairs, which no
# output encoding takes.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
    "\u2028\u2029"
    "\ud800-\udfff]"
)
# Unicode general categories of characters that stand on no cell of their own: non-spacing and
# enclosing marks, and format characters such as the zero-width joiner.
_NO_WIDTH = frozenset({"Mn", "Me", "Cf", "Cc", "Cs"})


def printable(text: str) -> str:
    """Return text without what steers a terminal: controls, escapes, direction overrides.

    Newlines and tabs stay. To be used for everything remote or read from a file before it is
    printed.
    """
    return _UNPRINTABLE.sub("", _ESCAPE_SEQUENCE.sub("", text))


def one_line(text: str) -> str:
    """Return printable text on one line: each run of white space becomes a single space."""
    return " ".join(printable(text).split())


def shortened(text: str, most: int) -> str:
    """Return a text of at most so many characters, which ends in … where something was cut off."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def display_width(text: str) -> int:
    """Return the number of terminal cells that printable text of one line takes.

    Wide and full-width characters take two cells (Unicode UAX #11), marks and joiners none. An
    emoji joined from several counts each of them, as most terminals do.
    """
    return sum(_character_width(character) for character in text)


def _character_width(character: str) -> int:
    if unicodedata.category(character) in _NO_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1

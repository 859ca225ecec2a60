"""The clause and the sentence around a number in a text, which say what the number is of."""

from __future__ import annotations

import re

# An end of a line is one of a sentence before an empty line, a list item, a table or a label.
_LINE_END = r"\n(?=[ \t]*(?:\n|[-*+#|>]|\d{1,3}[.)]\s)|[^\n:]{1,30}:\s)"
# Within a number these have no space after them. "Prefill: 5,000 tokens/s" is one clause.
_CLAUSE_END = re.compile(rf"[;!?。；！？，、]|[.,](?=\s)|{_LINE_END}")
_SENTENCE_END = re.compile(rf"[!?。！？]|\.(?=\s)|{_LINE_END}")
# Longer than clauses and most sentences are; so the time for a text grows with its length alone.
_REACH = 200


def clause(text: str, start: int, end: int) -> str:
    """Return the clause around a part of a text, up to 200 characters on either side."""
    begin, stop = _span(_CLAUSE_END, text, start, end)
    return text[begin:stop]


def around(text: str, start: int, end: int) -> tuple[str, str]:
    """Return what stands before and after a part of a text in its clause."""
    begin, stop = _span(_CLAUSE_END, text, start, end)
    return text[begin:start], text[end:stop]


def rest_of_sentence(text: str, start: int, end: int) -> str:
    """Return the sentence around a part of a text, without that part."""
    begin, stop = _span(_SENTENCE_END, text, start, end)
    return f"{text[begin:start]} {text[end:stop]}"


def _span(ends: re.Pattern[str], text: str, start: int, end: int) -> tuple[int, int]:
    begin = max(0, start - _REACH)
    before = [stop.end() for stop in ends.finditer(text, begin, start)]
    after = ends.search(text, end, end + _REACH)
    return before[-1] if before else begin, after.start() if after else min(len(text), end + _REACH)

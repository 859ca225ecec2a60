"""Spans of engine releases, such as `>=0.20, <0.22` or `>=b9246`."""

from __future__ import annotations

import re
from itertools import zip_longest

_BOUND = re.compile(r"(>=|<=|<|>|==)?\s*[vb]?(\d+(?:\.\d+)*)")


def release_order(release: str) -> tuple[int, ...]:
    """Return a release's numbers for comparing: `0.20.2rc1` and `b9101` are (0, 20, 2), (9101,).

    What follows the numbers (a candidate, a build for one CUDA) is left out. Without any number
    the result is empty.
    """
    match = re.search(r"\d+(?:\.\d+)*", release)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


def in_span(release: str, span: str) -> bool:
    """Tell whether a release lies in a span; an empty span holds all.

    Missing parts count as zero: `0.21` is `0.21.0`. Raises ValueError for a span that is none.
    """
    order = release_order(release)
    for bound in filter(None, (part.strip() for part in span.split(","))):
        match = _BOUND.fullmatch(bound)
        if match is None:
            raise ValueError(f"{bound!r} is no bound of releases")
        compared = _compared(order, release_order(match[2]))
        if not _MEANINGS[match[1] or "=="](compared):
            return False
    return True


def _compared(left: tuple[int, ...], right: tuple[int, ...]) -> int:
    for one, other in zip_longest(left, right, fillvalue=0):
        if one != other:
            return 1 if one > other else -1
    return 0


_MEANINGS = {
    ">=": lambda order: order >= 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    "<": lambda order: order < 0,
    "==": lambda order: order == 0,
}

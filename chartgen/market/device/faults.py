"""Findings on a market, collected while it is read: each once, and not without end.

A hostile market can be wrong in millions of places. Of each rule the first hundred findings are
kept, and the others counted, up to a limit too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from chartgen.findings import Finding, Place, in_order
from chartgen.lint.rules import finding
from chartgen.terminal import one_line

KEPT_PER_RULE = 100
_COUNTED_PER_RULE = 100_000
_SHOWN = 60


class Faults:
    """What is wrong with a market, as far as it is known yet."""

    def __init__(self) -> None:
        self._found: dict[Finding, None] = {}
        self._kept: Counter[str] = Counter()
        self._dropped: dict[str, set[int]] = {}

    def add(self, rule: str, path: str, message: str, at: str = "") -> None:
        """Note a fault: `path` is that of the URL, `at` the place in the answer's JSON."""
        place = Place(one_line(path)[:300], path=one_line(at)[:200])
        self.take((finding(rule, place, message),))

    def take(self, findings: Iterable[Finding]) -> None:
        """Note findings of other checks."""
        for found in findings:
            if found in self._found:
                continue
            if self._kept[found.rule] < KEPT_PER_RULE:
                self._kept[found.rule] += 1
                self._found[found] = None
                continue
            dropped = self._dropped.setdefault(found.rule, set())
            if len(dropped) < _COUNTED_PER_RULE:
                dropped.add(hash(found))

    def broken(self, rule: str) -> bool:
        """Tell whether a rule was broken."""
        return self._kept[rule] > 0

    def findings(self) -> tuple[Finding, ...]:
        """Return what was found, in order, and of each rule how much more there was."""
        more = (
            finding(rule, Place(""), f"and {len(others):,} more like the {KEPT_PER_RULE} shown")
            for rule, others in self._dropped.items()
        )
        return in_order((*self._found, *more))


def shown(value: object) -> str:
    """Return a remote value for a message: short, on one line, without what steers a terminal."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return "a map" if isinstance(value, dict) else "a list"
    if isinstance(value, str):
        # The cut comes first: the text may have megabytes.
        text = one_line(value[: 4 * _SHOWN])
        return f"'{text}'" if len(text) <= _SHOWN else f"'{text[:_SHOWN]}…'"
    return str(value)[:_SHOWN]


def listed(names: Iterable[str], most: int = 5) -> str:
    """Return a few names for a message, and how many more there are."""
    every = sorted(names)
    text = ", ".join(one_line(name[: 2 * _SHOWN]) or "''" for name in every[:most])
    return f"{text} and {len(every) - most:,} more" if len(every) > most else text

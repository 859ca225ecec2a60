"""A smoke test as text and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from chartgen.evidence.record import Check
from chartgen.terminal import one_line

_LEAST_DETAIL = 20
_GAP = "  "


def smoke_text(checks: Sequence[Check], *, width: int) -> str:
    """Return the checks as a table; what there is to say of one goes on over several lines.

    Nothing is cut: the words of a server are what a failed check is about.
    """
    names = max((len(check.name) for check in checks), default=0)
    outcomes = max((len(check.outcome) for check in checks), default=0)
    indent = " " * (names + outcomes + 2 * len(_GAP))
    room = max(width - len(indent), _LEAST_DETAIL)
    lines = []
    for check in checks:
        # Options of a command line keep together; only what is longer than a line is broken.
        first, *more = textwrap.wrap(one_line(check.detail), room, break_on_hyphens=False) or [""]
        row = f"{check.name:<{names}}{_GAP}{check.outcome:<{outcomes}}{_GAP}{first}"
        lines += [row.rstrip(), *(indent + line for line in more)]
    return "".join(f"{line}\n" for line in lines)


def verdict(checks: Sequence[Check]) -> str:
    """Return how many checks passed, failed and were skipped, in words."""
    counts = [
        (sum(check.outcome == outcome for check in checks), outcome)
        for outcome in ("passed", "failed", "skipped")
    ]
    return ", ".join(f"{count} {outcome}" for count, outcome in counts if count)


def smoke_json(checks: Sequence[Check]) -> list[dict[str, Any]]:
    """Return the checks as plain data."""
    return [
        {"name": check.name, "outcome": check.outcome, "detail": check.detail} for check in checks
    ]

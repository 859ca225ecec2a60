"""Dates as people read them on the web page: 22 Nov 2026."""

from __future__ import annotations

from dataclasses import dataclass

from chartgen.market.catalog import epoch_ms
from chartgen.release.record import Release

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Day:
    """A date of the ledger: as it stands there, and as people read it."""

    stamp: str
    text: str


def day(release: Release) -> Day:
    """Return the date of a line of the ledger. Raises LedgerError where it has none."""
    epoch_ms(release)  # raises where the date is none
    return Day(release.date, day_text(release.date))


def day_text(date: str) -> str:
    """Return a date that begins with YYYY-MM-DD as people read it.

    What stands in no calendar stays as it is, as does nothing.
    """
    if not "01" <= date[5:7] <= "12":
        return date
    return f"{int(date[8:10])} {_MONTHS[int(date[5:7]) - 1]} {date[:4]}"

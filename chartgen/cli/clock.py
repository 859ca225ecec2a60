"""The clock, read at the edge only: the core is given a date."""

from __future__ import annotations

from datetime import UTC, datetime

from chartgen.release.ledger import Ledger


def release_date(ledger: Ledger) -> str:
    """Return the date of a publish: now, but never before the newest line of the ledger."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return max([now, *(release.date for release in ledger.releases[-1:])])

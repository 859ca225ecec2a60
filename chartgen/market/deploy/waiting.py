"""How long to wait before asking again, and the clock that does it."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Protocol

# Tries of one call. wrangler makes 3 (workers-utils/src/retry.ts, 4.164.0); a fourth rides out a
# restart of 7 s.
TRIES = 4
# A longer Retry-After is handed to the person: wrangler gives up there too.
LONGEST_WAIT_SECONDS = 60.0


class Clock(Protocol):
    """Time, as far as waiting needs it."""

    def now(self) -> float:
        """Return seconds since some fixed moment."""

    def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """Return seconds of a clock that never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


def backoff_seconds(attempt: int) -> float:
    """Return the pause after an attempt that failed, counted from 0: 1, 2, 4 ... 30 seconds.

    Without jitter: only one publisher at a time may work on a market anyway.
    """
    return float(min(2**attempt, 30))


def asked_seconds(headers: Mapping[str, str]) -> float:
    """Return for how long an answer asks to be left alone (RFC 9110 §10.2.3), 0 if it does not.

    A moment is compared with the answer's own Date, so that this machine's clock plays no part.
    """
    text = headers.get("retry-after", "")
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    until, since = _moment(text), _moment(headers.get("date", ""))
    if until is None or since is None:
        return 0.0
    return max(0.0, (until - since).total_seconds())


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    # A moment without a zone cannot be compared with one that has it.
    return moment if moment.tzinfo is not None else None

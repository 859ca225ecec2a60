"""How speeds and shares are written for people, the same in texts, notes, pages and tables."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal

# As `gain_text` writes it, and people do.
_GAIN = re.compile(r"\d\s?(?:→|->)\s?\d[\d.,]{0,12}\s?(?:tokens?|tok|t)\s?/\s?s\b", re.IGNORECASE)


def rate_text(tokens_per_second: float) -> str:
    """Write a speed with one decimal: 250.54 is 250.5, and 135.85 is 135.9."""
    return str(_rounded(tokens_per_second, "0.1"))


def grouped_rate_text(tokens_per_second: float) -> str:
    """Write a speed as `rate_text` does, thousands apart: 12,345.2; for pages and tables.

    Texts of a chart have no separators: what people type there is read with `,` as a decimal mark.
    """
    return f"{_rounded(tokens_per_second, '0.1'):,}"


def share_text(share: float) -> str:
    """Write a share of 0 to 1 in per cent: 0.8641 is 86.4 %."""
    return f"{_rounded(share * 100, '0.1')} %"


def gain_text(before: float, after: float, rate: Callable[[float], str] = rate_text) -> str:
    """Write a change of speed: `135.9 → 250.5 tokens/s, +84 %`; empty where it is below 1 %.

    `rate` writes each of the two.
    """
    if before <= 0:
        return ""
    gain = _rounded((after / before - 1) * 100, "1")
    if gain == 0:
        return ""
    sign = "+" if gain > 0 else "\N{MINUS SIGN}"
    return f"{rate(before)} → {rate(after)} tokens/s, {sign}{abs(gain)} %"


def tells_gain(text: str) -> bool:
    """Tell whether a text has a speed before and after: `135.9 → 250.5 tokens/s`."""
    return _GAIN.search(text) is not None


def _rounded(number: float, step: str) -> Decimal:
    # By its shortest decimal: what was published as 135.85 is just below that in binary.
    return Decimal(repr(number)).quantize(Decimal(step), ROUND_HALF_UP)

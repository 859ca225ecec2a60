"""How speeds and shares are written for people, the same in texts, notes, pages and tables."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal


def rate_text(tokens_per_second: float) -> str:
    """Write a speed with one decimal: 250.54 is 250.5, and 135.85 is 135.9."""
    return str(_rounded(tokens_per_second, "0.1"))


def share_text(share: float) -> str:
    """Write a share of 0 to 1 in per cent: 0.8641 is 86.4 %."""
    return f"{_rounded(share * 100, '0.1')} %"


def gain_text(before: float, after: float) -> str:
    """Write a change of speed: `135.9 → 250.5 tokens/s, +84 %`; empty where it is below 1 %."""
    if before <= 0:
        return ""
    gain = _rounded((after / before - 1) * 100, "1")
    if gain == 0:
        return ""
    sign = "+" if gain > 0 else "\N{MINUS SIGN}"
    return f"{rate_text(before)} → {rate_text(after)} tokens/s, {sign}{abs(gain)} %"


def _rounded(number: float, step: str) -> Decimal:
    # By its shortest decimal: what was published as 135.85 is just below that in binary.
    return Decimal(repr(number)).quantize(Decimal(step), ROUND_HALF_UP)

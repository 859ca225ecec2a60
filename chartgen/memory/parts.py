"""The words of a memory plan: its parts, how certain each is, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MIB = 2**20
GIB = 2**30

# exact:     the engine's own arithmetic, or a setting
# published: sizes of files as their publisher or the spec states them
# measured:  an engine said so in its log, and somebody wrote it down
# allowance: cannot be known before a run; calibrated on known cases (allowances.yaml)
Certainty = Literal["exact", "published", "measured", "allowance"]
# tight: it fits with less than TIGHT_SHARE to spare. unknown: a number is missing.
Verdict = Literal["fits", "tight", "does not fit", "unknown"]

# Below this part of what the engine may use, a plan is called tight.
TIGHT_SHARE = 0.03


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the GPU's memory: `size` in bytes, and where the number comes from."""

    name: str
    title: str
    size: int
    certainty: Certainty
    source: str


def mib(size: int) -> int:
    """Return bytes as MiB, rounded to the nearest; halves go up."""
    return (size + MIB // 2) // MIB


def verdict(spare: int, budget: int) -> Verdict:
    """Return the verdict on what is left of a budget, both in bytes."""
    if spare < 0:
        return "does not fit"
    return "tight" if spare < budget * TIGHT_SHARE else "fits"

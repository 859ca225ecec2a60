"""What a series of runs says, and whether it has one speed or two.

Some engines change between a fast and a slow phase, for example where drafts are given up for a
while. The mean of such a series is a speed that no run had. The test for two speeds: sort the
runs, cut them in two groups of at least two runs so that the squared distances to the groups'
means are least (for one dimension that is 2-means), and call it two speeds where

- the gap between the groups is at least 1.5 times the range of the wider group, and
- the means of the groups are at least 10 % of the mean of all runs apart.

Rates on simulated series of 10 runs (tools/two_speed_rates.py, 20,000 of each kind). False alarms:
0.0 % for one speed with normal noise of 1 or 2 %, 0.3 % with 5 %, 0.7 % with 10 %, 0.1 % for a
drift of 20 %, 0.0 % for one slow run among nine, 2.4 % for speeds anywhere within 15 % up and
down. Found: 100 % where 4 of 10 runs are 70 % slower and the noise is 3 % (82 % with noise of
10 %), 98 % where they are 30 % slower, 100 % at 15 % slower with noise of 1 %, 27 % with 3 %.
With 5 runs false alarms are more frequent (4 % at noise of 5 %, 13 % at 10 %), with 20 rarer.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby

from chartgen.evidence.record import Measurement, Run

# See above; tools/two_speed_rates.py compares the choices.
GAP_RATIO = 1.5
LEAST_DIFFERENCE = 0.10
_LEAST_GROUP = 2
# Fewer never have two speeds: each group needs a second run that bears the first out.
LEAST_RUNS = 2 * _LEAST_GROUP
# Above this ratio of deviation to mean a single number says little (the steady series of the
# known apps have 0.1 to 1 %).
STEADY_VARIATION = 0.05


@dataclass(frozen=True, slots=True)
class TwoSpeeds:
    """The two groups of a series (tokens/s, each in the order of the runs).

    `sequence` has a letter for each run, `F` fast and `S` slow.
    """

    fast: tuple[float, ...]
    slow: tuple[float, ...]
    sequence: str

    @property
    def fast_mean(self) -> float:
        """Return the mean of the fast group."""
        return statistics.fmean(self.fast)

    @property
    def slow_mean(self) -> float:
        """Return the mean of the slow group."""
        return statistics.fmean(self.slow)

    @property
    def fast_share(self) -> float:
        """Return the share of the runs that were fast, 0 to 1."""
        return len(self.fast) / len(self.sequence)

    @property
    def stretches(self) -> int:
        """Return the number of stretches of equal speed: 2 for a single change."""
        return sum(1 for _ in groupby(self.sequence))


@dataclass(frozen=True, slots=True)
class Summary:
    """What the runs after the cold one say, in tokens/s end to end.

    `deviation` is the sample standard deviation, 0 for a single run. `acceptance` is the share of
    the drafted tokens that were accepted, 0 to 1, None where nobody counted.
    """

    mean: float
    median: float
    least: float
    most: float
    range: float
    deviation: float
    count: int
    cold: Run | None
    speeds: TwoSpeeds | None
    acceptance: float | None

    @property
    def steady(self) -> bool:
        """Tell whether one number stands for the series; fewer than `LEAST_RUNS` cannot tell."""
        enough = self.count >= LEAST_RUNS
        return enough and self.speeds is None and self.deviation <= STEADY_VARIATION * self.mean


def summarise(runs: Sequence[Run]) -> Summary | None:
    """Return what a series says; None where there is no run but a cold one."""
    warm = [run for run in runs if not run.cold]
    if not warm:
        return None
    rates = [run.tokens_per_second for run in warm]
    least, most = min(rates), max(rates)
    return Summary(
        mean=statistics.fmean(rates),
        median=statistics.median(rates),
        least=least,
        most=most,
        range=most - least,
        deviation=statistics.stdev(rates) if len(rates) > 1 else 0.0,
        count=len(rates),
        cold=next((run for run in runs if run.cold), None),
        speeds=two_speeds(rates),
        acceptance=_acceptance(warm),
    )


def headline(measurement: Measurement) -> float | None:
    """Return the one number (tokens/s) that may stand for a measurement.

    None for a series of two speeds, whose mean no run had, and where nothing was measured.
    """
    summary = summarise(measurement.runs)
    if summary is not None:
        return None if summary.speeds is not None else summary.mean
    published = measurement.published
    return published.mean if published is not None and not published.two_speeds else None


def two_speeds(
    rates: Sequence[float],
    *,
    gap_ratio: float = GAP_RATIO,
    least_difference: float = LEAST_DIFFERENCE,
) -> TwoSpeeds | None:
    """Return the two groups of a series that has two speeds, None for any other."""
    if len(rates) < LEAST_RUNS:
        return None
    ordered = sorted(rates)
    cut = _best_cut(ordered)
    slow, fast = ordered[:cut], ordered[cut:]
    gap = fast[0] - slow[-1]
    widest = max(slow[-1] - slow[0], fast[-1] - fast[0])
    apart = statistics.fmean(fast) - statistics.fmean(slow)
    if gap <= 0 or gap < gap_ratio * widest:
        return None
    if apart < least_difference * statistics.fmean(ordered):
        return None
    edge = fast[0]
    return TwoSpeeds(
        fast=tuple(rate for rate in rates if rate >= edge),
        slow=tuple(rate for rate in rates if rate < edge),
        sequence="".join("F" if rate >= edge else "S" for rate in rates),
    )


def _best_cut(ordered: Sequence[float]) -> int:
    """Return how many of the sorted values belong to the lower group.

    The squared distances within the groups are least where those between them are most, which is
    n₁·n₂·(m₂ - m₁)² but for a constant factor.
    """
    count = len(ordered)
    sums = list(accumulate(ordered))

    def between(cut: int) -> float:
        low, high = sums[cut - 1] / cut, (sums[-1] - sums[cut - 1]) / (count - cut)
        return cut * (count - cut) * (high - low) ** 2

    return max(range(_LEAST_GROUP, count - _LEAST_GROUP + 1), key=between)


def _acceptance(runs: Sequence[Run]) -> float | None:
    told = [
        (run.accepted_tokens, run.drafted_tokens)
        for run in runs
        if run.accepted_tokens is not None and run.drafted_tokens is not None
    ]
    drafted = sum(drafted for _, drafted in told)
    return sum(accepted for accepted, _ in told) / drafted if drafted else None

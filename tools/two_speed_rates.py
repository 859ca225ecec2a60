"""How often the test for two speeds is wrong: python tools/two_speed_rates.py [--draws 20000].

Draws series of runs of known kinds and counts how often `chartgen.evidence.statistics.two_speeds`
calls them two-speed. The seed is fixed, so that everyone gets the same figures.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from chartgen.evidence.statistics import two_speeds

Draw = Callable[[random.Random, int], list[float]]
SEED = 20_260_101
RATIOS = (1.0, 1.5, 2.0)
SIZES = (5, 10, 20)


def noise(variation: float) -> Draw:
    """Return one speed with normal noise; `variation` is deviation by mean."""
    return lambda source, count: [source.gauss(1, variation) for _ in range(count)]


def one_low(source: random.Random, count: int) -> list[float]:
    """Return noise of 2 % with a single run 30 % below the others."""
    return [*noise(0.02)(source, count - 1), source.gauss(0.7, 0.02)]


def drift(source: random.Random, count: int) -> list[float]:
    """Return a speed that falls by 20 % from the first run to the last, with noise of 2 %."""
    return [source.gauss(1 - 0.2 * at / (count - 1), 0.02) for at in range(count)]


def flat(source: random.Random, count: int) -> list[float]:
    """Return speeds anywhere within 15 % above and below."""
    return [source.uniform(0.85, 1.15) for _ in range(count)]


def phases(slow: float, variation: float, share: float = 0.4) -> Draw:
    """Return two speeds, `share` of the runs at `slow` times the other, with noise."""

    def draw(source: random.Random, count: int) -> list[float]:
        many = max(2, round(share * count))
        means = [slow] * many + [1.0] * (count - many)
        return [source.gauss(mean, variation * mean) for mean in means]

    return draw


ONE_SPEED: Mapping[str, Draw] = {
    "noise 1 %": noise(0.01),
    "noise 2 %": noise(0.02),
    "noise 5 %": noise(0.05),
    "noise 10 %": noise(0.10),
    "noise 2 %, one run 30 % low": one_low,
    "drift of 20 %, noise 2 %": drift,
    "flat, 15 % up and down": flat,
}
TWO_SPEEDS: Mapping[str, Draw] = {
    "70 % slower, noise 3 %": phases(0.3, 0.03),
    "70 % slower, noise 10 %": phases(0.3, 0.10),
    "30 % slower, noise 3 %": phases(0.7, 0.03),
    "15 % slower, noise 1 %": phases(0.85, 0.01),
    "15 % slower, noise 3 %": phases(0.85, 0.03),
}


def rate(draw: Draw, count: int, ratio: float, draws: int) -> float:
    """Return the share of series that are called two-speed."""
    source = random.Random(SEED)
    hits = sum(two_speeds(draw(source, count), gap_ratio=ratio) is not None for _ in range(draws))
    return hits / draws


def rows(kinds: Mapping[str, Draw], ratios: Sequence[float], draws: int) -> list[list[str]]:
    """Return a row for each kind of series: its name, then the rates by ratio and size."""
    return [
        [name]
        + [f"{100 * rate(draw, count, ratio, draws):.1f}" for ratio in ratios for count in SIZES]
        for name, draw in kinds.items()
    ]


def main() -> int:
    """Print the rates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=20_000, help="series of each kind")
    draws = parser.parse_args().draws
    head = [f"{ratio:g}x n={count}" for ratio in RATIOS for count in SIZES]
    print(f"per cent called two-speed, by gap ratio and number of runs, {draws:,} series each")
    for title, kinds in (("one speed", ONE_SPEED), ("two speeds", TWO_SPEEDS)):
        print(f"{title:<30}" + "".join(f"{cell:>10}" for cell in head))
        for name, *cells in rows(kinds, RATIOS, draws):
            print(f"{name:<30}" + "".join(f"{cell:>10}" for cell in cells))
    return 0


if __name__ == "__main__":
    sys.exit(main())

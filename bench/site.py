"""Building the site of markets of several sizes: time, peak memory, and how both grow."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.measure import Cost, median_cost, output_of, run

# From here on a build takes so long that chance evens out within it: it is measured once.
LONG = 5000


@dataclass(frozen=True, slots=True)
class SiteBuild:
    """What building the site of a market with `apps` apps costs, the median of its rounds.

    From the ledger's bytes to every file of the site, web pages included. The time is that of the
    building alone, the memory that of its whole process.
    """

    apps: int
    cost: Cost


def measure_sites(
    root: Path,
    scratch: Path,
    sizes: Sequence[int],
    *,
    rounds: int,
    environment: Mapping[str, str],
    on_progress: Callable[[str], object],
) -> tuple[SiteBuild, ...]:
    """Measure markets of several sizes in rounds, each in a process of its own.

    A market of `LONG` apps or more takes part in the first round only.

    `root` holds the specs that the apps are made from, `scratch` is an empty folder. Raises
    FailedRunError where a site cannot be built.
    """
    on_progress(f"writing ledgers of up to {max(sizes):,} releases")
    words = [str(root), str(scratch), *map(str, sizes)]
    run([sys.executable, "-m", "bench.site_load", "write", *words], environment)
    taken: dict[int, list[Cost]] = {size: [] for size in sizes}
    for number in range(1, rounds + 1):
        for size in (size for size in sizes if number == 1 or size < LONG):
            on_progress(f"site of {size:,} apps, round {number} of {rounds}")
            command = [sys.executable, "-m", "bench.site_load", "build", str(scratch), str(size)]
            _, said = output_of(command, environment)
            taken[size].append(Cost(**json.loads(said)))
    return tuple(SiteBuild(size, median_cost(costs)) for size, costs in taken.items())

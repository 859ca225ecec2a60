"""How soon the command line answers: its help, against the mere import of click."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from bench.measure import Cost, median_cost, run


@dataclass(frozen=True, slots=True)
class Startup:
    """The cost of `chartgen --help` and of importing click, medians of alternating runs."""

    help: Cost
    click: Cost


def measure_startup(runs: int, environment: Mapping[str, str]) -> Startup:
    """Measure both alternately, after one run of each that does not count."""
    helps, clicks = [], []
    for _ in range(runs + 1):
        helps.append(run([sys.executable, "-m", "chartgen", "--help"], environment))
        clicks.append(run([sys.executable, "-c", "import click"], environment))
    return Startup(median_cost(helps[1:]), median_cost(clicks[1:]))

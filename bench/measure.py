"""What a process costs: the CPU and wall time of it and of all it starts, and its peak memory."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

# Unit of `ru_maxrss` by getrusage(2): KiB, on macOS bytes.
PEAK_UNITS_PER_MIB = 1024 * 1024 if sys.platform == "darwin" else 1024


class FailedRunError(Exception):
    """A measured command that ended with an error, so that its cost means nothing."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of CPU (user and system) and of wall time, and the peak resident memory in MiB."""

    cpu_seconds: float
    wall_seconds: float
    peak_mib: float

    def __add__(self, other: Cost) -> Cost:
        """Return the cost of both, one after the other."""
        return Cost(
            self.cpu_seconds + other.cpu_seconds,
            self.wall_seconds + other.wall_seconds,
            max(self.peak_mib, other.peak_mib),
        )


NOTHING = Cost(0, 0, 0)


def run(command: Sequence[str], environment: Mapping[str, str]) -> Cost:
    """Run a command to its end and return what it took. Raises as `output_of` does."""
    cost, _ = output_of(command, environment)
    return cost


def output_of(command: Sequence[str], environment: Mapping[str, str]) -> tuple[Cost, str]:
    """Run a command, whose first word is a path, and return what it took and what it said.

    Raises FailedRunError, with the end of its output, where it does not end with 0.
    """
    with tempfile.TemporaryFile() as output:
        streams = [(os.POSIX_SPAWN_DUP2, output.fileno(), number) for number in (1, 2)]
        began = time.perf_counter()
        # Linux counts the memory of the starting process as the child's, so that stays small:
        # nothing of chartgen is imported here.
        child = os.posix_spawn(command[0], list(command), environment, file_actions=streams)
        _, status, usage = os.wait4(child, 0)
        wall = time.perf_counter() - began
        output.seek(0)
        said = output.read().decode("utf-8", "replace")
    if status != 0:
        raise FailedRunError(f"{' '.join(command)} failed:\n{said[-2000:]}")
    cpu = usage.ru_utime + usage.ru_stime
    return Cost(cpu, wall, usage.ru_maxrss / PEAK_UNITS_PER_MIB), said


def median_cost(costs: Sequence[Cost]) -> Cost:
    """Return the median of each figure by itself."""
    return Cost(
        median(cost.cpu_seconds for cost in costs),
        median(cost.wall_seconds for cost in costs),
        median(cost.peak_mib for cost in costs),
    )

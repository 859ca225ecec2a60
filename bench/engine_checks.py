"""What the checks of engines cost: arguments and GPU memory per app, and the argument tables."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.measure import output_of


@dataclass(frozen=True, slots=True)
class AppChecks:
    """CPU milliseconds for one app: parsing its spec, and what the checks of engines add to that.

    `arguments` are the checks against the engine's release and what is known of it, `memory` those
    of the GPU memory plan, both on a spec that was read and with the tables in memory.
    """

    app: str
    parse: float
    arguments: float
    memory: float

    @property
    def checks(self) -> float:
        """Return what the checks take together."""
        return self.arguments + self.memory


@dataclass(frozen=True, slots=True)
class TableLoad:
    """CPU milliseconds to load the argument table of one release of an engine from its file."""

    kind: str
    release: str
    load: float


@dataclass(frozen=True, slots=True)
class EngineChecks:
    """Everything that was measured of the checks of engines, in one process."""

    apps: Sequence[AppChecks]
    tables: Sequence[TableLoad]

    @property
    def parse(self) -> float:
        """Return what parsing a spec takes: the median of the apps, in CPU milliseconds."""
        return median(item.parse for item in self.apps)


def measure_engine_checks(
    root: Path,
    *,
    runs: int,
    environment: Mapping[str, str],
    on_progress: Callable[[str], object],
) -> EngineChecks:
    """Measure the apps of the market in `root` and the newest table of each engine.

    Everything is done `runs` times in one process, and the medians are taken. Raises
    FailedRunError where a spec cannot be read.
    """
    on_progress("checks of engines")
    command = [sys.executable, "-m", "bench.engine_load", str(root), str(runs)]
    _, said = output_of(command, environment)
    found = json.loads(said)
    return EngineChecks(
        tuple(AppChecks(**item) for item in found["apps"]),
        tuple(TableLoad(**item) for item in found["tables"]),
    )

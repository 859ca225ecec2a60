"""Checks the engines of a market's apps for `bench.engine_checks`, in a process of its own.

`python -m bench.engine_load ROOT RUNS` prints CPU milliseconds as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import median

from bench.engine_checks import AppChecks, EngineChecks, TableLoad
from chartgen.engines import table
from chartgen.hardware import Hardware, hardware_profiles
from chartgen.lint.engine import engine_findings
from chartgen.lint.memory import memory_findings
from chartgen.market.layout import find_specs
from chartgen.market.settings import load_market
from chartgen.memory import vllm_plan
from chartgen.spec.load import LoadedSpec, load_spec

# Engines with argument tables.
KINDS = ("vllm", "llamacpp", "sglang")


def milliseconds(work: Callable[[], object], runs: int) -> float:
    """Return the median CPU time of a piece of work, after one run that does not count."""
    taken = []
    for _ in range(runs + 1):
        began = time.process_time()
        work()
        taken.append(1000 * (time.process_time() - began))
    return median(taken[1:])


def load_table(kind: str, release: str) -> None:
    """Load a table as a new process does: from the file, with nothing kept."""
    table.engine_table.cache_clear()
    table._data.cache_clear()  # noqa: SLF001  # a new process has not read the file either
    table.engine_table(kind, release)


def check_memory(loaded: LoadedSpec, hardware: Hardware) -> None:
    """Check the plan of an app that was not planned before."""
    vllm_plan._cache.cache_clear()  # noqa: SLF001  # it keeps what this very app was planned with
    list(memory_findings(loaded, hardware))


def measured(root: Path, runs: int) -> EngineChecks:
    """Measure the apps whose engine has tables; raises ValueError for a file with errors."""
    market, findings = load_market(root)
    if market is None:
        raise ValueError(f"market.yaml has errors: {findings}")
    apps = []
    for path in find_specs(root):
        loaded, findings = load_spec(root / path)
        if loaded is None:
            raise ValueError(f"{path} cannot be read: {findings}")
        hardware = hardware_profiles()[loaded.spec.hardware or market.hardware]
        if loaded.spec.engine.kind in KINDS:
            apps.append(_app(root / path, loaded, hardware, runs))
    tables = [_table(kind, runs) for kind in KINDS]
    return EngineChecks(apps, tables)


def _app(path: Path, loaded: LoadedSpec, hardware: Hardware, runs: int) -> AppChecks:
    return AppChecks(
        loaded.spec.name,
        milliseconds(lambda: load_spec(path), runs),
        milliseconds(lambda: list(engine_findings(loaded)), runs),
        milliseconds(lambda: check_memory(loaded, hardware), runs),
    )


def _table(kind: str, runs: int) -> TableLoad:
    release = table.table_releases(kind)[-1]
    return TableLoad(kind, release, milliseconds(lambda: load_table(kind, release), runs))


def main() -> int:
    """Measure and print."""
    root, runs = sys.argv[1:]
    found = measured(Path(root), int(runs))
    document = {
        "apps": [asdict(item) for item in found.apps],
        "tables": [asdict(item) for item in found.tables],
    }
    sys.stdout.write(json.dumps(document))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Publishing markets of several sizes: for the first time, and again with one changed app.

Run it alone with `python -m bench.publish [--quick]`.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.market import write_market
from bench.measure import Cost, median_cost, run
from bench.report import table
from bench.targets import ratio

QUICK_SIZES = (1, 10)
SIZES = (1, 100, 1000)
_URL = re.compile(r"^url:.*$", re.MULTILINE)
_TITLE = re.compile(r"^title:.*$", re.MULTILINE)
# The placeholder of `chartgen init` is warned of. Nothing is sent there: the market is a folder.
_ADDRESS = "https://apps.example.com"


@dataclass(frozen=True, slots=True)
class Publishes:
    """What publishing a market of `apps` apps costs.

    `first` releases all of them, once. `one_changed`, the median of all rounds, releases one app
    of a market that was published before.
    """

    apps: int
    first: Cost
    one_changed: Cost


def measure_publishes(
    root: Path,
    scratch: Path,
    sizes: Sequence[int],
    *,
    rounds: int,
    environment: Mapping[str, str],
    on_progress: Callable[[str], object],
) -> tuple[Publishes, ...]:
    """Measure markets of several sizes, in rounds, so that noise meets all of them alike.

    `root` holds the specs to copy, `scratch` is a folder. A first publish of many apps takes a
    minute, so each market has one only. Two publishes that do not count follow it: until then
    there is no spare tree that the next market is made out of. Raises FailedRunError where a
    market cannot be published.
    """
    folders = {size: scratch / f"published-{size}" for size in sizes}
    firsts: dict[int, Cost] = {}
    for size, folder in folders.items():
        _write(root, folder, size)
        if not firsts:
            # Compiles the modules; nobody waits for that twice.
            run(_publish(folder), environment)
            shutil.rmtree(folder)
            _write(root, folder, size)
        on_progress(f"publishing {size} apps")
        firsts[size] = run(_publish(folder), environment)
        for number in range(2):
            change_one(folder, f"Warm {number}")
            run(_publish(folder), environment)
    changed: dict[int, list[Cost]] = {size: [] for size in sizes}
    for number in range(1, rounds + 1):
        for size, folder in folders.items():
            on_progress(f"publishing one of {size} apps, round {number} of {rounds}")
            change_one(folder, f"Round {number}")
            changed[size].append(run(_publish(folder), environment))
    return tuple(
        Publishes(size, firsts[size], median_cost(costs)) for size, costs in changed.items()
    )


def change_one(folder: Path, title: str) -> None:
    """Give the first app of a market another title."""
    spec = min((folder / "apps").glob("*.yaml"))
    text = spec.read_text(encoding="utf-8")
    spec.write_text(_TITLE.sub(f"title: {title}", text, count=1), encoding="utf-8")


def times_dearer(publishes: Sequence[Publishes]) -> float:
    """Return how much more CPU time one changed app costs in the largest market than alone."""
    most = max(publishes, key=lambda item: item.apps)
    least = min(publishes, key=lambda item: item.apps)
    return ratio(most.one_changed.cpu_seconds, least.one_changed.cpu_seconds)


def _write(root: Path, folder: Path, size: int) -> None:
    folder.mkdir()
    write_market(root, folder, size)
    settings = folder / "market" / "market.yaml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(_URL.sub(f"url: {_ADDRESS}", text, count=1), encoding="utf-8")


def _publish(folder: Path) -> list[str]:
    words = [sys.executable, "-m", "chartgen", "--quiet", "-C", str(folder), "publish"]
    return [*words, "--bump", "patch"]


def main() -> int:
    """Measure and print the CPU seconds of publishes."""
    from bench.run import ROOT, clean_environment, say

    parser = argparse.ArgumentParser(description="Measure publishes of one changed app.")
    parser.add_argument("--quick", action="store_true", help="markets of 1 and 10 apps only")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of publishes, by default 3")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chartgen-bench-") as scratch:
        found = measure_publishes(
            ROOT,
            Path(scratch),
            QUICK_SIZES if given.quick else SIZES,
            rounds=max(1, given.rounds),
            environment=clean_environment(Path(scratch) / "bytecode"),
            on_progress=say,
        )
    rows: list[tuple[str, ...]] = [("apps", "first CPU", "one changed CPU", "wall", "peak MiB")]
    for item in found:
        cost = item.one_changed
        seconds = (item.first.cpu_seconds, cost.cpu_seconds, cost.wall_seconds)
        rows.append((str(item.apps), *(f"{part:.2f}" for part in seconds), f"{cost.peak_mib:.0f}"))
    sys.stdout.write(f"{table(rows)}\n\nratio {times_dearer(found):.2f}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

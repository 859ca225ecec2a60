"""Building markets of several sizes: for the first time, again, and what Helm takes for them."""

from __future__ import annotations

import functools
import shutil
import sys
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.market import write_market
from bench.measure import NOTHING, Cost, median_cost, run

# Two processes for each app: a thousand apps would keep Helm busy for minutes.
MAX_HELM_APPS = 100


@dataclass(frozen=True, slots=True)
class Builds:
    """What a market of `apps` apps costs, each the median of all rounds.

    `first` builds all packages, `again` finds nothing changed, `helm` is one `helm lint` and one
    `helm package` for each app (None where it was not measured).
    """

    apps: int
    first: Cost
    again: Cost
    helm: Cost | None


def measure_builds(
    root: Path,
    scratch: Path,
    sizes: Sequence[int],
    *,
    rounds: int,
    helm: str | None,
    environment: Mapping[str, str],
    on_progress: Callable[[str], object],
) -> tuple[Builds, ...]:
    """Measure markets of several sizes, in rounds, so that noise meets all of them alike.

    `root` holds the specs to copy, `scratch` is an empty folder, `helm` the path of a Helm 3.
    Raises FailedRunError where an app cannot be built.
    """
    folders = {size: scratch / f"market-{size}" for size in sizes}
    for size, folder in folders.items():
        write_market(root, folder, size)
    # Compiles the modules; nobody waits for that twice.
    run(_build(folders[min(sizes)]), environment)
    taken: dict[int, list[tuple[Cost, Cost, Cost | None]]] = {size: [] for size in sizes}
    for number in range(1, rounds + 1):
        for size, folder in folders.items():
            on_progress(f"{size} apps, round {number} of {rounds}")
            shutil.rmtree(folder / "dist", ignore_errors=True)
            first = run(_build(folder), environment)
            again = run(_build(folder), environment)
            with_helm = None
            if helm is not None and size <= MAX_HELM_APPS:
                with_helm = _run_helm(helm, folder, environment)
            taken[size].append((first, again, with_helm))
    return tuple(_medians(size, costs) for size, costs in taken.items())


def _build(folder: Path) -> list[str]:
    return [sys.executable, "-m", "chartgen", "--quiet", "-C", str(folder), "build"]


def _run_helm(helm: str, folder: Path, environment: Mapping[str, str]) -> Cost:
    """Lint and package every chart of a built market, each in a process of its own."""
    charts = folder / "charts"
    if not charts.exists():
        for package in sorted((folder / "dist").glob("*.tgz")):
            _unpack(package, charts)
    packed = folder / "packed"
    costs = []
    for chart in sorted(charts.iterdir()):
        costs.append(run([helm, "lint", str(chart)], environment))
        costs.append(run([helm, "package", "-d", str(packed), str(chart)], environment))
    return functools.reduce(Cost.__add__, costs, NOTHING)


def _unpack(package: Path, folder: Path) -> None:
    with tarfile.open(package) as archive:
        for member in archive:
            stream = archive.extractfile(member)
            if stream is not None:
                path = folder / member.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(stream.read())


def _medians(apps: int, costs: Sequence[tuple[Cost, Cost, Cost | None]]) -> Builds:
    with_helm = [helm for _, _, helm in costs if helm is not None]
    return Builds(
        apps,
        median_cost([first for first, _, _ in costs]),
        median_cost([again for _, again, _ in costs]),
        median_cost(with_helm) if with_helm else None,
    )

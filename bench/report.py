"""The result of a benchmark as tables, or as one JSON document."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from bench.builds import Builds
from bench.measure import Cost
from bench.site import LONG, SiteBuild
from bench.startup import Startup
from bench.targets import Target, cheaper_again, cheaper_than_helm, ratio

if TYPE_CHECKING:
    from bench.engine_checks import AppChecks, EngineChecks, TableLoad
    from bench.publish import Publishes

_BUILDS_HEAD = (
    "apps",
    "build CPU",
    "wall",
    "again CPU",
    "wall",
    "helm CPU",
    "wall",
    "helm/build CPU",
    "wall",
    "build/again CPU",
    "peak MiB",
)
_SITES_HEAD = ("apps", "CPU s", "wall s", "CPU ms/app", "peak MiB")
_PUBLISHES_HEAD = ("apps", "first CPU s", "wall s", "one CPU s", "wall s", "peak MiB")
_CHECKS_HEAD = ("app", "parse", "arguments", "memory", "both", "both/parse")
_TABLES_HEAD = ("argument table", "release", "load", "load/parse")


@dataclass(frozen=True, slots=True)
class Results:
    """All that one run measured, on a machine that is described in a few words."""

    machine: Mapping[str, object]
    builds: Sequence[Builds]
    sites: Sequence[SiteBuild]
    publishes: Sequence[Publishes]
    engines: EngineChecks
    startup: Startup
    targets: Sequence[Target]


def as_text(results: Results) -> str:
    """Return the tables: packages, sites, publishes, engines, start-up, and the targets."""
    engines, startup, targets = results.engines, results.startup, results.targets
    parts = [
        ", ".join(f"{key} {value}" for key, value in results.machine.items()),
        "Packages, milliseconds for each app:",
        table([_BUILDS_HEAD, *map(_builds_row, results.builds)]),
        f"The market's site, built from its ledger (from {LONG:,} apps on once):",
        table([_SITES_HEAD, *map(_site_row, results.sites)]),
        "Publishes into a folder, of all apps at first and of one changed app:",
        table([_PUBLISHES_HEAD, *map(_publishes_row, results.publishes)]),
        "Checks of engines beside parsing the spec, milliseconds of CPU:",
        table([_CHECKS_HEAD, *map(_checks_row, engines.apps)]),
        table([_TABLES_HEAD, *(_tables_row(item, engines.parse) for item in engines.tables)]),
        "Milliseconds to start:",
        table(
            [
                ("", "CPU", "wall"),
                ("chartgen --help", *_milliseconds(startup.help, 1)),
                ("python -c 'import click'", *_milliseconds(startup.click, 1)),
            ]
        ),
        "Targets (CPU time):",
        table([("", "is", "wanted", ""), *map(_target_row, targets)]),
    ]
    return "\n\n".join(parts) + "\n"


def as_json(results: Results) -> str:
    """Return one document: seconds for whole runs, MiB, and the targets."""
    document = {
        "machine": results.machine,
        "builds": [asdict(item) for item in results.builds],
        "sites": [asdict(item) for item in results.sites],
        "publishes": [asdict(item) for item in results.publishes],
        "engines": asdict(results.engines),
        "startup": asdict(results.startup),
        "targets": [{**asdict(item), "met": item.met} for item in results.targets],
    }
    return json.dumps(document, indent=2) + "\n"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Align rows of equal length: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        first, *others = zip(row, widths, strict=True)
        cells = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _builds_row(item: Builds) -> tuple[str, ...]:
    helm, against, against_wall = ("", ""), "", ""
    if item.helm is not None:
        helm = _milliseconds(item.helm, item.apps)
        against = f"{cheaper_than_helm(item):.1f}"
        against_wall = f"{ratio(item.helm.wall_seconds, item.first.wall_seconds):.1f}"
    return (
        str(item.apps),
        *_milliseconds(item.first, item.apps),
        *_milliseconds(item.again, item.apps),
        *helm,
        against,
        against_wall,
        f"{cheaper_again(item):.1f}",
        f"{item.first.peak_mib:.0f}",
    )


def _site_row(item: SiteBuild) -> tuple[str, ...]:
    cost = item.cost
    return (
        f"{item.apps:,}",
        f"{cost.cpu_seconds:.2f}",
        f"{cost.wall_seconds:.2f}",
        f"{1000 * cost.cpu_seconds / item.apps:.2f}",
        f"{cost.peak_mib:.0f}",
    )


def _publishes_row(item: Publishes) -> tuple[str, ...]:
    seconds = (
        cost
        for run in (item.first, item.one_changed)
        for cost in (run.cpu_seconds, run.wall_seconds)
    )
    return (
        f"{item.apps:,}",
        *(f"{cost:.2f}" for cost in seconds),
        f"{item.one_changed.peak_mib:.0f}",
    )


def _checks_row(item: AppChecks) -> tuple[str, ...]:
    figures = (item.parse, item.arguments, item.memory, item.checks)
    return (
        item.app,
        *(f"{figure:.2f}" for figure in figures),
        f"{ratio(item.checks, item.parse):.2f}",
    )


def _tables_row(item: TableLoad, parse: float) -> tuple[str, ...]:
    return item.kind, item.release, f"{item.load:.2f}", f"{ratio(item.load, parse):.2f}"


def _milliseconds(cost: Cost, count: int) -> tuple[str, str]:
    return f"{1000 * cost.cpu_seconds / count:.1f}", f"{1000 * cost.wall_seconds / count:.1f}"


def _target_row(item: Target) -> tuple[str, ...]:
    sign = ">=" if item.at_least else "<="
    return (
        item.what,
        f"{item.value:.2f}",
        f"{sign} {item.limit:g}",
        "met" if item.met else "missed",
    )

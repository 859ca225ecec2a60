"""The result of a benchmark as tables, or as one JSON document."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from bench.builds import Builds
from bench.measure import Cost
from bench.startup import Startup
from bench.targets import Target, cheaper_again, cheaper_than_helm, ratio

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


def as_text(
    machine: Mapping[str, object],
    builds: Sequence[Builds],
    startup: Startup,
    targets: Sequence[Target],
) -> str:
    """Return the tables: milliseconds for each app, start-up, and the targets."""
    parts = [
        ", ".join(f"{key} {value}" for key, value in machine.items()),
        "Milliseconds for each app:",
        table([_BUILDS_HEAD, *map(_builds_row, builds)]),
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


def as_json(
    machine: Mapping[str, object],
    builds: Sequence[Builds],
    startup: Startup,
    targets: Sequence[Target],
) -> str:
    """Return one document: seconds for whole runs, MiB, and the targets."""
    document = {
        "machine": machine,
        "builds": [asdict(item) for item in builds],
        "startup": asdict(startup),
        "targets": [{**asdict(item), "met": item.met} for item in targets],
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

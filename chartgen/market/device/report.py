"""A verification as rows of a table and as plain data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chartgen.findings import Finding, Severity
from chartgen.market.device.held import Sync
from chartgen.market.device.verify import BaseReport, VerifyReport
from chartgen.terminal import one_line

Row = tuple[str, ...]

GENERATION_HEAD: Row = ("base", "generation", "Olares", "apps", "withdrawn", "requests", "synced")
APP_HEAD: Row = ("base", "app", "A", "B", "C", "chart", "upgrade from")
_SHORT = 12


def generation_rows(report: VerifyReport) -> list[Row]:
    """Return a row for each generation on each base, under GENERATION_HEAD."""
    return [_generation_row(base, sync) for base in report.bases for sync in base.syncs]


def report_table(report: VerifyReport) -> list[Row]:
    """Return a row for each app on each base, under APP_HEAD.

    It holds the version that each generation was offered, the beginning of the chart's SHA-256,
    and the version from which a device is offered an upgrade.
    """
    return [row for base in report.bases for row in _app_rows(base)]


def report_json(report: VerifyReport) -> dict[str, Any]:
    """Return everything as plain data for JSON, remote texts without control characters."""
    return {
        "url": report.url,
        "compared_with_ledger": report.compared,
        "sound": report.sound,
        "requests": report.requests,
        "received_bytes": report.received_bytes,
        "bases": [_base(base) for base in report.bases],
        "findings": [_finding(found) for found in report.findings],
        "summary": {
            f"{severity.value}s": sum(found.severity is severity for found in report.findings)
            for severity in Severity
        },
    }


def _generation_row(base: BaseReport, sync: Sync) -> Row:
    return (
        base.path or "/",
        sync.generation,
        sync.olares,
        str(len(sync.apps)),
        str(len(sync.withdrawn)),
        str(sync.requests),
        "yes" if sync.complete else "no",
    )


def _app_rows(base: BaseReport) -> Iterator[Row]:
    syncs = {sync.generation: sync for sync in base.syncs}
    upgrades = {upgrade.name: upgrade for upgrade in base.upgrades if upgrade.offered}
    for name in _names(base):
        versions = []
        for generation in ("A", "B", "C"):
            sync = syncs.get(generation)
            held = sync.apps.get(name) if sync else None
            gone = sync is not None and name in sync.withdrawn
            versions.append(held.version if held else "withdrawn" if gone else "-")
        charts = (base.charts.get((name, version)) for version in versions)
        known = [digest for digest in charts if digest is not None]
        before = upgrades[name].before if name in upgrades else "-"
        chart = known[0][:_SHORT] if known else "-"
        cells = (base.path or "/", name, *versions, chart, before)
        yield tuple(one_line(cell) for cell in cells)


def _names(base: BaseReport) -> list[str]:
    return sorted({name for sync in base.syncs for name in (*sync.apps, *sync.withdrawn)})


def _base(base: BaseReport) -> dict[str, Any]:
    return {
        "path": base.path or "/",
        "platform": base.platform,
        "generations": [_sync(sync) for sync in base.syncs],
        "charts": [
            {"name": one_line(name), "version": one_line(version), "sha256": digest}
            for (name, version), digest in sorted(base.charts.items())
        ],
        "upgrades": [
            {
                "generation": upgrade.generation,
                "name": one_line(upgrade.name),
                "before": one_line(upgrade.before),
                "after": one_line(upgrade.after),
                "seen": upgrade.seen,
                "offered": upgrade.offered,
            }
            for upgrade in base.upgrades
        ],
    }


def _sync(sync: Sync) -> dict[str, Any]:
    return {
        "generation": sync.generation,
        "olares": sync.olares,
        "hash": one_line(sync.hash),
        "complete": sync.complete,
        "requests": sync.requests,
        "apps": {one_line(name): one_line(sync.apps[name].version) for name in sorted(sync.apps)},
        "withdrawn": sorted(one_line(name) for name in sync.withdrawn),
    }


def _finding(found: Finding) -> dict[str, Any]:
    return {
        "rule": found.rule,
        "severity": found.severity.value,
        "url_path": found.place.file,
        "path": found.place.path or None,
        "message": one_line(found.message),
        "remedy": found.remedy or None,
    }

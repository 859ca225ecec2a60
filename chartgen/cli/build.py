"""`chartgen build`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chartgen.cli.console import Console
from chartgen.cli.exit_codes import DONE, REFUSED, UNREADABLE
from chartgen.cli.options import PLATFORM_NAMES, command
from chartgen.cli.table import table

if TYPE_CHECKING:
    from chartgen.build import BuildReport, BuildResult
    from chartgen.findings import Finding

_HEAD = ("App", "Version", "Platform", "Bytes", "State")


@command("build")
@click.argument("specs", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--platform",
    "platforms",
    multiple=True,
    type=click.Choice(PLATFORM_NAMES),
    help="Platform to build for; may be repeated. By default modern.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("dist"),
    metavar="DIR",
    help="Folder for the packages, by default dist; legacy ones go to DIR/legacy.",
)
@click.option("-n", "--dry-run", is_flag=True, help="Write nothing, only say what would be.")
def build(
    console: Console,
    specs: tuple[Path, ...],
    platforms: tuple[str, ...],
    output: Path,
    dry_run: bool,
) -> int:
    """Build the packages of apps.

    SPECS are files in apps/; by default all of them. An app with errors is not built, the others
    are. Exits with 1 if there is an error, with 3 if a file cannot be parsed.
    """
    from chartgen.build import BuildReport, build_specs

    # Imports are few here: an unchanged build needs neither pydantic nor Helm.
    from chartgen.cli.writing import make_folder
    from chartgen.market.layout import find_specs

    folder = console.settings.folder
    for path in specs:
        if path.suffix == ".tgz" or (folder / path).is_dir():
            raise click.BadParameter(f"{path} is no spec; `chartgen check` takes charts.")
    wanted = specs or find_specs(folder)
    done = 0

    def show(name: str) -> None:
        nonlocal done
        done += 1
        console.progress(f"[{done}/{len(wanted)}] {name}")

    if wanted:
        if not dry_run:
            make_folder(folder / output)
        report = build_specs(
            folder,
            wanted,
            platforms=_in_order(platforms) or PLATFORM_NAMES[:1],
            output=folder / output,
            dry_run=dry_run,
            on_progress=show,
        )
    else:
        from chartgen.check import no_specs

        report = BuildReport((), (no_specs(Path()),), unreadable=False)
    console.end_progress()
    _show(console, report, dry_run)
    if console.settings.json:
        console.data(_json(console, report))
    if report.unreadable:
        return UNREADABLE
    failed = any(result.state == "failed" for result in report.results)
    return REFUSED if failed or _errors(report.findings) else DONE


def _in_order(platforms: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in PLATFORM_NAMES if name in platforms)


def _errors(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(item for item in findings if item.severity.value == "error")


def _show(console: Console, report: BuildReport, dry_run: bool) -> None:
    """Write findings, one table and a summary to stderr."""
    shown = _errors(report.findings) if console.quiet else report.findings
    if shown:
        from chartgen.cli.findings import report_beside

        report_beside(console, shown)
    if console.quiet or not report.results:
        return
    if report.findings:
        console.note("")
    changed = [result for result in report.results if result.state != "unchanged"]
    if changed or console.verbose:
        rows = [_row(result) for result in report.results]
        console.report(table(_HEAD, rows, width=console.width, right=(3,)))
    if console.verbose:
        for result in report.results:
            if result.package is not None:
                path = _shown(result.package, console.settings.folder)
                console.note(f"{path}  sha256:{result.digest}")
    console.note(_summary(report.results, dry_run))


def _row(result: BuildResult) -> tuple[str, ...]:
    size = f"{result.size_bytes:,}" if result.size_bytes else ""
    return (result.name, result.version, result.platform, size, result.state)


def _summary(results: Sequence[BuildResult], dry_run: bool) -> str:
    counts = Counter(result.state for result in results)
    if counts["unchanged"] == len(results):
        return f"nothing changed: {_packages(len(results))} up to date"
    built = "would be built" if dry_run else "built"
    parts = [f"{_packages(counts['built'])} {built}"]
    if counts["unchanged"]:
        parts.append(f"{counts['unchanged']} unchanged")
    if counts["failed"]:
        parts.append(f"{counts['failed']} failed")
    return ", ".join(parts)


def _packages(count: int) -> str:
    return f"{count} package" if count == 1 else f"{count} packages"


def _json(console: Console, report: BuildReport) -> str:
    from chartgen.cli.findings import report_text

    folder = console.settings.folder
    findings = json.loads(report_text(console, "json", report.findings, on_stdout=True))
    packages = [
        {
            "spec": result.spec_file,
            "name": result.name,
            "version": result.version or None,
            "platform": result.platform,
            "state": result.state,
            "package": _shown(result.package, folder) if result.package else None,
            "size_bytes": result.size_bytes if result.package else None,
            "sha256": result.digest or None,
        }
        for result in report.results
    ]
    return json.dumps({"packages": packages, **findings}, indent=2, ensure_ascii=True) + "\n"


def _shown(package: Path, folder: Path) -> str:
    """Return a package's path as seen from the market's folder, if it lies in it."""
    inside = package.is_relative_to(folder)
    return (package.relative_to(folder) if inside else package).as_posix()

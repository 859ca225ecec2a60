"""`chartgen check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from chartgen.cli.console import Console
from chartgen.cli.exit_codes import DONE, REFUSED, UNREADABLE
from chartgen.cli.options import FORMAT_NAMES, PLATFORM_NAMES, command

if TYPE_CHECKING:
    from chartgen.check import CheckReport
    from chartgen.findings import Finding


@command("check")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMAT_NAMES),
    help="How findings are printed; by default text.",
)
@click.option(
    "--platform",
    "platforms",
    multiple=True,
    type=click.Choice(PLATFORM_NAMES),
    help="Only for this platform; may be repeated. By default all of the spec.",
)
@click.option("--strict", is_flag=True, help="Fail on warnings, too.")
def check(
    console: Console,
    paths: tuple[Path, ...],
    form: str | None,
    platforms: tuple[str, ...],
    strict: bool,
) -> int:
    """Check specs, charts and packages.

    PATHS are specs, folders of charts or .tgz packages; by default all specs in apps/. Findings
    go to stdout. Exits with 1 if there is an error, with 3 if a file cannot be parsed.
    """
    if console.settings.json and form not in (None, "json"):
        raise click.UsageError(f"--json and --format {form} contradict each other.")

    from chartgen.check import CheckReport, check_paths, no_specs
    from chartgen.cli.findings import report_text
    from chartgen.findings import Severity, in_order
    from chartgen.market.layout import find_specs

    folder = console.settings.folder
    wanted = paths or find_specs(folder)
    report = (
        check_paths(folder, wanted, platforms or None)
        if wanted
        else CheckReport((no_specs(Path()),), (), unreadable=False, checked=0)
    )
    findings = report.findings if paths else in_order((*report.findings, *_strays(folder, report)))
    form = form or ("json" if console.settings.json else "text")
    console.data(report_text(console, form, findings, on_stdout=True))
    if console.verbose:
        for app in report.apps:
            spec = app.loaded.spec
            waived = f", {len(app.waived)} waived" if app.waived else ""
            listed = ", ".join(app.charts) or "no chart"
            console.note(f"{app.loaded.file}: {spec.name} {spec.version} ({listed}){waived}")
    if report.unreadable:
        return UNREADABLE
    refused = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    return REFUSED if any(item.severity in refused for item in findings) else DONE


def _strays(folder: Path, report: CheckReport) -> tuple[Finding, ...]:
    """Return what no spec is asked of; nothing while a spec or the ledger cannot be read."""
    from chartgen.errors import ChartgenError
    from chartgen.release.ledger import read_ledger
    from chartgen.release.stray_evidence import stray_evidence

    if len(report.apps) < report.checked:
        return ()
    try:
        released = read_ledger(folder).by_name()
    except ChartgenError:
        # Those that need the ledger tell of it.
        return ()
    return stray_evidence(folder, {app.name for app in report.apps}, released)

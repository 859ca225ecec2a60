"""`chartgen check`."""

from __future__ import annotations

from pathlib import Path

import click

from chartgen.cli.console import Console
from chartgen.cli.exit_codes import DONE, REFUSED, UNREADABLE
from chartgen.cli.options import FORMAT_NAMES, PLATFORM_NAMES, command


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
    from chartgen.findings import Severity
    from chartgen.market.layout import find_specs

    folder = console.settings.folder
    wanted = paths or find_specs(folder)
    report = (
        check_paths(folder, wanted, platforms or None)
        if wanted
        else CheckReport((no_specs(Path()),), (), unreadable=False, checked=0)
    )
    form = form or ("json" if console.settings.json else "text")
    console.data(report_text(console, form, report.findings, on_stdout=True))
    if console.verbose:
        for app in report.apps:
            spec = app.loaded.spec
            waived = f", {len(app.waived)} waived" if app.waived else ""
            listed = ", ".join(app.charts) or "no chart"
            console.note(f"{app.loaded.file}: {spec.name} {spec.version} ({listed}){waived}")
    if report.unreadable:
        return UNREADABLE
    refused = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    return REFUSED if any(item.severity in refused for item in report.findings) else DONE

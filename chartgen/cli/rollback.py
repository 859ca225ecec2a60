"""`chartgen rollback`."""

from __future__ import annotations

import click

from chartgen.cli.console import Console
from chartgen.cli.exit_codes import DONE
from chartgen.cli.options import command


@command("rollback", json=False)
@click.argument("name")
@click.option("--to", metavar="VERSION", help="Which release; by default the one before the last.")
@click.option("-n", "--dry-run", is_flag=True, help="Write nothing, only say what would be.")
def rollback(console: Console, name: str, to: str | None, dry_run: bool) -> int:
    """Release an earlier content again.

    Devices never go back to a lower version, so the old content gets a new, higher one. The spec
    stays as it is, below the released version, until you mend it and bump it.
    """
    from chartgen.cli.clock import release_date
    from chartgen.release.ledger import append, read_ledger
    from chartgen.release.rollback import rollback as rolled_back
    from chartgen.release.workspace import read_released

    folder = console.settings.folder
    ledger = read_ledger(folder)
    release, files = rolled_back(
        ledger,
        name,
        lambda path: read_released(folder, path),
        to=to,
        date=release_date(ledger),
    )
    told = f"{name} {release.version}: {release.changes[0].lower()}"
    if dry_run:
        console.note(f"would release {told}")
        return DONE
    append(folder, ledger, [release], files)
    console.note(f"release {told}")
    console.note("Next:\n  chartgen publish")
    return DONE

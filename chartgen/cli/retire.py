"""`chartgen retire`."""

from __future__ import annotations

import click

from chartgen.cli.console import Console
from chartgen.cli.exit_codes import DONE
from chartgen.cli.options import command


@command("retire", json=False)
@click.argument("name")
@click.option("-m", "--reason", required=True, help="Why, for the people who use the app.")
@click.option("-n", "--dry-run", is_flag=True, help="Write nothing, only say what would be.")
def retire(console: Console, name: str, reason: str, dry_run: bool) -> int:
    """Retire an app for ever.

    The market announces it as removed, with the reason. Its name and versions stay reserved. Run
    `chartgen publish` afterwards, and remove the spec.
    """
    from chartgen.cli.clock import release_date
    from chartgen.release.ledger import append, read_ledger
    from chartgen.release.workspace import retirement

    folder = console.settings.folder
    ledger = read_ledger(folder)
    line = retirement(ledger, name, reason, release_date(ledger))
    if dry_run:
        console.note(f"would retire {name} at {line.version}; its name would stay reserved")
        return DONE
    append(folder, ledger, [line], {})
    console.note(f"{name} is retired at {line.version}; its name stays reserved")
    console.note("Next:\n  remove its spec from apps/\n  chartgen publish")
    return DONE

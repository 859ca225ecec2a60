"""`chartgen leaderboard`."""

from __future__ import annotations

import json

import click

from chartgen.cli.console import Console
from chartgen.cli.exit_codes import DONE
from chartgen.cli.options import command
from chartgen.errors import FindingsError

FORMATS = ("table", "markdown", "json")
# From this width on the table has room for all columns.
WIDE = 130


@command("leaderboard")
@click.option(
    "--format",
    "wanted",
    type=click.Choice(FORMATS),
    default="table",
    show_default=True,
    help="Form of the output; --json is json.",
)
def leaderboard(console: Console, wanted: str) -> int:
    """Compare the apps: speed, context, vision, tools.

    Shows each app as it is released, and specs that never were. A speed is a stored measurement
    (apps/evidence) of that very version or of one that runs the same; everything else follows from
    the settings, the model and the smoke test.
    """
    from chartgen.cli.findings import report_text
    from chartgen.cli.table import table
    from chartgen.market.catalog import build_catalog
    from chartgen.market.evidence import read_beside
    from chartgen.market.layout import find_specs
    from chartgen.market.leaderboard import leaderboard_with, row_data
    from chartgen.market.leaderboard_text import (
        HEAD,
        MORE,
        RIGHT,
        cells,
        leaderboard_markdown,
        marks,
    )
    from chartgen.market.settings import load_market
    from chartgen.release.ledger import read_ledger
    from chartgen.release.workspace import read_released
    from chartgen.spec.load import load_spec

    folder = console.settings.folder
    market, findings = load_market(folder)
    if market is None:
        raise FindingsError("market/market.yaml has errors; nothing else was read", findings)
    read_specs = [load_spec(folder / path, shown_as=path.as_posix()) for path in find_specs(folder)]
    # Of a spec that can be used, `check` tells the findings.
    faults = tuple(fault for spec, found in read_specs if spec is None for fault in found)
    if faults:
        console.report(report_text(console, "text", faults, on_stdout=False))
    specs = [spec for spec, _ in read_specs if spec is not None]
    ledger = read_ledger(folder)
    beside = read_beside(folder, {*ledger.by_name(), *(spec.spec.name for spec in specs)})

    def read(path: str) -> bytes:
        return read_released(folder, path)

    catalog = build_catalog(market, ledger, read, beside=beside)
    rows = leaderboard_with(catalog, specs, beside, read)
    if console.settings.json or wanted == "json":
        document = {"apps": [row_data(row) for row in rows]}
        console.data(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    elif wanted == "markdown":
        console.data(leaderboard_markdown(rows))
    else:
        wide = console.width >= WIDE
        head = (*HEAD, *MORE) if wide else HEAD
        lines = [cells(row, wide=wide) for row in rows]
        console.data(table(head, lines, width=console.width, right=RIGHT))
        for line in marks(rows):
            console.note(line)
    return DONE

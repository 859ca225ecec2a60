"""`chartgen leaderboard`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chartgen.cli.console import Console
from chartgen.cli.exit_codes import DONE, REFUSED
from chartgen.cli.json_errors import as_data, told_in_json
from chartgen.cli.options import command
from chartgen.errors import FindingsError
from chartgen.terminal import one_line

if TYPE_CHECKING:
    from chartgen.market.leaderboard import Row

FORMATS = ("table", "markdown", "json")


@command("leaderboard")
@click.option(
    "--format",
    "wanted",
    type=click.Choice(FORMATS),
    default="table",
    show_default=True,
    help="Form of the output; --json is json.",
)
@told_in_json
def leaderboard(console: Console, wanted: str) -> int:
    """Compare the apps: speed, context, vision, tools.

    Shows each app as it is released, and specs that never were, by the machine that they are made
    for. A speed is a stored measurement (apps/evidence) of that very version or of one that runs
    the same; everything else follows from the settings, the model and the smoke test. Exits with 1
    if a spec or a measurement has errors and is left out, or if there is no spec.
    """
    from chartgen.cli.findings import report_text
    from chartgen.findings import has_errors
    from chartgen.market.catalog import build_catalog
    from chartgen.market.evidence import read_beside
    from chartgen.market.layout import check_market, find_specs
    from chartgen.market.leaderboard import leaderboard_with, row_data
    from chartgen.market.leaderboard_text import leaderboard_markdown
    from chartgen.market.settings import load_market
    from chartgen.release.ledger import read_ledger
    from chartgen.release.stray_evidence import evidence_faults
    from chartgen.release.workspace import read_released
    from chartgen.spec.load import load_spec

    folder = console.settings.folder
    market, findings = load_market(folder)
    if market is None:
        raise FindingsError("market/market.yaml has errors; nothing else was read", findings)
    read_specs = [load_spec(folder / path, shown_as=path.as_posix()) for path in find_specs(folder)]
    ledger = read_ledger(folder)
    # Of a spec that can be used, `check` tells what is no fault of its evidence.
    faults = tuple(fault for spec, found in read_specs if spec is None for fault in found)
    if not read_specs and not ledger.releases:
        check_market(folder)
        from chartgen.check import no_specs

        faults = (no_specs(Path()),)
    specs = [spec for spec, _ in read_specs if spec is not None]
    faults += evidence_faults(folder, specs, ledger.by_name(), whole=len(specs) == len(read_specs))
    beside = read_beside(folder, {*ledger.by_name(), *(spec.spec.name for spec in specs)})

    def read(path: str) -> bytes:
        return read_released(folder, path)

    catalog = build_catalog(market, ledger, read, beside=beside)
    rows = leaderboard_with(catalog, specs, beside, read)
    if faults:
        console.report(report_text(console, "text", faults, on_stdout=False))
    if console.settings.json or wanted == "json":
        apps = [row_data(row) for row in rows]
        document = {"apps": apps, "findings": as_data(console, faults)}
        console.data(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    elif not rows:
        console.note("no app is offered")
    elif wanted == "markdown":
        console.data(leaderboard_markdown(rows))
    else:
        console.data(_board(rows, console.width))
    return REFUSED if has_errors(faults) else DONE


def _board(rows: Sequence[Row], width: int) -> str:
    """Return the rows as the widest table that shows all of them whole, else as a list."""
    from chartgen.cli.table import named_table
    from chartgen.market.leaderboard import by_machine
    from chartgen.market.leaderboard_text import HEAD, MORE, RIGHT, cells, legend, listed, titles

    names = titles(rows)
    named = tuple(zip(rows, names, strict=True))
    for wide in (True, False):
        head = (*HEAD, *MORE) if wide else HEAD
        lines = [cells(row, title, wide=wide) for row, title in named]
        text = named_table(head, lines, width=width, right=RIGHT)
        if text is not None:
            above, *parts = text.splitlines(keepends=True)
            break
    else:
        above, parts = "", [listed(row, title, width=width) for row, title in named]
    blocks = []
    machines = by_machine(rows)
    for machine, found in machines:
        block, parts = parts[: len(found)], parts[len(found) :]
        title = f"Made for {one_line(machine)}\n" if len(machines) > 1 else ""
        blocks.append(title + above + "".join(block))
    return "\n".join([*blocks, *filter(None, [legend(rows, width=width)])])

"""`chartgen verify`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from chartgen.cli.console import Console
from chartgen.cli.exit_codes import DONE, REMOTE
from chartgen.cli.options import command

if TYPE_CHECKING:
    from chartgen.market.device.held import Generation
    from chartgen.market.device.verify import VerifyReport
    from chartgen.release.ledger import Ledger

GENERATION_NAMES = ("A", "B", "C")


@command("verify")
@click.argument("url")
@click.option(
    "--generation",
    "generations",
    multiple=True,
    type=click.Choice(GENERATION_NAMES),
    help="Only as devices of this generation do; may be repeated.",
)
@click.option("--no-ledger", is_flag=True, help="Compare the market only with itself.")
@click.option("--no-lint", is_flag=True, help="Do not lint and render the charts that are served.")
@click.option("--seed", default=0, help="Order of the requests that is random on a device.")
def verify(
    console: Console,
    url: str,
    generations: tuple[Generation, ...],
    no_ledger: bool,
    no_lint: bool,
    seed: int,
) -> int:
    """Replay a device against a live market.

    Syncs URL as devices of all generations do, downloads every chart, and compares every byte with
    the ledger of this folder. Exits with 4 on any fault.
    """
    from chartgen.release.ledger import read_ledger

    ledger: Ledger | None = None if no_ledger else read_ledger(console.settings.folder)
    if ledger is not None and not ledger.releases:
        console.note("this folder has no ledger: the market is compared only with itself")
        ledger = None
    report = verify_url(url, ledger, generations=generations, lint=not no_lint, seed=seed)
    show(console, report)
    if console.settings.json:
        from chartgen.market.device.report import report_json

        console.data(json.dumps(report_json(report), indent=2) + "\n")
    return DONE if report.sound else REMOTE


def verify_url(
    url: str,
    ledger: Ledger | None,
    *,
    generations: tuple[Generation, ...] = (),
    lint: bool = False,
    seed: int = 0,
) -> VerifyReport:
    """Verify a live market; see `chartgen.market.device.verify.verify`."""
    import time

    from chartgen.lint.chart import lint_chart
    from chartgen.market.device.address import read_address
    from chartgen.market.device.client import connect
    from chartgen.market.device.held import GENERATIONS
    from chartgen.market.device.verify import verify as replay

    address = read_address(url)
    with connect(address.url) as fetch:
        return replay(
            url,
            fetch=fetch,
            ledger=ledger,
            generations=generations or GENERATIONS,
            seed=seed,
            lint=lint_chart if lint else None,
            pause=time.sleep,
        )


def show(console: Console, report: VerifyReport) -> None:
    """Print what was synced to stdout, unless JSON is wanted, and the findings to stderr."""
    from chartgen.cli.findings import report_text
    from chartgen.cli.table import table
    from chartgen.market.device.report import (
        APP_HEAD,
        GENERATION_HEAD,
        generation_rows,
        report_table,
    )

    if report.reached and not console.settings.json:
        console.data(table(GENERATION_HEAD, generation_rows(report), width=console.width))
        console.data("\n" + table(APP_HEAD, report_table(report), width=console.width))
    if report.findings:
        console.report(report_text(console, "text", report.findings, on_stdout=False))
    if not report.reached:
        return
    compared = "and equals the ledger" if report.compared else "and agrees with itself"
    verdict = f"sound {compared}" if report.sound else "not sound"
    console.note(
        f"{report.url} is {verdict}: {report.requests} requests, {report.received_bytes:,} bytes"
    )

"""`chartgen publish`."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import click

from chartgen.cli.console import Console
from chartgen.cli.exit_codes import DONE, REFUSED, REMOTE
from chartgen.cli.options import command

if TYPE_CHECKING:
    from chartgen.findings import Finding
    from chartgen.market.settings import MarketSettings
    from chartgen.market.site import Site
    from chartgen.release.ledger import Ledger
    from chartgen.release.plan import PublishPlan

BUMP_NAMES = ("patch", "minor", "major")


@command("publish")
@click.option(
    "--bump",
    type=click.Choice(BUMP_NAMES),
    help="Raise the version of every app whose content changed since its last release.",
)
@click.option("-n", "--dry-run", is_flag=True, help="Write nothing, only say what would be.")
@click.option("--force", is_flag=True, help="Replace what somebody else has deployed meanwhile.")
@click.option("--no-verify", is_flag=True, help="Do not replay a device against the result.")
def publish(console: Console, bump: str | None, dry_run: bool, force: bool, no_verify: bool) -> int:
    """Release what changed, and put the market where devices reach it.

    Checks all specs, raises what changed (with --bump), appends the releases to the ledger,
    writes the market into its folder or to Cloudflare, and verifies it as a device would. Running
    the same command again finishes what was interrupted; where nothing changed, nothing is sent.
    """
    from chartgen.cli.clock import release_date
    from chartgen.findings import has_errors
    from chartgen.market.preview import published_site
    from chartgen.release.plan import plan_publish
    from chartgen.release.workspace import read_workspace, release_findings, write_publish

    folder = console.settings.folder

    def show(name: str) -> None:
        console.progress(f"checking {name}")

    workspace = read_workspace(folder, on_progress=show)
    console.end_progress()
    plan = plan_publish(
        workspace.apps,
        workspace.ledger,
        workspace.market,
        workspace.read_file,
        bump=bump,  # type: ignore[arg-type]  # click's choice is one of the three
        date=release_date(workspace.ledger),
    )
    findings = (*workspace.findings, *plan.findings, *release_findings(workspace))
    _show_findings(console, findings)
    if has_errors(findings):
        return REFUSED
    _show_plan(console, plan, dry_run)
    ledger = workspace.ledger
    if dry_run:
        return _dry_run(console, plan, workspace.market)
    if plan.releases:
        ledger = write_publish(workspace, plan)
    if not ledger.releases:
        console.note("there is nothing to publish yet")
        return DONE
    site = published_site(folder, workspace.market, ledger)
    report = _deliver(console, site, workspace.market, ledger, force)
    if not no_verify and report["changed"]:
        faults = _verified(console, site, workspace.market, ledger)
        report["faults"] = len(faults)
        _show_findings(console, faults)
        if has_errors(faults):
            return REMOTE
    if console.settings.json:
        console.data(json.dumps(_document(plan) | report, indent=2) + "\n")
    return DONE


def _show_findings(console: Console, findings: tuple[Finding, ...]) -> None:
    from chartgen.cli.findings import report_text

    if findings:
        console.report(report_text(console, "text", findings, on_stdout=False))


def _show_plan(console: Console, plan: PublishPlan, dry_run: bool) -> None:
    for edit in plan.edits:
        console.note(f"{edit.path.as_posix()}: version raised")
    for release in plan.releases:
        verb = "would release" if dry_run else "release"
        console.note(f"{verb} {release.name} {release.version}")
        for change in release.changes:
            console.note(f"  {change}")
    if not plan.releases:
        console.note("no app changed since its last release")


def _dry_run(console: Console, plan: PublishPlan, market: MarketSettings) -> int:
    target = market.publish
    goal = f"Worker {target.cloudflare.worker}" if target.cloudflare else f"folder {target.folder}"
    size = sum(len(data) for data in plan.files.values())
    console.note(f"would write {len(plan.files)} files, {size:,} bytes, and deploy to {goal}")
    if console.settings.json:
        console.data(json.dumps(_document(plan), indent=2) + "\n")
    return DONE


def _document(plan: PublishPlan) -> dict[str, Any]:
    return {
        "releases": [
            {"name": item.name, "version": item.version, "changes": list(item.changes)}
            for item in plan.releases
        ]
    }


def _deliver(
    console: Console, site: Site, market: MarketSettings, ledger: Ledger, force: bool
) -> dict[str, Any]:
    """Put the site where market.yaml says; return what happened."""
    if market.publish.cloudflare is None:
        from chartgen.market.deploy.folder import write_site

        target = console.settings.folder / market.publish.folder
        changed = write_site(site, target).changed
        console.note(
            f"market written to {market.publish.folder}"
            if changed
            else "the market is up to date; nothing was written"
        )
        return {"folder": market.publish.folder, "changed": changed}
    return _to_cloudflare(console, site, market, ledger, force)


def _to_cloudflare(
    console: Console, site: Site, market: MarketSettings, ledger: Ledger, force: bool
) -> dict[str, Any]:
    from chartgen.market.deploy.account import account_from
    from chartgen.market.deploy.api import CloudflareApi
    from chartgen.market.deploy.cloudflare import publish as deploy
    from chartgen.market.deploy.http import connect
    from chartgen.market.deploy.plan import build_plan, market_script
    from chartgen.market.deploy.publication import Publication, Step, Target
    from chartgen.market.deploy.waiting import SystemClock
    from chartgen.release.record import seal

    wanted = market.publish.cloudflare
    assert wanted is not None

    def show(step: Step) -> None:
        share = f" {100 * step.done // step.total} %" if step.total else ""
        if step.ongoing or step.total:
            console.progress(f"{step.text}{share}")
        else:
            console.end_progress()
            console.note(step.text)

    publication = Publication(
        plan=build_plan(site, market_script(site)),
        target=Target(wanted.worker, wanted.domain),
        origin=ledger.head,
        message=f"{len(ledger.releases)} releases",
        known_origins={seal(release) for release in ledger.releases},
        force=force,
        progress=show,
    )
    account = account_from(os.environ)
    with connect(account.stand_in) as http:
        deployed = deploy(publication, CloudflareApi(account, http, SystemClock()), http)
    console.end_progress()
    console.note(
        f"live at {deployed.url}" if deployed.changed else f"{deployed.url} is up to date already"
    )
    return {"url": deployed.url, "version": deployed.version_id, "changed": deployed.changed}


def _verified(
    console: Console, site: Site, market: MarketSettings, ledger: Ledger
) -> tuple[Finding, ...]:
    """Replay a device against what was published."""
    console.progress("verifying as a device")
    if market.publish.cloudflare is None:
        from chartgen.market.replay import verify_site

        report = verify_site(site, market.url, ledger)
    else:
        from chartgen.cli.verify import verify_url

        report = verify_url(market.url, ledger)
    console.end_progress()
    if report.sound:
        console.note("verified as devices of all generations see it")
    return report.findings

"""`chartgen publish`."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from chartgen.cli.console import Console
from chartgen.cli.exit_codes import DONE, REFUSED, REMOTE
from chartgen.cli.options import command
from chartgen.errors import MissingToolError, RefusedError
from chartgen.market.layout import MARKET_FILE

if TYPE_CHECKING:
    from chartgen.findings import Finding
    from chartgen.market.deploy.publication import Target
    from chartgen.market.settings import CloudflareTarget, MarketSettings
    from chartgen.market.site import Site
    from chartgen.release.ledger import Ledger
    from chartgen.release.plan import PublishPlan
    from chartgen.release.versions import Bump

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
def publish(
    console: Console, bump: Bump | None, dry_run: bool, force: bool, no_verify: bool
) -> int:
    """Release what changed, and put the market where devices reach it.

    Checks all specs, raises what changed (with --bump), appends the releases to the ledger,
    writes the market into its folder or to Cloudflare, and verifies it as a device would. Running
    the same command again finishes what was interrupted; where nothing changed, nothing is sent.
    """
    from chartgen.cli.clock import release_date
    from chartgen.findings import has_errors
    from chartgen.market.preview import preview_site, published_site
    from chartgen.release.plan import plan_publish
    from chartgen.release.workspace import read_workspace, release_findings, write_publish

    folder = console.settings.folder
    if not (folder / MARKET_FILE).is_file():
        raise RefusedError(f"{MARKET_FILE} is missing: this is no market. Run `chartgen init`.")

    def show(name: str) -> None:
        console.progress(f"checking {name}")

    workspace = read_workspace(folder, on_progress=show)
    console.end_progress()
    market = workspace.market
    plan = plan_publish(
        workspace.apps,
        workspace.ledger,
        market,
        workspace.read_file,
        bump=bump,
        date=release_date(workspace.ledger),
        whole=workspace.whole,
    )
    own = market_findings(market)
    findings = (*own, *workspace.findings, *plan.findings, *release_findings(workspace))
    _show_findings(console, findings)
    if has_errors(findings):
        return _end(console, REFUSED, plan, {"refused": len(findings)})
    if any(item.rule == "checks-skipped" for app in workspace.apps for item in app.all_findings):
        raise MissingToolError(
            "nothing is published that was not fully checked; install what is missing with: "
            "pip install 'chartgen[check]'"
        )
    target = _Target(console, market, force)
    if dry_run:
        _show_plan(console, plan, dry_run)
        site, _ = preview_site(workspace, release_date(workspace.ledger), bump=bump)
        return _end(console, DONE, plan, {"would": target.outline(site)})
    target.check()
    _show_plan(console, plan, dry_run)
    ledger = write_publish(workspace, plan) if plan.releases else workspace.ledger
    if not ledger.releases:
        console.note("there is nothing to publish yet")
        return _end(console, DONE, plan, {"changed": False})
    site = published_site(folder, market, ledger)
    report = target.deliver(site, ledger)
    if not no_verify and not target.was_verified(site):
        faults = target.verify(site, ledger, report)
        report["faults"] = len(faults)
        _show_findings(console, faults)
        if has_errors(faults):
            return _end(console, REMOTE, plan, report)
        target.keep_verified(site)
    return _end(console, DONE, plan, report)


def market_findings(market: MarketSettings) -> tuple[Finding, ...]:
    """Return what is to be said of market.yaml before it is published."""
    from chartgen.findings import Place
    from chartgen.lint.rules import finding
    from chartgen.market.settings import PLACEHOLDER

    if market.url != PLACEHOLDER:
        return ()
    message = f"the address is still {PLACEHOLDER}; icons would be looked for there"
    return (finding("market-url-placeholder", Place(MARKET_FILE), message),)


def _end(console: Console, code: int, plan: PublishPlan, more: dict[str, Any]) -> int:
    if console.settings.json:
        console.data(json.dumps(_document(plan) | more, indent=2) + "\n")
    return code


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


def _document(plan: PublishPlan) -> dict[str, Any]:
    return {
        "releases": [
            {"name": item.name, "version": item.version, "changes": list(item.changes)}
            for item in plan.releases
        ]
    }


class _Target:
    """Where market.yaml says the market goes."""

    def __init__(self, console: Console, market: MarketSettings, force: bool) -> None:
        self._console = console
        self._market = market
        self._force = force
        self._folder = console.settings.folder / market.publish.folder
        self._verified = console.settings.folder / "dist" / ".verified"

    def check(self) -> None:
        """Raise what would stop the delivery, before anything is released for it."""
        if self._market.publish.cloudflare is None:
            from chartgen.market.deploy.folder import check_folder

            check_folder(self._folder)
        else:
            from chartgen.market.deploy.account import account_from

            account_from(os.environ)

    def outline(self, site: Site) -> dict[str, Any]:
        """Say what would be written or sent, and return it as data."""
        wanted = self._market.publish.cloudflare
        size = sum(file.size for file in site.files.values())
        if wanted is None:
            goal = self._market.publish.folder
            self._console.note(f"would write {len(site.files)} files, {size:,} bytes, to {goal}")
            return {"folder": goal, "files": len(site.files), "bytes": size}
        from chartgen.market.deploy.outline import outline
        from chartgen.market.deploy.plan import build_plan, market_script

        shown = outline(build_plan(site, market_script(site)), _worker_target(wanted))
        for call in shown.calls:
            self._console.note(f"would send {call.method} {call.path}: {call.about}")
        return asdict(shown)

    def deliver(self, site: Site, ledger: Ledger) -> dict[str, Any]:
        """Put the site where it goes; return what happened."""
        if self._market.publish.cloudflare is None:
            from chartgen.market.deploy.folder import write_site

            changed = write_site(site, self._folder).changed
            goal = self._market.publish.folder
            self._console.note(
                f"market written to {goal}"
                if changed
                else "the market is up to date; nothing was written"
            )
            return {"folder": goal, "changed": changed}
        return _to_cloudflare(self._console, site, self._market, ledger, self._force)

    def verify(self, site: Site, ledger: Ledger, report: dict[str, Any]) -> tuple[Finding, ...]:
        """Replay a device against what was published."""
        self._console.progress("verifying as a device")
        if self._market.publish.cloudflare is None or _stands_in():
            from chartgen.market.replay import verify_site

            found = verify_site(site, self._market.url, ledger)
        else:
            from chartgen.cli.verify import verify_url

            found = verify_url(report["url"], ledger)
        self._console.end_progress()
        if found.sound:
            self._console.note("verified as devices of all generations see it")
        return found.findings

    def was_verified(self, site: Site) -> bool:
        """Tell whether this very site was verified at this target before."""
        try:
            return self._verified.read_text(encoding="utf-8") == self._mark(site)
        except OSError:
            return False

    def keep_verified(self, site: Site) -> None:
        """Remember that the site was verified, so that only a new one is again."""
        from chartgen.files import write_atomically

        self._verified.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self._verified, self._mark(site).encode())

    def _mark(self, site: Site) -> str:
        hashes = " ".join(base.hash for base in site.bases)
        return f"{self._market.publish.model_dump_json()} {hashes}\n"


def _stands_in() -> bool:
    """Tell whether a stand-in for Cloudflare on this machine is used, which has no address."""
    from chartgen.market.deploy.account import account_from

    return account_from(os.environ).stand_in is not None


def _worker_target(wanted: CloudflareTarget) -> Target:
    from chartgen.market.deploy.publication import Target

    return Target(
        wanted.worker,
        wanted.domain,
        zone=wanted.zone,
        account_name=wanted.account_name,
        check_first=wanted.check_first,
    )


def _to_cloudflare(
    console: Console, site: Site, market: MarketSettings, ledger: Ledger, force: bool
) -> dict[str, Any]:
    from chartgen.market.deploy.account import account_from
    from chartgen.market.deploy.api import CloudflareApi
    from chartgen.market.deploy.cloudflare import publish as deploy
    from chartgen.market.deploy.http import connect
    from chartgen.market.deploy.plan import build_plan, market_script
    from chartgen.market.deploy.publication import Publication, Step
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
        target=_worker_target(wanted),
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

"""`chartgen publish`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from chartgen.cli.console import Console
from chartgen.cli.exit_codes import DONE, REFUSED, REMOTE
from chartgen.cli.json_errors import as_data, told_in_json
from chartgen.cli.options import command
from chartgen.errors import MissingToolError
from chartgen.market.layout import MARKET_FILE, check_market

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from chartgen.findings import Finding
    from chartgen.market.replay import Verified
    from chartgen.market.settings import MarketSettings
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
@told_in_json
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
    from chartgen.market.pieces import PIECES, KeptPieces
    from chartgen.market.preview import preview_site, published_site
    from chartgen.market.replay import changed_apps, of_apps
    from chartgen.release.plan import plan_publish
    from chartgen.release.workspace import (
        keep_checks,
        read_workspace,
        release_findings,
        write_publish,
    )

    folder = console.settings.folder
    check_market(folder)

    def show(name: str) -> None:
        console.progress(f"checking {name}")

    workspace = read_workspace(folder, on_progress=show, remember=True)
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
        unchanged=[check.name for check in workspace.unchanged],
    )
    own = market_findings(market)
    findings = (*own, *workspace.findings, *plan.findings, *release_findings(workspace))
    _show_findings(console, findings)
    if has_errors(findings):
        return _end(console, REFUSED, plan, {"refused": len(findings)}, findings)
    if any(item.rule == "checks-skipped" for item in workspace.all_findings):
        raise MissingToolError(
            "nothing is published that was not fully checked; install what is missing with: "
            "pip install 'chartgen[check]'"
        )
    target = _Target(console, market, force)
    if dry_run:
        _show_plan(console, plan, dry_run)
        site, _ = preview_site(workspace, release_date(workspace.ledger), bump=bump)
        return _end(console, DONE, plan, {"would": target.outline(site)})
    _show_findings(console, target.check(workspace.ledger))
    keep_checks(workspace)
    _show_plan(console, plan, dry_run)
    ledger = write_publish(workspace, plan) if plan.releases else workspace.ledger
    if not ledger.releases:
        console.note("there is nothing to publish yet")
        return _end(console, DONE, plan, {"changed": False})
    pieces = KeptPieces(folder / PIECES, market, ledger, workspace.made_by)
    site = published_site(folder, market, ledger, pieces.recall)
    pieces.save()
    report = target.deliver(site, ledger)
    mark = target.mark(site, ledger, workspace.made_by)
    before = target.verified_before()
    if not no_verify and (before is None or not before.same_site(mark)):

        def part(names: Collection[str]) -> Site:
            # Made anew, so that what was recalled is compared with what it should be.
            return published_site(folder, market, of_apps(ledger, names))

        faults = target.verify(site, ledger, report, changed_apps(mark, before), part)
        report["faults"] = len(faults)
        _show_findings(console, faults)
        if has_errors(faults):
            return _end(console, REMOTE, plan, report, faults)
        target.keep_verified(mark)
    return _end(console, DONE, plan, report)


def market_findings(market: MarketSettings) -> tuple[Finding, ...]:
    """Return what is to be said of market.yaml before it is published."""
    from chartgen.findings import Place
    from chartgen.lint.rules import finding
    from chartgen.market.settings import PLACEHOLDER

    wanted = market.publish.cloudflare
    if market.url != PLACEHOLDER and wanted is not None:
        from chartgen.cli.cloudflare import settings_findings

        return settings_findings(market, wanted)
    if market.url != PLACEHOLDER:
        return ()
    message = f"the address is still {PLACEHOLDER}; icons would be looked for there"
    return (finding("market-url-placeholder", Place(MARKET_FILE), message),)


def _end(
    console: Console,
    code: int,
    plan: PublishPlan,
    more: dict[str, Any],
    findings: tuple[Finding, ...] = (),
) -> int:
    if console.settings.json:
        document = _document(plan) | more
        if findings:
            document["findings"] = as_data(console, findings)
        console.data(json.dumps(document, indent=2) + "\n")
    return code


def _show_findings(console: Console, findings: tuple[Finding, ...]) -> None:
    from chartgen.cli.findings import report_beside

    report_beside(console, findings)


def _show_plan(console: Console, plan: PublishPlan, dry_run: bool) -> None:
    for edit in plan.edits:
        verb = "would raise " if dry_run else ""
        file = edit.path.relative_to(console.settings.folder).as_posix()
        console.note(f"{verb}{file}: version {edit.before} → {edit.after}")
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

    def check(self, ledger: Ledger) -> tuple[Finding, ...]:
        """Raise what would stop the delivery, before anything is released for it."""
        wanted = self._market.publish.cloudflare
        if wanted is None:
            from chartgen.market.deploy.folder import check_folder

            check_folder(self._folder)
            return ()
        from chartgen.cli.cloudflare import check_cloudflare

        return check_cloudflare(self._market, wanted, ledger, force=self._force)

    def outline(self, site: Site) -> dict[str, Any]:
        """Say what would be written or sent, and return it as data."""
        wanted = self._market.publish.cloudflare
        size = sum(file.size for file in site.files.values())
        if wanted is None:
            goal = self._market.publish.folder
            self._console.note(f"would write {len(site.files)} files, {size:,} bytes, to {goal}")
            return {"folder": goal, "files": len(site.files), "bytes": size}
        from chartgen.cli.cloudflare import show_outline

        return show_outline(self._console, site, wanted)

    def deliver(self, site: Site, ledger: Ledger) -> dict[str, Any]:
        """Put the site where it goes; return what happened."""
        wanted = self._market.publish.cloudflare
        if wanted is None:
            from chartgen.market.deploy.folder import write_site

            changed = write_site(site, self._folder).changed
            goal = self._market.publish.folder
            self._console.note(
                f"market written to {goal}"
                if changed
                else "the market is up to date; nothing was written"
            )
            return {"folder": goal, "changed": changed}
        from chartgen.cli.cloudflare import to_cloudflare

        return to_cloudflare(self._console, site, wanted, ledger, force=self._force)

    def verify(
        self,
        site: Site,
        ledger: Ledger,
        report: dict[str, Any],
        changed: tuple[str, ...] | None,
        part: Callable[[Collection[str]], Site],
    ) -> tuple[Finding, ...]:
        """Replay a device against what was published.

        `changed` names the apps that were not verified as they are now (None: none was), `part`
        makes the site of some apps alone.
        """
        from chartgen.cli.cloudflare import stands_in
        from chartgen.findings import has_errors

        self._console.progress("verifying as a device")
        if self._market.publish.cloudflare is None or stands_in():
            from chartgen.market.replay import verify_changes, verify_site

            if changed is None:
                findings = verify_site(site, self._market.url, ledger).findings
            else:
                findings = verify_changes(site, part(changed), self._market.url, ledger, changed)
        else:
            from chartgen.cli.verify import verify_url

            findings = verify_url(report["url"], ledger).findings
        self._console.end_progress()
        if not has_errors(findings):
            self._console.note("verified as devices of all generations see it")
        return findings

    def mark(self, site: Site, ledger: Ledger, made_by: str) -> Verified:
        """Return what is remembered of a site once it is verified at this target."""
        from chartgen.market.replay import verified

        return verified(
            site,
            ledger,
            target=self._market.publish.model_dump_json(),
            made_by=f"{made_by} {self._market.model_dump_json()}",
        )

    def verified_before(self) -> Verified | None:
        """Return what was verified last."""
        from chartgen.market.replay import read_verified

        return read_verified(self._verified)

    def keep_verified(self, mark: Verified) -> None:
        """Remember what was verified, so that only what is new is looked at again."""
        from chartgen.market.replay import write_verified

        write_verified(self._verified, mark)

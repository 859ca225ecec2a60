"""The part of `chartgen publish` that goes to Cloudflare: what it asks, says, and sends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from chartgen.cli.console import Console

if TYPE_CHECKING:
    from chartgen.findings import Finding
    from chartgen.market.deploy.api import CloudflareApi
    from chartgen.market.deploy.http import Http
    from chartgen.market.deploy.outline import PlannedCall
    from chartgen.market.deploy.publication import Claim, Step, Target
    from chartgen.market.settings import CloudflareTarget, MarketSettings
    from chartgen.market.site import Site
    from chartgen.release.ledger import Ledger


def cloudflare_target(wanted: CloudflareTarget) -> Target:
    """Return where market.yaml wants the market. Raises RefusedError for names that are none."""
    from chartgen.market.deploy.publication import Target

    return Target(
        wanted.worker,
        wanted.domain,
        zone=wanted.zone,
        account_name=wanted.account_name,
        check_first=wanted.check_first,
    )


def settings_findings(market: MarketSettings, wanted: CloudflareTarget) -> tuple[Finding, ...]:
    """Return what can be said of the market's address without asking Cloudflare."""
    from chartgen.market.deploy.address import address_findings, address_of

    return address_findings(market.url, address_of(cloudflare_target(wanted), None))


def check_cloudflare(
    market: MarketSettings, wanted: CloudflareTarget, ledger: Ledger, *, force: bool
) -> tuple[Finding, ...]:
    """Ask whether the market may go there, before anything is released for it.

    Return what is to be said of its address, which only Cloudflare knows without a domain. Raises
    RefusedError where somebody else's market is live, or a setting is wrong; RemoteError where
    Cloudflare refuses the token or cannot be reached.
    """
    from chartgen.market.deploy.address import address_findings, address_of
    from chartgen.market.deploy.standing import find_standing, refuse_foreign

    target = cloudflare_target(wanted)
    with _connected() as (api, _):
        standing = find_standing(api, target)
    refuse_foreign(standing, target, _claim(ledger, force))
    if target.domain is not None:
        return ()  # said by `settings_findings`
    return address_findings(market.url, address_of(target, standing.host))


def show_outline(console: Console, site: Site, wanted: CloudflareTarget) -> dict[str, Any]:
    """Say what would be sent, and return it as data; nobody is asked."""
    from chartgen.market.deploy.outline import outline
    from chartgen.market.deploy.plan import build_plan, market_script

    shown = outline(build_plan(site, market_script(site)), cloudflare_target(wanted))
    console.note(
        f"would publish {shown.files:,} files, {shown.file_bytes:,} bytes, as the Worker "
        f"{shown.worker}:"
    )
    for call in shown.calls:
        console.note(f"  {_call_text(call)}")
    return asdict(shown)


def _call_text(call: PlannedCall) -> str:
    when = "" if call.when == "always" else f" ({call.when})"
    size = f", at most {call.bytes:,} bytes" if call.bytes else ""
    return f"{call.method} {call.path}: {call.about}{size}{when}"


def to_cloudflare(
    console: Console, site: Site, wanted: CloudflareTarget, ledger: Ledger, *, force: bool
) -> dict[str, Any]:
    """Publish a site; return what happened."""
    from chartgen.market.deploy.cloudflare import publish as deploy
    from chartgen.market.deploy.plan import build_plan, market_script
    from chartgen.market.deploy.publication import Publication

    def show(step: Step) -> None:
        share = f" {100 * step.done // step.total} %" if step.total else ""
        if step.ongoing or step.total:
            console.progress(f"{step.text}{share}")
        else:
            console.end_progress()
            console.note(step.text)

    publication = Publication(
        plan=build_plan(site, market_script(site)),
        target=cloudflare_target(wanted),
        claim=_claim(ledger, force),
        message=f"{len(ledger.releases)} releases",
        progress=show,
    )
    with _connected() as (api, http):
        deployed = deploy(publication, api, http)
    console.end_progress()
    console.note(
        f"live at {deployed.url}" if deployed.changed else f"{deployed.url} is up to date already"
    )
    return {"url": deployed.url, "version": deployed.version_id, "changed": deployed.changed}


def stands_in() -> bool:
    """Tell whether a stand-in for Cloudflare on this machine is used, which has no address."""
    from chartgen.market.deploy.account import account_from

    return account_from(os.environ).stand_in is not None


def _claim(ledger: Ledger, force: bool) -> Claim:
    from chartgen.market.deploy.publication import Claim
    from chartgen.release.record import seal

    origins = {seal(release) for release in ledger.releases}
    return Claim(ledger.head, known_origins=origins, force=force)


@contextmanager
def _connected() -> Iterator[tuple[CloudflareApi, Http]]:
    from chartgen.market.deploy.account import account_from
    from chartgen.market.deploy.api import CloudflareApi
    from chartgen.market.deploy.http import connect
    from chartgen.market.deploy.waiting import SystemClock

    account = account_from(os.environ)
    with connect(account.stand_in) as http:
        yield CloudflareApi(account, http, SystemClock()), http

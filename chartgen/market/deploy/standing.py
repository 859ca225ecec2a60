"""What stands at Cloudflare before anything is sent: names, domain, and the live version."""

from __future__ import annotations

from dataclasses import dataclass

from chartgen.errors import RefusedError
from chartgen.market.deploy.api import CloudflareApi
from chartgen.market.deploy.failures import NO_PERMISSION, ApiError
from chartgen.market.deploy.publication import Claim, Target
from chartgen.market.deploy.shapes import Deployment, Version
from chartgen.terminal import one_line

WAY_OUT = "Take over what was published there (git pull), or publish with --force to replace it."


@dataclass(frozen=True, slots=True)
class Standing:
    """What a publishing finds.

    `host` is the domain below which the account's Workers are, None where the token may not read
    it; with `unregistered` the account gets that name first. `has_domain` tells whether the
    target's domain leads to the Worker. `deployment` is what is live, and `version` the version
    that most of its traffic goes to; both are None before the first publishing.
    """

    host: str | None
    unregistered: bool = False
    has_domain: bool = False
    deployment: Deployment | None = None
    version: Version | None = None


def find_standing(api: CloudflareApi, target: Target) -> Standing:
    """Read what is there; nothing is changed.

    Raises RefusedError where the account has no workers.dev name and none is wanted, or where the
    domain leads to another Worker, and RemoteError where Cloudflare refuses or cannot be reached.
    """
    host, unregistered = _account_host(api, target)
    has_domain = _has_domain(api, target)
    deployment = live_deployment(api, target.name)
    version = None
    if deployment is not None:
        version = api.version(target.name, deployment.version_id)
    return Standing(host, unregistered, has_domain, deployment, version)


def live_deployment(api: CloudflareApi, name: str) -> Deployment | None:
    """Return the newest deployment of a Worker."""
    return next(iter(api.deployments(name)), None)


def refuse_foreign(standing: Standing, target: Target, claim: Claim) -> None:
    """Raise RefusedError where the live market is not the publisher's to replace."""
    deployment, version = standing.deployment, standing.version
    if deployment is None or version is None or claim.force:
        return
    if not claim.covers(version):
        what = "it was not published from here"
    elif not deployment.is_all(version.id):
        what = "two versions share the traffic"
    else:
        return
    raise RefusedError(f"{described(target.name, deployment, version)}: {what}. {WAY_OUT}")


def described(name: str, deployment: Deployment, version: Version) -> str:
    """Say which version a Worker serves, since when, by whom and with which message."""
    author = f" by {one_line(deployment.author_email)}" if deployment.author_email else ""
    message = f", {version.message!r}" if version.message else ""
    when = f" of {one_line(deployment.created_on)[:19]}" if deployment.created_on else ""
    return f"{name} serves version {version.id}{when}{author}{message}"


def _account_host(api: CloudflareApi, target: Target) -> tuple[str | None, bool]:
    """Return the domain below which the account's Workers are; True where it does not have it yet.

    A token for one Worker only may not read it (wrangler 4.164.0, triggers/subdomain.ts); a domain
    of the market's own does without it.
    """
    wanted = target.account_name
    try:
        found = api.account_name()
    except ApiError as error:
        if error.code != NO_PERMISSION or (wanted is None and target.domain is None):
            raise
        return (f"{wanted}.workers.dev" if wanted is not None else None), False
    if found is None and wanted is None:
        raise RefusedError(
            "your Cloudflare account has no workers.dev name yet, and takes no Worker without one. "
            "Open https://dash.cloudflare.com/?to=/:account/workers-and-pages once, which "
            "registers one, and run this again."
        )
    return f"{found or wanted}.workers.dev", found is None


def _has_domain(api: CloudflareApi, target: Target) -> bool:
    """Tell whether the target's domain leads to the Worker; refuse one that leads elsewhere."""
    if target.domain is None:
        return False
    found = api.domain(target.domain)
    if found is not None and found.service != target.name:
        raise RefusedError(
            f"{target.domain} leads to the Worker {found.service!r}; detach it there, or choose "
            "another domain"
        )
    return found is not None

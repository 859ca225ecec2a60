"""Publishing a market on Cloudflare Workers: nothing is seen before it was checked.

A version is uploaded first and answers at an address of its own. Only when it answers rightly
there, all traffic goes to it in one step, and the market is asked as a device would ask until the
new hash arrives. If it does not arrive, the version from before is deployed again. What an
interrupted run has uploaded is found again by the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from chartgen.errors import RefusedError, RemoteError
from chartgen.market.deploy.api import CloudflareApi
from chartgen.market.deploy.assets import Sent, send_assets
from chartgen.market.deploy.failures import NO_PERMISSION, ApiError, BusyError, LostAnswerError
from chartgen.market.deploy.http import Http
from chartgen.market.deploy.plan import MAX_FILES_FREE, digest_of, short_message
from chartgen.market.deploy.probes import probes_of, wait_for
from chartgen.market.deploy.publication import Deployed, Publication, Step
from chartgen.market.deploy.shapes import Deployment, Reach, Version
from chartgen.market.deploy.waiting import TRIES, backoff_seconds
from chartgen.terminal import one_line

# A deployment arrives everywhere within seconds; nobody promises a figure. Devices ask every five
# minutes, so two minutes cost them nothing.
ARRIVAL_SECONDS = 120.0
# A new name needs a DNS entry and a certificate first, which takes minutes.
NEW_NAME_SECONDS = 900.0
_VERSION_LABEL = 8
_BACK = "chartgen: back to the version before, the new one did not arrive"
_WAY_OUT = "Take over what was published there (git pull), or publish with --force to replace it."

T = TypeVar("T")


def publish(publication: Publication, api: CloudflareApi, http: Http) -> Deployed:
    """Publish a market. Doing it again finishes what an interrupted run has begun.

    Raises RefusedError where somebody else has published, and RemoteError where Cloudflare
    refuses, cannot be reached, or does not serve what was published.
    """
    return _Run(publication, api, http).publish()


class _Run:
    def __init__(self, publication: Publication, api: CloudflareApi, http: Http) -> None:
        self.publication = publication
        self.plan = publication.plan
        self.target = publication.target
        self.name = publication.target.name
        self.api = api
        self.http = http
        self.probes = probes_of(self.plan.site)

    def publish(self) -> Deployed:
        host = self._account_host()
        has_domain = self._has_domain()
        before = self._deployment()
        live = self._live_version(before)
        if live is not None:
            self._say("this version is deployed already")
            version_id, sent = live, Sent(0, 0)
        else:
            version_id, sent = self._upload(before)
        reach = self._check_first(version_id, host)
        former = None
        if live is None and before is not None:
            self._deploy(version_id, before)
            former = before.version_id
        try:
            url, fresh = self._open(reach, host, has_domain=has_domain)
            self._wait(url, fresh=fresh)
        except RemoteError as error:
            raise self._withdrawn(error, version_id, former) from None
        return Deployed(url, version_id, former, live is None, sent)

    # What is there -----------------------------------------------------------------------------

    def _account_host(self) -> str | None:
        """Return the domain below which the account's Workers are.

        None where the token may not read it, and the market's own domain does without it. A token
        for one Worker only is such a one (wrangler 4.164.0, triggers/subdomain.ts).
        """
        wanted = self.target.account_name
        try:
            found = self.api.account_name()
        except ApiError as error:
            if error.code != NO_PERMISSION or (wanted is None and self.target.domain is None):
                raise
            return f"{wanted}.workers.dev" if wanted is not None else None
        if found is None and wanted is not None:
            self._say(f"registering {wanted}.workers.dev")
            self.api.register_account_name(wanted)
            found = wanted
        if found is None:
            raise RefusedError(
                "your Cloudflare account has no workers.dev name yet, and takes no Worker without "
                "one. Open https://dash.cloudflare.com/?to=/:account/workers-and-pages once, "
                "which registers one, and run this again."
            )
        return f"{found}.workers.dev"

    def _has_domain(self) -> bool:
        """Tell whether the target's domain leads to the Worker; refuse one that leads elsewhere."""
        if self.target.domain is None:
            return False
        found = self.api.domain(self.target.domain)
        if found is not None and found.service != self.name:
            raise RefusedError(
                f"{self.target.domain} leads to the Worker {found.service!r}; detach it there, or "
                "choose another domain"
            )
        return found is not None

    def _deployment(self) -> Deployment | None:
        return next(iter(self.api.deployments(self.name)), None)

    def _live_version(self, deployment: Deployment | None) -> str | None:
        """Return the id of this very version if it is live; refuse where somebody else's is."""
        if deployment is None:
            return None
        version = self.api.version(self.name, deployment.version_id)
        is_known = self.publication.may_replace(version)
        is_whole = deployment.is_all(version.id)
        if not self.publication.force and not (is_known and is_whole):
            what = (
                "two versions share the traffic" if is_known else "it was not published from here"
            )
            raise RefusedError(f"{self._described(deployment, version)}: {what}. {_WAY_OUT}")
        is_this = digest_of(version.tag) == self.plan.digest
        return version.id if is_this and is_whole else None

    def _described(self, deployment: Deployment, version: Version) -> str:
        author = f" by {one_line(deployment.author_email)}" if deployment.author_email else ""
        message = f", {version.message!r}" if version.message else ""
        when = f" of {one_line(deployment.created_on)[:19]}" if deployment.created_on else ""
        return f"{self.name} serves version {version.id}{when}{author}{message}"

    # Uploading ---------------------------------------------------------------------------------

    def _upload(self, before: Deployment | None) -> tuple[str, Sent]:
        """Upload files and version; return the version's id and what was sent."""
        if len(self.plan.assets) > MAX_FILES_FREE:
            self._say(
                f"{len(self.plan.assets):,} files: Cloudflare's free plan takes {MAX_FILES_FREE:,}"
            )
        proof, sent = send_assets(self.api, self.name, self.plan, self._show_sending)
        form = self.plan.form(proof, self.publication.message, self.publication.tag)

        def upload() -> str:
            if before is not None:
                return self.api.add_version(self.name, form).id
            # Creating a Worker puts it in front of one that somebody else has created meanwhile.
            self._refuse_if_overtaken(None, self._deployment())
            self.api.create(self.name, form)
            created = self._deployment()
            if created is None:
                raise RemoteError(f"{self.name} was created and is not there. Run this again.")
            return created.version_id

        def uploaded() -> str | None:
            found = self.api.find_version(self.name, self.publication.tag)
            return found.id if found else None

        self._say("uploading the Worker")
        return self._once(upload, uploaded), sent

    def _show_sending(self, done: Sent, total: Sent) -> None:
        text = f"sent {done.files:,} of {total.files:,} files"
        self.publication.progress(Step(text, done.bytes, total.bytes, ongoing=True))

    # Checking and deploying --------------------------------------------------------------------

    def _check_first(self, version_id: str, host: str | None) -> Reach:
        """Ask the version at its own address; return where the Worker is reached then."""
        reach = self.api.reach(self.name)
        if not self.target.check_first:
            return reach
        if host is None:
            self._say("the token may not read where the version is: it is not checked before")
            return reach
        fresh = not reach.previews_enabled
        if fresh:
            reach = Reach(enabled=reach.enabled, previews_enabled=True)
            self.api.set_reach(self.name, reach)
        address = f"https://{version_id[:_VERSION_LABEL]}-{self.name}.{host}"
        fault = self._ask(address, NEW_NAME_SECONDS if fresh else ARRIVAL_SECONDS)
        if fault:
            raise RemoteError(
                f"the new version does not answer rightly and was not put in front of devices: "
                f"{fault}. Run this again; if your network blocks workers.dev, or your account "
                "protects the addresses of versions, publish without this check."
            )
        return reach

    def _deploy(self, version_id: str, before: Deployment) -> None:
        """Let all traffic go to a version, unless somebody deployed since we looked."""
        self._is_live_or_as_before(version_id, before)
        self._say("deploying")

        def deploy() -> bool:
            self.api.deploy(self.name, version_id, short_message(self.publication.message))
            return True

        self._once(deploy, lambda: self._is_live_or_as_before(version_id, before))

    def _is_live_or_as_before(self, version_id: str, before: Deployment) -> bool | None:
        """Return True where a version is live, None where nobody deployed; else refuse."""
        now = self._deployment()
        if now is not None and now.is_all(version_id):
            return True
        self._refuse_if_overtaken(before, now)
        return None

    def _refuse_if_overtaken(self, before: Deployment | None, now: Deployment | None) -> None:
        if now is None or (before and now.id == before.id) or self.publication.force:
            return
        version = self.api.version(self.name, now.version_id)
        raise RefusedError(
            f"somebody else deployed meanwhile: {self._described(now, version)}. {_WAY_OUT}"
        )

    def _open(self, reach: Reach, host: str | None, *, has_domain: bool) -> tuple[str, bool]:
        """Make the market reachable; return its address, and whether that is a new one."""
        if self.target.domain is None:
            url = f"https://{self.name}.{host}"
            if not reach.enabled:
                self._say(f"opening {url}")
                reach = Reach(enabled=True, previews_enabled=reach.previews_enabled)
                self.api.set_reach(self.name, reach)
                return url, True
            return url, False
        url = f"https://{self.target.domain}"
        if not has_domain:
            self._say(f"attaching {url}")
            self.api.attach_domain(self.name, self.target.domain, self.target.zone)
        return url, not has_domain

    def _wait(self, url: str, *, fresh: bool) -> None:
        seconds = NEW_NAME_SECONDS if fresh else ARRIVAL_SECONDS
        fault = self._ask(url, seconds)
        if fault:
            raise RemoteError(f"the new market has not arrived after {seconds:.0f} s: {fault}")

    def _ask(self, address: str, seconds: float) -> str:
        self._say(f"checking {address}")

        def tell(fault: str) -> None:
            self.publication.progress(Step(f"not yet: {fault}", ongoing=True))

        return wait_for(self.http, self.api.clock, address, self.probes, seconds, tell)

    # Going back --------------------------------------------------------------------------------

    def _withdrawn(self, error: RemoteError, version_id: str, former: str | None) -> RemoteError:
        """Deploy the version from before again; return what to tell."""
        what = str(error).rstrip(".")
        if former is None:
            return RemoteError(f"{what}. Version {version_id} stays deployed; run this again.")

        def deploy_former() -> bool:
            self.api.deploy(self.name, former, _BACK, force=True)
            return True

        self._say(f"going back to version {former}")
        try:
            now = self._deployment()
            if now is not None and not now.is_all(version_id):
                return RemoteError(
                    f"{what}. Somebody else deployed meanwhile: version {now.version_id} is live."
                )
            self._once(deploy_former, lambda: self._is_live(former))
        except RemoteError as second:
            return RemoteError(
                f"{what}. The version from before could not be deployed again ({second}) Run "
                f"this again, or deploy version {former} of {self.name} in the dashboard."
            )
        return RemoteError(
            f"{what}. The version from before ({former}) is deployed again: devices see what "
            "they saw. Run this again."
        )

    def _is_live(self, version_id: str) -> bool | None:
        now = self._deployment()
        return True if now is not None and now.is_all(version_id) else None

    # ------------------------------------------------------------------------------------------

    def _once(self, act: Callable[[], T], outcome: Callable[[], T | None]) -> T:
        """Do what must not be done twice: where nobody knows whether it was done, look first."""
        failure: RemoteError
        for attempt in range(TRIES):
            try:
                return act()
            except (LostAnswerError, BusyError) as error:
                failure = error
            self.api.clock.sleep(backoff_seconds(attempt))
            done = outcome()
            if done is not None:
                return done
        raise failure

    def _say(self, text: str) -> None:
        self.publication.progress(Step(text))

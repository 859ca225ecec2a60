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
from chartgen.market.deploy.address import address_of
from chartgen.market.deploy.api import CloudflareApi
from chartgen.market.deploy.assets import Sent, send_assets
from chartgen.market.deploy.failures import BusyError, LostAnswerError
from chartgen.market.deploy.http import Http
from chartgen.market.deploy.plan import MAX_FILES_FREE, digest_of, short_message
from chartgen.market.deploy.probes import probes_of, wait_for
from chartgen.market.deploy.publication import Deployed, Publication, Step
from chartgen.market.deploy.shapes import Deployment, Reach
from chartgen.market.deploy.standing import (
    WAY_OUT,
    Standing,
    described,
    find_standing,
    live_deployment,
    refuse_foreign,
)
from chartgen.market.deploy.waiting import TRIES, backoff_seconds

# A deployment arrives everywhere within seconds; nobody promises a figure. Devices ask every five
# minutes, so two minutes cost them nothing.
ARRIVAL_SECONDS = 120.0
# A new name needs a DNS entry and a certificate first, which takes minutes.
NEW_NAME_SECONDS = 900.0
_VERSION_LABEL = 8
_BACK = "chartgen: back to the version before, the new one did not arrive"

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
        standing = find_standing(self.api, self.target)
        refuse_foreign(standing, self.target, self.publication.claim)
        self._register(standing)
        host, before = standing.host, standing.deployment
        live = self._live_version(standing)
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
            url, fresh = self._open(reach, host, has_domain=standing.has_domain)
            self._wait(url, fresh=fresh)
        except RemoteError as error:
            raise self._withdrawn(error, version_id, former) from None
        return Deployed(url, version_id, former, live is None, sent)

    # What is there -----------------------------------------------------------------------------

    def _register(self, standing: Standing) -> None:
        """Give the account the workers.dev name that it is to get."""
        wanted = self.target.account_name
        if standing.unregistered and wanted is not None:
            self._say(f"registering {wanted}.workers.dev")
            self.api.register_account_name(wanted)

    def _deployment(self) -> Deployment | None:
        return live_deployment(self.api, self.name)

    def _live_version(self, standing: Standing) -> str | None:
        """Return the id of this very version if all traffic goes to it."""
        deployment, version = standing.deployment, standing.version
        if deployment is None or version is None or not deployment.is_all(version.id):
            return None
        return version.id if digest_of(version.tag) == self.plan.digest else None

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
        if now is None or (before and now.id == before.id) or self.publication.claim.force:
            return
        version = self.api.version(self.name, now.version_id)
        raise RefusedError(
            f"somebody else deployed meanwhile: {described(self.name, now, version)}. {WAY_OUT}"
        )

    def _open(self, reach: Reach, host: str | None, *, has_domain: bool) -> tuple[str, bool]:
        """Make the market reachable; return its address, and whether that is a new one."""
        url = address_of(self.target, host)
        # Without a domain of its own a market goes nowhere where the host is unknown.
        assert url is not None
        if self.target.domain is None:
            if not reach.enabled:
                self._say(f"opening {url}")
                reach = Reach(enabled=True, previews_enabled=reach.previews_enabled)
                self.api.set_reach(self.name, reach)
                return url, True
            return url, False
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

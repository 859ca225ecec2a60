"""Publishing the sample to the stub, with a clock that never really waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from chartgen.market.deploy.account import Account
from chartgen.market.deploy.api import CloudflareApi
from chartgen.market.deploy.cloudflare import publish
from chartgen.market.deploy.http import connect
from chartgen.market.deploy.plan import Plan, digest_of
from chartgen.market.deploy.publication import Claim, Deployed, Publication, Step, Target
from chartgen.market.deploy.secret import Secret
from chartgen.market.routes import answer, content
from chartgen.market.site import Site
from tests.cloudflare_stub import ACCOUNT, TOKEN, Call, Cloudflare, Reply, Version, serving
from tests.deploy_sample import NAME, sample_plan

ORIGIN = "0f" * 32


@dataclass
class ManualClock:
    """Time that passes only by being slept through."""

    seconds: float = 0.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self.slept.append(seconds)


@dataclass
class Publisher:
    """Somebody who publishes."""

    cloudflare: Cloudflare
    clock: ManualClock = field(default_factory=ManualClock)
    steps: list[Step] = field(default_factory=list)
    sites: dict[str, Site] = field(default_factory=dict)

    def publish(
        self, version: str = "1.0.0", target: Target | None = None, **options: Any
    ) -> Deployed:
        return self.publish_plan(sample_plan(version), target, **options)

    def publish_plan(
        self, plan: Plan, target: Target | None = None, message: str = "Sample", **options: Any
    ) -> Deployed:
        self.sites[plan.digest] = plan.site
        claim = Claim(**{"origin": ORIGIN, **options})
        publication = Publication(plan, target or Target(NAME), claim, message, self.steps.append)
        account = Account(ACCOUNT, Secret(TOKEN), self.cloudflare.api)
        with connect(account.stand_in) as http:
            return publish(publication, CloudflareApi(account, http, self.clock), http)

    def run(self, version: Version, call: Call) -> Reply:
        """Do what the code of a version would do: the reference says what that is."""
        site = self.sites[digest_of(version.metadata["annotations"]["workers/tag"])]
        query = "&".join(f"{name}={text}" for name, text in call.query.items())
        found = answer(site, call.method, call.path, query, call.body)
        return Reply(found.status, content(site, found), dict(found.headers))


@contextmanager
def publishing() -> Iterator[Publisher]:
    """Run a stub, and somebody who publishes to it."""
    with serving(Cloudflare()) as cloudflare:
        publisher = Publisher(cloudflare)
        cloudflare.script = publisher.run
        yield publisher

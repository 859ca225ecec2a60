"""One publishing to Cloudflare as a value: what goes where, and what came of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from chartgen.errors import RefusedError
from chartgen.market.deploy.assets import Sent
from chartgen.market.deploy.plan import Plan, check_origin, origin_of
from chartgen.market.deploy.shapes import Version

# A workers.dev label has 63 characters, and that of a version's own address begins with 8 digits
# and a dash.
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,52}[a-z0-9])?")
_HOST = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
# The origin in the tag of a market that has released nothing.
NO_RELEASE = "0"
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a market goes.

    `name` is the Worker's. `domain` is a host name of a zone of the account; without one the
    market is at `<name>.<account>.workers.dev`. `zone` is the zone's name, where Cloudflare cannot
    tell. `account_name` is the account's workers.dev name: it is registered where the account has
    none yet, and used where the token may not read it. Without `check_first` a version is not
    asked at its own address, which is always on workers.dev: some networks block that.
    """

    name: str
    domain: str | None = None
    zone: str | None = None
    account_name: str | None = None
    check_first: bool = True

    def __post_init__(self) -> None:
        """Raise RefusedError for names that are none."""
        if not _NAME.fullmatch(self.name):
            raise RefusedError(
                f"{self.name[:80]!r} is no name of a Worker: it begins with a letter, has "
                "lower-case letters, digits and dashes, and at most 54 of them"
            )
        for host in filter(None, (self.domain, self.zone)):
            if not _HOST.fullmatch(host):
                raise RefusedError(f"{host[:80]!r} is no host name such as market.example.com")
        if self.account_name is not None and not _LABEL.fullmatch(self.account_name):
            raise RefusedError(
                f"{self.account_name[:80]!r} is no workers.dev name: it has lower-case letters, "
                "digits and dashes"
            )


@dataclass(frozen=True, slots=True)
class Step:
    """What is being done, for people.

    `done` and `total` count bytes while files are sent. A step that is `ongoing` says more of the
    one before.
    """

    text: str
    done: int = 0
    total: int = 0
    ongoing: bool = False


Progress = Callable[[Step], None]


def _silent(_step: Step) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Which live market a publisher may replace.

    `origin` names the ledger that the new one is made from (its head, empty before the first
    release). What is live may be replaced if it is one of `known_versions`, or was made from one
    of `known_origins`, from `origin`, or from no release at all; anything else is somebody else's
    work, and is replaced only with `force`.

    Raises RefusedError for an origin that is none.
    """

    origin: str
    known_versions: Collection[str] = ()
    known_origins: Collection[str] = ()
    force: bool = False

    def __post_init__(self) -> None:
        """Check the origin before anything is sent."""
        check_origin(self.origin or NO_RELEASE)

    def covers(self, version: Version) -> bool:
        """Tell whether a version is no loss to anybody else."""
        origins = {self.origin, NO_RELEASE, *self.known_origins}
        return version.id in self.known_versions or origin_of(version.tag) in origins - {""}


@dataclass(frozen=True)
class Publication:
    """One run: a plan, where it goes, and what may be replaced by it."""

    plan: Plan
    target: Target
    claim: Claim
    message: str = ""
    progress: Progress = field(default=_silent, compare=False)

    @property
    def tag(self) -> str:
        """Return the tag of the version."""
        return self.plan.tag(self.claim.origin or NO_RELEASE)


@dataclass(frozen=True, slots=True)
class Deployed:
    """What is live now. `changed` is False where it was live before the run began."""

    url: str
    version_id: str
    former_version_id: str | None
    changed: bool
    sent: Sent

"""`chartgen verify`: a market as devices of all generations would find it.

Per base: one sync per generation, requests that only odd devices make, every chart by name and
version, the comparison with the ledger, and the upgrade of a device that holds the release before.
Memory is needed for the lists and for one chart at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from chartgen.findings import Finding, Place, has_errors
from chartgen.lint.chart import lint_chart
from chartgen.lint.rules import finding
from chartgen.market.device import generation_a, generation_b, generation_c
from chartgen.market.device.address import (
    Base,
    has_top_level_domain,
    is_loopback,
    legacy_base,
    read_address,
)
from chartgen.market.device.charts import (
    NOT_PUBLISHED,
    Fetched,
    Lint,
    Route,
    Wanted,
    check_charts,
    check_strangers,
)
from chartgen.market.device.client import Fetch
from chartgen.market.device.compare import Published, check_agreement, check_offers, published
from chartgen.market.device.faults import Faults
from chartgen.market.device.files import Digests, check_icons, check_sums
from chartgen.market.device.held import GENERATIONS, OLARES, Generation, Held, Sync
from chartgen.market.device.probes import (
    check_bad_bodies,
    check_hash_again,
    check_hash_everywhere,
    check_unknown_ids,
)
from chartgen.market.device.source import SYNC_SECONDS, Line, Source
from chartgen.market.device.upgrade import Upgrade, check_upgrades
from chartgen.market.device.v1_calls import HASH_PATH, Pause
from chartgen.package.write import package_name
from chartgen.release.ledger import Ledger

_SYNCS = {"A": generation_a.sync, "B": generation_b.sync, "C": generation_c.sync}
# What generation A grants each chart (market-protocol-v1 §2.8), and what people grant all.
_SECONDS_PER_CHART = 3.0
_MOST_SECONDS = 4 * 3600.0
# What a ledger does not know, and what is said of it where `chartgen serve` is the likely cause.
_UNPUBLISHED = frozenset({"market-ahead", "market-app-unknown"})
_PREVIEW = (
    "`chartgen serve` shows what is not published yet. Serve it with --released, publish first, or "
    "verify with --no-ledger."
)


@dataclass(frozen=True)
class BaseReport:
    """One base: what each generation synced, the digests of its charts, the upgrades."""

    path: str
    platform: str
    syncs: tuple[Sync, ...]
    charts: Mapping[tuple[str, str], str]
    upgrades: tuple[Upgrade, ...]


@dataclass(frozen=True)
class VerifyReport:
    """The outcome of a verification: findings, and what was read on the way.

    Where nobody was there to ask, `reached` is False, and a finding says why.
    """

    url: str
    compared: bool
    bases: tuple[BaseReport, ...]
    findings: tuple[Finding, ...]
    requests: int
    received_bytes: int
    reached: bool = True

    @property
    def sound(self) -> bool:
        """Tell that no device would be harmed: there may be warnings."""
        return not has_errors(self.findings)


def no_pause(_seconds: float) -> None:
    """Wait for nothing."""


def verify(
    url: str,
    *,
    fetch: Fetch,
    ledger: Ledger | None = None,
    generations: Collection[Generation] = GENERATIONS,
    seed: int = 0,
    lint: Lint | None = lint_chart,
    pause: Pause = no_pause,
) -> VerifyReport:
    """Read a market as devices do, and report all that is wrong with it.

    With a `ledger` every version and byte is compared with what was published; without one, with
    what the market says of itself. `seed` gives the order of requests that is random on a device.
    `lint` checks each chart by itself (None: not at all); it renders the chart, so for a market
    that is not trusted leave it out. `pause` waits between the attempts of a failed request.

    Raises RefusedError for an address that no device takes.
    """
    return _Verification(fetch, ledger, sorted(generations), seed, lint, pause).run(url)


class _Verification:
    def __init__(
        self,
        fetch: Fetch,
        ledger: Ledger | None,
        generations: list[Generation],
        seed: int,
        lint: Lint | None,
        pause: Pause,
    ) -> None:
        self._fetch, self._ledger, self._generations = fetch, ledger, generations
        self._seed, self._lint, self._pause = seed, lint, pause
        self._faults = Faults()
        self._line = Line()
        self._sources: list[Source] = []

    def run(self, url: str) -> VerifyReport:
        address = read_address(url)
        if not has_top_level_domain(address):
            message = f"{address.url}: devices add only hosts whose name has a dot in it"
            self._faults.add("market-address", address.path or "/", message)
        reports = [self._base(address)]
        beside = legacy_base(address)
        if address.platform == "modern" and self._goes_on and self._has_legacy(beside):
            reports.append(self._base(beside))
        if self._goes_on:
            self._files(address, reports)
        reached = self._line.reached
        return VerifyReport(
            url=address.url,
            compared=self._ledger is not None,
            bases=tuple(reports),
            findings=self._findings(address) if reached else (self._unreachable(address),),
            requests=sum(source.requests for source in self._sources),
            received_bytes=sum(source.received for source in self._sources),
            reached=reached,
        )

    def _findings(self, address: Base) -> tuple[Finding, ...]:
        """Return what was found; of a market of this machine with the likely cause."""
        found = self._faults.findings()
        if not is_loopback(urlsplit(address.url).hostname):
            return found
        return tuple(
            replace(item, remedy=_PREVIEW) if _is_unpublished(item) else item for item in found
        )

    def _unreachable(self, address: Base) -> Finding:
        """Say once that nobody is there; each request by itself would only say it again."""
        message = f"{address.url} cannot be reached: {self._line.obstacle}"
        remedy = ""
        if is_loopback(urlsplit(address.url).hostname):
            remedy = "Run `chartgen serve`, and verify the address that it prints."
        return finding("market-unreachable", Place(address.path or "/"), message, remedy)

    @property
    def _goes_on(self) -> bool:
        """Tell whether the market answers at all, and in time."""
        return not any(source.given_up for source in self._sources)

    def _source(self, base: Base, budget: float = SYNC_SECONDS) -> Source:
        """Begin a conversation of its own."""
        source = Source(self._fetch, base, self._faults, self._line, budget)
        self._sources.append(source)
        return source

    def _has_legacy(self, base: Base) -> bool:
        if self._ledger is not None:
            return bool(published(self._ledger, "legacy").histories)
        source = self._source(base)
        with source.apart():
            reply = source.get(HASH_PATH)
        return reply is not None and reply.status == 200

    def _base(self, base: Base) -> BaseReport:
        syncs: list[Sync] = []
        for generation in self._generations:
            source = self._source(base)
            syncs.append(_SYNCS[generation](source, self._seed, self._pause))
        if not self._goes_on or not any(sync.complete for sync in syncs):
            return BaseReport(base.path, base.platform, tuple(syncs), {}, ())
        known = None if self._ledger is None else published(self._ledger, base.platform)
        check_agreement(self._faults, tuple(syncs))
        upgrades: list[Upgrade] = []
        for sync in syncs:
            if sync.complete:
                upgrades += check_upgrades(self._faults, sync, known)
                if known is not None:
                    check_offers(self._faults, sync, known)
        self._probe(base, syncs)
        wanted = _wanted(syncs, known)
        fetched = self._charts(base, wanted)
        self._probe_again(base, syncs)
        return BaseReport(base.path, base.platform, tuple(syncs), fetched.digests, tuple(upgrades))

    def _probe(self, base: Base, syncs: list[Sync]) -> None:
        source = self._source(base)
        for sync in syncs:
            if sync.generation != "C" and sync.hash:
                check_hash_everywhere(source, sync.hash)
                break
        check_unknown_ids(source, syncs[0].olares)
        check_bad_bodies(source)

    def _probe_again(self, base: Base, syncs: list[Sync]) -> None:
        for sync in syncs:
            if sync.generation != "C" and sync.hash:
                check_hash_again(self._source(base), sync.hash, OLARES[sync.generation])
                return

    def _charts(self, base: Base, wanted: tuple[Wanted, ...]) -> Fetched:
        routes: list[Route] = []
        if {"A", "B"} & set(self._generations):
            routes.append("v1")
        if "C" in self._generations:
            routes.append("v2")
        source = self._source(base, _budget(len(wanted) * len(routes)))
        current = [chart for chart in wanted if chart.current]
        if current:
            first = min(current, key=lambda chart: (chart.name, chart.version))
            check_strangers(source, first, routes)
        return check_charts(source, wanted, routes, self._lint)

    def _files(self, address: Base, reports: list[BaseReport]) -> None:
        apps = {
            (held.name, held.icon): held
            for report in reports
            for sync in report.syncs
            for held in sync.apps.values()
        }
        known: Digests = {}
        for report in reports:
            prefix = report.path.removeprefix(address.root_path)
            for (name, version), digest in report.charts.items():
                path = f"{prefix}/charts/{package_name(name, version)}"
                known[path.removeprefix("/")] = digest
        source = self._source(address, _budget(len(apps)))
        ordered = [apps[key] for key in sorted(apps)]
        known |= check_icons(source, ordered, self._ledger)
        check_sums(source, known, needed=self._ledger is not None)


def _is_unpublished(item: Finding) -> bool:
    return item.rule in _UNPUBLISHED or item.message.endswith(NOT_PUBLISHED)


def _budget(files: int) -> float:
    """Return the seconds that a number of downloads may take."""
    return min(SYNC_SECONDS + _SECONDS_PER_CHART * files, _MOST_SECONDS)


def _wanted(syncs: list[Sync], known: Published | None) -> tuple[Wanted, ...]:
    """Return the charts on offer to any generation, and those that were on offer once."""
    found: dict[tuple[str, str], Wanted] = {}
    for held in _offered(syncs):
        digest = None if known is None else known.digest(held.name, held.version)
        chart = Wanted(held.name, held.version, current=True, sha256=digest)
        found[held.name, held.version] = chart
        for version in held.history if known is None else ():
            once = Wanted(held.name, version, current=False)
            found.setdefault((held.name, version), once)
    if known is not None:
        for name, history in known.histories.items():
            for release in history:
                package = release.package(known.platform)
                digest = package.sha256 if package else None
                once = Wanted(name, release.version, current=False, sha256=digest)
                found.setdefault((name, release.version), once)
    return tuple(found.values())


def _offered(syncs: list[Sync]) -> Iterator[Held]:
    for sync in syncs:
        yield from sync.apps.values()

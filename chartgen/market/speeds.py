"""Which measurement stands for a release, and what it says of its speed and abilities.

What may stand for a release at all, `chartgen.evidence.standing` says. A release that runs what an
earlier one ran (its charts differ in texts only) keeps that one's number: a text that states a
speed could otherwise never be released together with it. A series of two speeds has no single
number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from chartgen.evidence.figures import grouped_rate_text
from chartgen.evidence.record import Measurement
from chartgen.evidence.standing import (
    Kept,
    Subject,
    is_comparable,
    is_on,
    mismatch,
    outcomes,
    ran,
    stands_for,
)
from chartgen.evidence.statistics import headline as single_number
from chartgen.evidence.statistics import summarise
from chartgen.hardware import hardware_profiles
from chartgen.lint.manifest_reading import read_manifests
from chartgen.market.catalog import Catalog, CatalogApp, Offer, ReadFile, best_offer
from chartgen.market.demands import resources
from chartgen.market.evidence import ModelFiles
from chartgen.market.pieces import Recall, made_anew
from chartgen.measure.smoke_claims import Claim, Claims, claims_of
from chartgen.package.read import read_package
from chartgen.release.ledger import RELEASES
from chartgen.release.record import Release
from chartgen.release.versions import number
from chartgen.spec.app import spec_of

Ability = Literal["tested", "stated", "possible", "failed", "no"]
"""Whether an app can do something: its own smoke test says so, its settings do, neither does.

What only the model is made for is possible: an app for text may well be served without it.
"""

# Names of checks of a smoke test (chartgen/measure).
VISION, TOOLS = "vision", "tools"
_TESTED: Mapping[str, Ability] = {"passed": "tested", "failed": "failed"}


@dataclass(frozen=True, slots=True)
class Speed:
    """A speed in tokens/s: the mean of a series, or the means of its fast and its slow runs.

    A publication may tell that there are two and not how fast they are: then none is known.
    """

    mean: float | None = None
    fast: float | None = None
    slow: float | None = None

    @property
    def two(self) -> bool:
        """Tell whether the series has two speeds, and so no mean that says anything."""
        return self.mean is None

    @property
    def rank(self) -> float:
        """Return what apps are compared by: of two speeds the slow one, which anybody gets."""
        return self.slow or 0.0 if self.mean is None else self.mean

    @property
    def most(self) -> float:
        """Return the highest of the numbers."""
        return max(self.mean or 0.0, self.fast or 0.0)

    @property
    def text(self) -> str:
        """Return the numbers without a unit: `250.5`, `222 / 72` of two; empty where unknown."""
        if self.mean is not None:
            return grouped_rate_text(self.mean)
        if self.fast is None or self.slow is None:
            return ""
        return f"{self.fast:,.0f} / {self.slow:,.0f}"

    @property
    def words(self) -> str:
        """Return the speed with its unit: `250.5 tokens/s`, `two speeds: 222 / 72 tokens/s`."""
        if not self.text:
            return "two speeds"
        return f"{'two speeds: ' if self.two else ''}{self.text} tokens/s"


@dataclass(frozen=True, slots=True)
class Measured:
    """What is measured of the release that an app offers.

    `version` is the release whose speed was measured, empty where none was. `source` as of a
    Measurement.
    """

    version: str = ""
    speed: Speed | None = None
    hardware: str = ""
    source: str = ""
    date: str = ""
    vision: Ability = "no"
    tools: Ability = "no"


@dataclass(frozen=True, slots=True)
class VersionSpeed:
    """The speed of one version; `released` tells whether it is one of this market's ledger."""

    version: str
    speed: Speed
    measurement: Measurement
    released: bool


def machine_title(hardware: str) -> str:
    """Return the title of a machine by the name of its profile."""
    profile = hardware_profiles().get(hardware)
    return profile.title if profile else hardware


def speed_of(measurement: Measurement) -> Speed | None:
    """Return the speed of a bench; None where no run of it counts."""
    if measurement.kind != "bench":
        return None
    summary = summarise(measurement.runs)
    if summary is not None and summary.speeds is not None:
        return Speed(fast=summary.speeds.fast_mean, slow=summary.speeds.slow_mean)
    mean = single_number(measurement)
    if mean is not None:
        return Speed(mean=mean)
    published = measurement.published
    return Speed() if summary is None and published is not None else None


def measured(
    catalog: Catalog, app: CatalogApp, read: ReadFile, recall: Recall = made_anew
) -> Measured:
    """Return what is known of an app's best offer.

    Files are read only where `recall` does not know the app. Raises what reading a package raises.
    """
    given = f"{app.evidence.digest} {catalog.models.digest}"
    plain = recall(app.name, "measured", lambda: asdict(_measured(catalog, app, read)), given)
    speed = plain["speed"]
    return Measured(**plain | {"speed": None if speed is None else Speed(**speed)})


def _measured(catalog: Catalog, app: CatalogApp, read: ReadFile) -> Measured:
    offer = best_offer(app)
    machine = machine_of(app, catalog.settings.hardware)
    bench: Measurement | None = None
    tried: dict[str, str] = {}
    for release in _same_runs(app, offer, read):
        bench = bench or headline(app, release, machine)
        smokes = outcomes(_smokes(app, release, machine))
        # What a test of the release itself found comes before what an earlier one's did.
        tried = {name: outcome for name, (outcome, _) in smokes.items()} | tried
    vision, tools = _abilities(offer.release.settings, catalog.models, tried)
    speed = speed_of(bench) if bench is not None else None
    if bench is None or speed is None:
        return Measured(vision=vision, tools=tools)
    return Measured(
        version=measured_as(app, bench),
        speed=speed,
        hardware=bench.hardware,
        source=bench.source,
        date=bench.date,
        vision=vision,
        tools=tools,
    )


def _abilities(
    settings: Mapping[str, Any], models: ModelFiles, tried: Mapping[str, str]
) -> tuple[Ability, Ability]:
    """Return whether a release sees and calls tools: as tested, else as its settings say."""
    claims = _claims(settings, models)
    if claims is None:
        stated: tuple[Ability, Ability] = "no", "no"
    else:
        stated = _stated(claims.vision), _stated(claims.tools)
    vision, tools = (
        _TESTED.get(tried.get(name, ""), ability)
        for name, ability in zip((VISION, TOOLS), stated, strict=True)
    )
    return vision, tools


def _stated(claim: Claim) -> Ability:
    if not claim.holds:
        return "no"
    return "possible" if claim.by_model else "stated"


def _claims(settings: Mapping[str, Any], models: ModelFiles) -> Claims | None:
    spec = spec_of(settings)
    return None if spec is None else claims_of(spec, models.shelf)


def machine_of(app: CatalogApp, hardware: str) -> str:
    """Return the machine that an app's best offer is made for, by the name of its profile.

    `hardware` is the market's; another one that the release states wins.
    """
    stated = best_offer(app).release.settings.get("hardware")
    return stated if isinstance(stated, str) else hardware


def standing(app: CatalogApp, release: Release, machine: str) -> tuple[Measurement, ...]:
    """Return the benches that may stand for a release of an app, the newest last.

    `machine` as of `machine_of`, also for earlier releases: what was measured elsewhere compares
    with nothing.
    """
    subject = _subject(release, machine)
    return tuple(m for m in app.evidence.measurements if stands_for(m, subject))


def headline(app: CatalogApp, release: Release, machine: str) -> Measurement | None:
    """Return the measurement that gives a release of an app its number, or None: the newest."""
    return next(reversed(standing(app, release, machine)), None)


def measured_as(app: CatalogApp, measurement: Measurement, latest: Release | None = None) -> str:
    """Return the version that was measured: the one it is kept under, where that ran the same.

    A bench before a bump is kept under the version before it, and is of the first one that ran
    what was measured. Releases after `latest` do not count. Where a release tells its workload,
    that decides.
    """
    runs = [release for release in app.history if _ran(measurement, release)]
    sure = [release for release in runs if release.workload] or runs
    versions = [r.version for r in sure if latest is None or r.number <= latest.number]
    own = measurement.version
    return own if own in versions else next(iter(versions), own)


def version_speeds(app: CatalogApp, hardware: str) -> tuple[VersionSpeed, ...]:
    """Return the speeds of an app's versions, oldest first; `hardware` as of `machine_of`.

    What a publication tells of versions before the first one of this ledger is part of the story,
    and marked; what is measured of versions that are still to come is not.
    """
    machine = machine_of(app, hardware)
    found = app.evidence.measurements
    imported = {m.version for m in found if m.version and m.imported}
    before = sorted(n for n in map(number, imported) if n < app.history[0].number)
    speeds = []
    for version in (".".join(map(str, parts)) for parts in before):
        of = [m for m in found if m.version == version and is_comparable(m) and is_on(m, machine)]
        if of:
            speeds.append(_version_speed(version, of[-1], released=False))
    for release in app.history:
        bench = headline(app, release, machine)
        if bench is not None and measured_as(app, bench, release) == release.version:
            speeds.append(_version_speed(release.version, bench, released=True))
    return tuple(speeds)


def _version_speed(version: str, bench: Measurement, *, released: bool) -> VersionSpeed:
    speed = speed_of(bench)
    assert speed is not None
    return VersionSpeed(version, speed, bench, released)


def newest_smoke(app: CatalogApp, release: Release, machine: str) -> Measurement | None:
    """Return the newest smoke test of a release of an app, or None; `machine` as of `standing`."""
    newest = next(reversed(_smokes(app, release, machine)), None)
    return None if newest is None else newest.measurement


def _smokes(app: CatalogApp, release: Release, machine: str) -> tuple[Kept, ...]:
    subject = _subject(release, machine)
    return tuple(
        kept
        for kept in app.evidence.kept
        if kept.measurement.kind == "smoke" and mismatch(kept.measurement, subject) is None
    )


def is_of_history(app: CatalogApp, measurement: Measurement) -> bool:
    """Tell whether a measurement is of what some release of an app runs."""
    return any(_ran(measurement, release) for release in app.history)


def _subject(release: Release, machine: str) -> Subject:
    return Subject(release.version, release.settings, release.workload, machine)


def _ran(measurement: Measurement, release: Release) -> bool:
    return ran(measurement, release.version, release.workload)


def _same_runs(app: CatalogApp, offer: Offer, read: ReadFile) -> Iterator[Release]:
    """Yield the release of an offer, and then the earlier measured ones that ran the same."""
    yield offer.release
    known = {m.version for m in app.evidence.measurements}
    earlier = [r for r in app.releases(offer.platform) if r.number < offer.release.number]
    now = None
    for release in reversed(earlier):
        if release.version in known:
            now = now or _what_runs(offer.release, offer.platform, read)
            if _what_runs(release, offer.platform, read) == now:
                yield release


def _what_runs(release: Release, platform: str, read: ReadFile) -> Any:
    """Return all of a package that decides what runs, and nothing that only people read."""
    record = release.package(platform)
    assert record is not None
    chart = read_package(read(record.file), f"{RELEASES}/{record.file}")
    manifests, _ = read_manifests(chart)
    objects = {p: data for p, data in chart.files.items() if p.startswith("templates/")}
    return objects, [resources(manifest.data) for manifest in manifests[:1]]

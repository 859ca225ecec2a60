"""The targets, and how near a run of the benchmark came to them. CPU time decides, since a busy
machine stretches wall time at will.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.builds import Builds
from bench.site import SiteBuild
from bench.startup import Startup

if TYPE_CHECKING:
    from bench.engine_checks import EngineChecks
    from bench.publish import Publishes

MANY, MOST = 100, 1000
# Sizes of sites: those of the largest markets known, and what the design asks for.
SITE_FEW, SITE_MANY, SITE_MOST = 32, 1000, 10_000
TIMES_CHEAPER_THAN_HELM = 5
TIMES_CHEAPER_AGAIN = 10
# One changed app of a thousand, in publishes of a market that has no other.
PUBLISH_ONE, PUBLISH_MANY = 1, 1000
TIMES_DEARER_PUBLISH = 2
# A cost per app that does not depend on their number is 1; the rest is noise.
GROWTH = 1.2
HELP_AGAINST_CLICK = 2.5
PEAK_MIB = 300
# Milliseconds; the tables show the same in parses of a spec, which depends less on the machine.
APP_CHECKS = 5
TABLE_LOAD = 15


@dataclass(frozen=True, slots=True)
class Target:
    """A measured value and its limit, the least or (`at_least` off) the most that is wanted."""

    what: str
    value: float
    limit: float
    at_least: bool

    @property
    def met(self) -> bool:
        """Tell whether the target was met."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def ratio(one: float, other: float) -> float:
    """Return how many times `other` goes into `one`; without end where that costs nothing."""
    return one / other if other else float("inf")


def cheaper_than_helm(builds: Builds) -> float | None:
    """Return how many times the CPU time of a build Helm takes, None where it was not asked."""
    if builds.helm is None:
        return None
    return ratio(builds.helm.cpu_seconds, builds.first.cpu_seconds)


def cheaper_again(builds: Builds) -> float:
    """Return how many times the CPU time of an unchanged build the first one takes."""
    return ratio(builds.first.cpu_seconds, builds.again.cpu_seconds)


def growth(few: Builds, many: Builds) -> float:
    """Return the CPU time for each app among many, in units of that among few."""
    return ratio(many.first.cpu_seconds / many.apps, few.first.cpu_seconds / few.apps)


def targets(
    builds: Sequence[Builds],
    startup: Startup,
    sites: Sequence[SiteBuild] = (),
    publishes: Sequence[Publishes] = (),
    engines: EngineChecks | None = None,
) -> tuple[Target, ...]:
    """Return the targets for which something was measured."""
    return (
        *_build_targets(builds),
        *_site_targets(sites),
        *_publish_targets(publishes),
        *_engine_targets(engines),
        _startup_target(startup),
    )


def _startup_target(startup: Startup) -> Target:
    times = ratio(startup.help.cpu_seconds, startup.click.cpu_seconds)
    return Target("--help, in imports of click", times, HELP_AGAINST_CLICK, at_least=False)


def _site_targets(sites: Sequence[SiteBuild]) -> Iterator[Target]:
    """Compare the largest site with one a tenth of it; memory counts beyond that of a small one."""
    by_size = {item.apps: item for item in sites}
    few, many, most = (by_size.get(size) for size in (SITE_FEW, SITE_MANY, SITE_MOST))
    if many is None or most is None:
        return
    what = f"CPU for an app's part of a site of {SITE_MOST:,}, in that of {SITE_MANY:,}"
    value = ratio(most.cost.cpu_seconds / most.apps, many.cost.cpu_seconds / many.apps)
    yield Target(what, value, GROWTH, at_least=False)
    if few is not None:
        what = f"memory for an app's part of a site of {SITE_MOST:,}, in that of {SITE_MANY:,}"
        value = ratio(mib_per_app(few, most), mib_per_app(few, many))
        yield Target(what, value, GROWTH, at_least=False)


def _publish_targets(publishes: Sequence[Publishes]) -> Iterator[Target]:
    by_size = {item.apps: item.one_changed.cpu_seconds for item in publishes}
    if PUBLISH_ONE in by_size and PUBLISH_MANY in by_size:
        what = f"publish of one changed app of {PUBLISH_MANY:,}, in that of the only one"
        value = ratio(by_size[PUBLISH_MANY], by_size[PUBLISH_ONE])
        yield Target(what, value, TIMES_DEARER_PUBLISH, at_least=False)


def _engine_targets(engines: EngineChecks | None) -> Iterator[Target]:
    if engines is None:
        return
    app = max(item.checks for item in engines.apps)
    yield Target("checks of an app's engine, in ms", app, APP_CHECKS, at_least=False)
    table = max(item.load for item in engines.tables)
    yield Target("argument table of one release, in ms", table, TABLE_LOAD, at_least=False)


def mib_per_app(few: SiteBuild, more: SiteBuild) -> float:
    """Return what each further app adds to the peak memory, in MiB."""
    return (more.cost.peak_mib - few.cost.peak_mib) / (more.apps - few.apps)


def _build_targets(builds: Sequence[Builds]) -> Iterator[Target]:
    by_size = {item.apps: item for item in builds}
    many, most = by_size.get(MANY), by_size.get(MOST)
    if many is not None:
        times = cheaper_than_helm(many)
        if times is not None:
            what = f"Helm's lint and package, in builds of {MANY} apps"
            yield Target(what, times, TIMES_CHEAPER_THAN_HELM, at_least=True)
        what = f"first build, in unchanged builds of {MANY} apps"
        yield Target(what, cheaper_again(many), TIMES_CHEAPER_AGAIN, at_least=True)
    if many is not None and most is not None:
        what = f"cost of an app among {MOST}, in costs among {MANY}"
        yield Target(what, growth(many, most), GROWTH, at_least=False)
    if most is not None:
        what = f"peak memory of a build of {MOST} apps, in MiB"
        yield Target(what, most.first.peak_mib, PEAK_MIB, at_least=False)

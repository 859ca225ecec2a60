"""The targets, and how near a run of the benchmark came to them. CPU time decides, since a busy
machine stretches wall time at will.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.builds import Builds
from bench.startup import Startup

MANY, MOST = 100, 1000
TIMES_CHEAPER_THAN_HELM = 5
TIMES_CHEAPER_AGAIN = 10
# A cost per app that does not depend on their number is 1; the rest is noise.
GROWTH = 1.2
HELP_AGAINST_CLICK = 2.5
PEAK_MIB = 300


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


def targets(builds: Sequence[Builds], startup: Startup) -> tuple[Target, ...]:
    """Return the targets for which something was measured."""
    by_size = {item.apps: item for item in builds}
    found = []
    many, most = by_size.get(MANY), by_size.get(MOST)
    if many is not None:
        times = cheaper_than_helm(many)
        if times is not None:
            what = f"Helm's lint and package, in builds of {MANY} apps"
            found.append(Target(what, times, TIMES_CHEAPER_THAN_HELM, at_least=True))
        what = f"first build, in unchanged builds of {MANY} apps"
        found.append(Target(what, cheaper_again(many), TIMES_CHEAPER_AGAIN, at_least=True))
    if many is not None and most is not None:
        what = f"cost of an app among {MOST}, in costs among {MANY}"
        found.append(Target(what, growth(many, most), GROWTH, at_least=False))
    if most is not None:
        what = f"peak memory of a build of {MOST} apps, in MiB"
        found.append(Target(what, most.first.peak_mib, PEAK_MIB, at_least=False))
    times = ratio(startup.help.cpu_seconds, startup.click.cpu_seconds)
    found.append(Target("--help, in imports of click", times, HELP_AGAINST_CLICK, at_least=False))
    return tuple(found)

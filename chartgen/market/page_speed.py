"""What an app's page shows of its measurements: plain values, numbers written for people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from chartgen.evidence.figures import gain_text, rate_text, share_text
from chartgen.evidence.record import Check, Measurement
from chartgen.evidence.statistics import Summary, summarise
from chartgen.market.catalog import CatalogApp, best_offer
from chartgen.market.page_markdown import Html, is_web_address
from chartgen.market.page_plot import MOST_BARS, runs_plot, speed_bar
from chartgen.market.speeds import (
    Measured,
    Speed,
    VersionSpeed,
    machine_title,
    newest_smoke,
    ran,
    speed_of,
    version_speeds,
)
from chartgen.render.texts import context_text

_UNTOLD = (
    "Two speeds, says the publication, and gives no number for each: what it gives is of the quick "
    "runs only, or of no run at all."
)


@dataclass(frozen=True, slots=True)
class Bench:
    """One measurement of speed.

    `of` says what was measured, `number` is the headline without a unit and `two` tells that it
    has two speeds, `verdict` says so in a sentence. `cold` tells that the plot has a cold run.
    `facts` pairs what with how much. `source` is the publication as text with its `link`, empty
    where chartgen measured.
    """

    of: str
    number: str
    two: bool
    verdict: str
    plot: Html | None
    cold: bool
    facts: tuple[tuple[str, str], ...]
    source: str
    link: str
    note: str


@dataclass(frozen=True, slots=True)
class VersionBar:
    """The speed of one version beside those of others; `released` as of VersionSpeed."""

    version: str
    number: str
    two: bool
    bar: Html
    gain: str
    released: bool


@dataclass(frozen=True, slots=True)
class SpeedSection:
    """All that is measured of an app.

    `shown` is of the release that is offered, its number first; `measured_as` names the release
    that was measured in its place. `others` are of other versions, settings and trials.
    """

    shown: tuple[Bench, ...]
    measured_as: str
    versions: tuple[VersionBar, ...]
    others: tuple[Bench, ...]
    checks: tuple[Check, ...]
    checked: str

    def __bool__(self) -> bool:
        return bool(self.shown or self.versions or self.others or self.checks)


def speed_section(app: CatalogApp, known: Measured, hardware: str) -> SpeedSection:
    """Return what is shown of an app; `hardware` is the market's profile."""
    release = best_offer(app).release
    speeds = version_speeds(app, hardware)
    versions = {speed.version: speed for speed in speeds}
    of = known.version or release.version
    first = versions.get(of)
    found = [m for m in app.evidence.measurements if speed_of(m) is not None and _shows(app, m)]
    shown = ([first.measurement] if first is not None else []) + [
        m
        for m in found
        if any(r.version == of and ran(m, r) for r in app.history)
        and (first is None or m is not first.measurement)
    ]
    others = [m for m in reversed(found) if all(m is not other for other in shown)]
    smoke = newest_smoke(app, release)
    return SpeedSection(
        # A bench before a bump was kept under the version before it.
        shown=tuple(bench(replace(m, version=of)) for m in shown),
        measured_as=of if of != release.version else "",
        versions=tuple(_bars(speeds)) if len(speeds) > 1 else (),
        others=tuple(map(bench, others)),
        checks=smoke.checks if smoke is not None else (),
        checked=_machine(smoke) if smoke is not None else "",
    )


def bench(measurement: Measurement) -> Bench:
    """Return one measurement in words."""
    speed, summary = speed_of(measurement), summarise(measurement.runs)
    assert speed is not None
    source = measurement.source
    is_link = is_web_address(source)
    return Bench(
        of=_of(measurement),
        number=speed.text,
        two=speed.two,
        verdict=_verdict(speed, summary),
        plot=runs_plot(measurement.runs, _plot_title(summary)) if measurement.runs else None,
        cold=any(run.cold for run in measurement.runs),
        facts=tuple(_facts(measurement, summary)),
        source=(urlsplit(source).hostname or source) if is_link else source,
        link=source if is_link else "",
        note=measurement.note,
    )


def _of(measurement: Measurement) -> str:
    """Say what was measured; one release may have been measured with several contexts."""
    of = measurement.trial or measurement.version or "Version not told"
    context = measurement.context
    return of if context is None else f"{of}, context {context_text(context)}"


def gains(speeds: tuple[VersionSpeed, ...]) -> dict[str, str]:
    """Return what each version changed of the speed of the one measured before it, in words."""
    found: dict[str, str] = {}
    before: Speed | None = None
    for item in speeds:
        now = item.speed
        if before is not None and before.mean is not None and now.mean is not None:
            found[item.version] = gain_text(before.mean, now.mean)
        before = now
    return found


def _shows(app: CatalogApp, measurement: Measurement) -> bool:
    """Tell whether the market has anything to do with a measurement: not with versions to come."""
    if not measurement.version or measurement.imported:
        return True
    return any(ran(measurement, release) for release in app.history)


def _bars(speeds: tuple[VersionSpeed, ...]) -> Iterator[VersionBar]:
    most = max(item.speed.most for item in speeds)
    changes = gains(speeds)
    for item in reversed(speeds):
        yield VersionBar(
            version=item.version,
            number=item.speed.text,
            two=item.speed.two,
            bar=speed_bar(item.speed, most),
            gain=changes.get(item.version, "").rpartition(", ")[2],
            released=item.released,
        )


def _verdict(speed: Speed, summary: Summary | None) -> str:
    if summary is None or summary.speeds is None:
        return _UNTOLD if speed.two else ""
    speeds = summary.speeds
    fast, slow = len(speeds.fast), len(speeds.slow)
    return (
        f"Two speeds, so no single number stands for it: {fast} of {summary.count} runs "
        f"({share_text(speeds.fast_share)}) had {rate_text(speeds.fast_mean)} tokens/s, "
        f"{slow} ({share_text(1 - speeds.fast_share)}) had {rate_text(speeds.slow_mean)}."
    )


def _plot_title(summary: Summary | None) -> str:
    if summary is None:
        return "One cold run"
    title = f"Bars of {summary.count} runs from {rate_text(summary.least)} "
    return f"{title}to {rate_text(summary.most)} tokens per second"


def _facts(measurement: Measurement, summary: Summary | None) -> Iterator[tuple[str, str]]:
    if summary is not None:
        yield from _series(summary)
        if len(measurement.runs) > MOST_BARS:
            yield "Drawn", f"the first {MOST_BARS} runs"
    elif measurement.published is not None:
        told = measurement.published
        name = "Number given" if told.two_speeds else "Mean"
        yield name, f"{rate_text(told.mean)} tokens/s"
        if told.runs is not None:
            yield "Runs", str(told.runs)
        if told.least is not None and told.most is not None:
            yield "Range", f"{rate_text(told.least)} to {rate_text(told.most)} tokens/s"
        elif told.range is not None:
            yield "Range", f"{told.range:.4g} tokens/s between the fastest and the slowest"
    if measurement.acceptance is not None:
        yield "Drafts accepted", share_text(measurement.acceptance)
    if measurement.users > 1:
        yield "Users at a time", str(measurement.users)
    if measurement.hardware:
        yield "Hardware", machine_title(measurement.hardware)
    if measurement.engine:
        yield "Engine says", measurement.engine
    if measurement.date:
        yield "Date", measurement.date


def _series(summary: Summary) -> Iterator[tuple[str, str]]:
    if summary.speeds is None:
        yield "Mean", f"{rate_text(summary.mean)} tokens/s"
    cold = "" if summary.cold is None else ", after a cold one of "
    cold += "" if summary.cold is None else rate_text(summary.cold.tokens_per_second)
    yield "Runs", f"{summary.count}{cold}"
    yield "Range", f"{rate_text(summary.least)} to {rate_text(summary.most)} tokens/s"
    if summary.speeds is None and summary.count > 1:
        yield "Deviation", f"{summary.deviation:.2f} tokens/s"


def _machine(measurement: Measurement) -> str:
    """Return where and when something was checked."""
    parts = (machine_title(measurement.hardware), measurement.date)
    return ", ".join(part for part in parts if part)

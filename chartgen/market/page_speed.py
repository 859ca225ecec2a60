"""What an app's page shows of its measurements: plain values, numbers written for people."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from chartgen.evidence.figures import gain_text, grouped_rate_text, share_text
from chartgen.evidence.record import Check, Measurement
from chartgen.evidence.statistics import Summary, summarise
from chartgen.market.catalog import CatalogApp, best_offer
from chartgen.market.page_dates import day_text
from chartgen.market.page_markdown import Html, is_web_address
from chartgen.market.page_plot import MOST_BARS, runs_plot, speed_bar
from chartgen.market.speeds import (
    Measured,
    Speed,
    VersionSpeed,
    is_of_history,
    machine_of,
    machine_title,
    measured_as,
    newest_smoke,
    speed_of,
    standing,
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

    `shown` is what may stand for the release that is offered, the newest, which gives its number,
    first; `measured_as` names the release that was measured in its place. `others` are of other
    versions, settings, questions and machines, and of trials.
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
    release, machine = best_offer(app).release, machine_of(app, hardware)
    of = known.version or release.version
    speeds = version_speeds(app, hardware)
    shown = _standing(app, of, machine)
    found = [m for m in app.evidence.measurements if speed_of(m) is not None and _shows(app, m)]
    others = [m for m in reversed(found) if all(m is not other for other in shown)]
    smoke = newest_smoke(app, release, machine)
    return SpeedSection(
        shown=tuple(_bench_of(app, m) for m in shown),
        measured_as=of if of != release.version else "",
        versions=tuple(_bars(speeds)) if len(speeds) > 1 else (),
        others=tuple(_bench_of(app, m) for m in others),
        checks=smoke.checks if smoke is not None else (),
        checked=_machine(smoke) if smoke is not None else "",
    )


def _standing(app: CatalogApp, version: str, machine: str) -> tuple[Measurement, ...]:
    """Return the benches that may stand for a release, the newest first: it gives the number."""
    release = next(release for release in app.history if release.version == version)
    return standing(app, release, machine)[::-1]


def _bench_of(app: CatalogApp, measurement: Measurement) -> Bench:
    return bench(replace(measurement, version=measured_as(app, measurement)))


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
    # A trial may tell its context itself.
    if context is None or re.search(rf"\bcontext\b.*\b{context_text(context)}\b", of):
        return of
    return f"{of}, context {context_text(context)}"


def gains(speeds: tuple[VersionSpeed, ...]) -> dict[str, str]:
    """Return what each version changed of the speed of the one measured before it, in words."""
    found: dict[str, str] = {}
    before: Speed | None = None
    for item in speeds:
        now = item.speed
        if before is not None and before.mean is not None and now.mean is not None:
            found[item.version] = gain_text(before.mean, now.mean, grouped_rate_text)
        before = now
    return found


def _shows(app: CatalogApp, measurement: Measurement) -> bool:
    """Tell whether the market has anything to do with a measurement: not with versions to come."""
    if not measurement.version or measurement.imported:
        return True
    return is_of_history(app, measurement)


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
        f"({share_text(speeds.fast_share)}) had {grouped_rate_text(speeds.fast_mean)} tokens/s, "
        f"{slow} ({share_text(1 - speeds.fast_share)}) had {grouped_rate_text(speeds.slow_mean)}."
    )


def _plot_title(summary: Summary | None) -> str:
    if summary is None:
        return "One cold run"
    title = f"Bars of {summary.count} runs from {grouped_rate_text(summary.least)} "
    return f"{title}to {grouped_rate_text(summary.most)} tokens per second"


def _facts(measurement: Measurement, summary: Summary | None) -> Iterator[tuple[str, str]]:
    if summary is not None:
        yield from _series(summary)
        if len(measurement.runs) > MOST_BARS:
            yield "Drawn", f"the first {MOST_BARS} runs"
    elif measurement.published is not None:
        told = measurement.published
        name = "Number given" if told.two_speeds else "Mean"
        yield name, f"{grouped_rate_text(told.mean)} tokens/s"
        if told.runs is not None:
            yield "Runs", str(told.runs)
        if told.least is not None and told.most is not None:
            yield (
                "Range",
                f"{grouped_rate_text(told.least)} to {grouped_rate_text(told.most)} tokens/s",
            )
        elif told.range is not None:
            yield "Range", f"{_plain(told.range)} tokens/s between the fastest and the slowest"
    if measurement.acceptance is not None:
        yield "Drafts accepted", share_text(measurement.acceptance)
    if measurement.users > 1:
        yield "Users at a time", str(measurement.users)
    yield from _question(measurement)
    if measurement.hardware:
        yield "Hardware", machine_title(measurement.hardware)
    if measurement.engine:
        yield "Engine says", measurement.engine
    if measurement.date:
        yield "Date", day_text(measurement.date)


def _question(measurement: Measurement) -> Iterator[tuple[str, str]]:
    """Yield what was asked beyond the standard question."""
    tokens = measurement.settings.get("prompt_tokens")
    if isinstance(tokens, int) and tokens > 0:
        yield "Prompt", f"filled up to about {tokens:,} tokens"
    if measurement.settings.get("image") is True:
        yield "Picture", "one with each prompt"


def _series(summary: Summary) -> Iterator[tuple[str, str]]:
    if summary.speeds is None:
        yield "Mean", f"{grouped_rate_text(summary.mean)} tokens/s"
    cold = "" if summary.cold is None else ", after a cold one of "
    cold += "" if summary.cold is None else grouped_rate_text(summary.cold.tokens_per_second)
    yield "Runs", f"{summary.count}{cold}"
    yield (
        "Range",
        f"{grouped_rate_text(summary.least)} to {grouped_rate_text(summary.most)} tokens/s",
    )
    if summary.speeds is None and summary.count > 1:
        yield "Deviation", f"{summary.deviation:,.2f} tokens/s"


def _machine(measurement: Measurement) -> str:
    """Return where and when something was checked."""
    parts = (machine_title(measurement.hardware), day_text(measurement.date))
    return ", ".join(part for part in parts if part)


def _plain(number: float) -> str:
    return f"{number:,.2f}".rstrip("0").rstrip(".")

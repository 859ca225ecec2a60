"""Checking: specs, chart folders and packages, to one report of findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from chartgen.chart import Chart
from chartgen.errors import ChartgenError
from chartgen.findings import Finding, Place, Severity, in_order
from chartgen.hardware import hardware_profiles
from chartgen.lint.chart import lint_chart
from chartgen.lint.rules import finding, rule_book
from chartgen.lint.spec import apply_waivers, market_checks, spec_checks
from chartgen.market.layout import SPEC_FOLDER
from chartgen.market.settings import MarketSettings, load_market, own_machine
from chartgen.olares.platform import PLATFORMS
from chartgen.package.read import read_chart
from chartgen.release.ledger import Ledger, read_ledger
from chartgen.release.record import Release
from chartgen.render.chart import render_chart
from chartgen.spec.load import LoadedSpec, load_spec

# What `spec_checks` says at the very line of a spec need not be said of its charts again.
_SAID_OF_SPECS = frozenset({"accelerator-mode-former", "image-floating-tag"})


@dataclass(frozen=True)
class CheckedApp:
    """One spec with its charts by platform; `findings` is what stands after the waivers.

    `machine` is the hardware profile that it was checked for, empty for any.
    """

    loaded: LoadedSpec
    charts: Mapping[str, Chart]
    findings: tuple[Finding, ...]
    waived: tuple[Finding, ...] = ()
    machine: str = ""

    @property
    def name(self) -> str:
        """Return the app's name."""
        return str(self.loaded.spec.name)

    @property
    def version(self) -> str:
        """Return the version that the spec states."""
        return str(self.loaded.spec.version)

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        """Return what stands and what was waived."""
        return (*self.findings, *self.waived)

    @property
    def sound(self) -> bool:
        """Tell whether the app may be built."""
        return not any(item.severity is Severity.ERROR for item in self.findings)


@dataclass(frozen=True)
class CheckReport:
    """What a check found; `unreadable` tells that a file could not even be parsed."""

    findings: tuple[Finding, ...]
    apps: tuple[CheckedApp, ...]
    unreadable: bool
    checked: int


def check_paths(
    folder: Path, paths: Sequence[Path], platforms: tuple[str, ...] | None = None
) -> CheckReport:
    """Check specs, chart folders and packages.

    Relative paths count from `folder`, the market's. `platforms` narrows the platforms that specs
    are rendered for. Raises UnreadableError where a path does not exist.
    """
    market, findings = load_market(folder)
    ledger = ledger_or_none(folder)
    all_findings = list(findings)
    apps: list[CheckedApp] = []
    for path in paths:
        target = folder / path
        if target.is_dir() or target.suffix == ".tgz":
            chart = replace(read_chart(target), origin=path.as_posix())
            all_findings += lint_chart(chart)
            continue
        loaded, faults = load_spec(target, shown_as=path.as_posix())
        if loaded is None or market is None:
            all_findings += faults
            continue
        app = check_app(loaded, market, platforms, faults, ledger.latest(loaded.spec.name))
        apps.append(app)
        all_findings += app.findings
    all_findings += market_checks([app.loaded for app in apps])
    return CheckReport(
        findings=in_order(all_findings),
        apps=tuple(apps),
        unreadable=any(is_unreadable(item) for item in all_findings),
        checked=len(paths),
    )


def ledger_or_none(folder: Path) -> Ledger:
    """Return a market's ledger, an empty one where it is damaged: those that need it tell of it."""
    try:
        return read_ledger(folder)
    except ChartgenError:
        return Ledger()


def is_unreadable(item: Finding) -> bool:
    """Tell whether a finding means that nothing of its file could be read."""
    rule = rule_book().get(item.rule)
    return rule is not None and rule.about == "file"


def check_app(
    loaded: LoadedSpec,
    market: MarketSettings,
    platforms: tuple[str, ...] | None = None,
    faults: tuple[Finding, ...] = (),
    latest: Release | None = None,
) -> CheckedApp:
    """Check a spec, render it for its platforms, and lint the charts.

    `faults` are the findings of reading the spec, taken into the result. `latest` is the app's last
    release, None where it has none.
    """
    spec = loaded.spec
    hardware = hardware_profiles().get(own_machine(spec, market))
    findings = [*faults, *spec_checks(loaded, market, hardware, latest)]
    charts: dict[str, Chart] = {}
    wanted = [name for name in spec.platforms if platforms is None or name in platforms]
    # A spec with errors is not rendered: what follows from them would be noise.
    if hardware is not None and not _blocking(loaded, findings):
        for name in wanted:
            chart, problems = render_chart(loaded, PLATFORMS[name], hardware, market)
            findings += problems
            if chart is not None:
                charts[name] = chart
                findings += _in_spec(loaded, name, lint_chart(chart))
    stand, waived = apply_waivers(loaded, findings)
    machine = hardware.name if hardware is not None else ""
    return CheckedApp(loaded, charts, in_order(stand), waived, machine)


def _blocking(loaded: LoadedSpec, findings: Sequence[Finding]) -> bool:
    stand, _ = apply_waivers(loaded, findings)
    return any(
        item.severity is Severity.ERROR and not item.rule.startswith("waiver-") for item in stand
    )


def _in_spec(loaded: LoadedSpec, platform: str, findings: Sequence[Finding]) -> list[Finding]:
    """Move findings on a rendered chart to the spec, the only file that a person can mend."""
    place = loaded.place("name")
    moved = []
    for item in findings:
        if item.rule in _SAID_OF_SPECS:
            continue
        inner = item.place.file.partition("!")[2]
        at = Place(inner, item.place.line, item.place.column)
        message = f"{platform} chart, {at}: {item.message}" if inner else item.message
        path = item.place.path
        moved.append(replace(item, place=replace(place, path=path), message=message))
    return moved


def no_specs(folder: Path) -> Finding:
    """Return the finding that a market holds no spec at all."""
    place = Place((folder / SPEC_FOLDER).as_posix())
    return finding("market-empty", place, "there is no spec here")

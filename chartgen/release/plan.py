"""What a publish would do: each app's state against the ledger, bumps, and the new releases."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from chartgen.chart import Chart
from chartgen.check import CheckedApp, check_app
from chartgen.document import read_document
from chartgen.evidence.beside import current_speed, released_speed
from chartgen.evidence.figures import gain_text
from chartgen.evidence.files import evidence_folder
from chartgen.evidence.standing import Subject
from chartgen.evidence.workload import workload_digest
from chartgen.findings import Finding, Place
from chartgen.lint.rules import finding
from chartgen.market.settings import MarketSettings
from chartgen.package.read import read_package
from chartgen.package.write import pack, package_name
from chartgen.release.diff import (
    Difference,
    demand_changes,
    file_changes,
    proposed_notes,
    same_but_version,
    setting_changes,
    text_difference,
)
from chartgen.release.ledger import ICONS, Ledger
from chartgen.release.record import PackageRecord, Release
from chartgen.release.text_numbers import NumberChange, number_changes
from chartgen.release.versions import Bump, bumped, number
from chartgen.spec.app import spec_of
from chartgen.spec.edit import add_change_note, set_version
from chartgen.spec.load import LoadedSpec, icon_file, parse_spec

State = Literal["new", "ready", "unchanged", "changed", "behind", "retired", "unsound"]
PLATFORM_FOLDERS = {"modern": "packages", "legacy": "packages/legacy"}


@dataclass(frozen=True)
class AppState:
    """One app against the ledger.

    `new`: never released. `ready`: its version is above the last released one. `unchanged` and
    `changed`: its version is the last released one, with the same or other content. `behind`: its
    version is below. `retired`: its name is reserved. `unsound`: the spec has errors.
    """

    app: CheckedApp
    state: State
    latest: Release | None
    difference: Difference | None = None

    @property
    def name(self) -> str:
        """Return the app's name."""
        return self.app.name


@dataclass(frozen=True)
class Edit:
    """A spec file with the text it gets, and its versions before and after."""

    path: Path
    text: str
    before: str
    after: str


@dataclass(frozen=True)
class PublishPlan:
    """All that a publish writes: edits of specs, releases, and files by path below the releases."""

    states: tuple[AppState, ...]
    edits: tuple[Edit, ...] = ()
    releases: tuple[Release, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def app_state(app: CheckedApp, ledger: Ledger, read_file: Callable[[str], bytes]) -> AppState:
    """Compare a checked app with its last release.

    `read_file` gives a file below `market/releases` by its path.
    """
    latest = ledger.latest(app.loaded.spec.name)
    if latest is not None and latest.kind == "retired":
        return AppState(app, "retired", latest)
    if not app.sound or not app.charts:
        return AppState(app, "unsound", latest)
    if latest is None:
        return AppState(app, "new", None)
    version = app.loaded.spec.version
    if number(version) < latest.number:
        return AppState(app, "behind", latest)
    same = version == latest.version
    if same and _digests(app.charts) == content_digests(latest):
        return AppState(app, "unchanged", latest)
    difference = app_difference(app, latest, read_file)
    return AppState(app, "changed" if same else "ready", latest, difference)


def _digests(charts: Mapping[str, Chart]) -> dict[str, str]:
    return {platform: chart.content_digest() for platform, chart in charts.items()}


def content_digests(release: Release) -> dict[str, str]:
    """Return the content digest of each of a release's packages, by platform."""
    return {package.platform: package.content_digest for package in release.packages}


def app_difference(
    app: CheckedApp, latest: Release, read_file: Callable[[str], bytes]
) -> Difference:
    """Return what differs between an app's last release and its spec of today."""
    settings = setting_changes(latest.settings, app.loaded.document.value)
    released = {
        package.platform: read_package(read_file(package.file), package.file)
        for package in latest.packages
        if package.platform in app.charts
    }
    if not released:
        return Difference(settings, (), (), speed=_speeds(app, latest))
    platform = next(name for name in app.charts if name in released)
    before, after = released[platform], app.charts[platform]
    icon = icon_file(app.loaded.spec)
    same_icon = icon is None or _icon_name(app.loaded, icon) == latest.icon
    return Difference(
        settings,
        demand_changes(_manifest(before), _manifest(after)),
        file_changes(before, after),
        text_difference(before, after),
        icon=None if same_icon else icon,
        named=_named(app.loaded),
        version_only=not settings
        and released.keys() == app.charts.keys()
        and all(same_but_version(released[name], app.charts[name]) for name in released),
        speed=_speeds(app, latest),
        numbers=_numbers(app.loaded, latest, before, after),
    )


def _named(loaded: LoadedSpec) -> tuple[str, ...]:
    """Return the files that a chart may be made of, other than its spec and its icon."""
    evidence = f"{evidence_folder(loaded.spec.name)}/"
    names = sorted(loaded.files.keys() - {icon_file(loaded.spec)})
    return tuple(name for name in names if not name.startswith(evidence))


def _numbers(
    loaded: LoadedSpec, latest: Release, before: Chart, after: Chart
) -> tuple[NumberChange, ...]:
    """Return the measured numbers that the texts of a release show otherwise than those of today.

    A full text that stands in a file of its own is read as it is today.
    """
    spec = spec_of(latest.settings)
    if spec is None:
        return ()
    try:
        return number_changes(replace(loaded, spec=spec), before, loaded, after)
    except KeyError:
        # A file that the release named and that is gone.
        return ()


def _speeds(app: CheckedApp, latest: Release) -> tuple[float, float] | None:
    """Return the speeds of a release and of the spec as it is, where both were measured.

    Both are of the machine that the app is for today.
    """
    loaded, machine = app.loaded, app.machine
    now = current_speed(loaded, machine)
    if now is None:
        return None
    spec = spec_of(latest.settings)
    if spec is None:
        return None
    try:
        workload = latest.workload or workload_digest(replace(loaded, spec=spec))
    except KeyError:
        # A file that the release named and that is gone.
        return None
    release = Subject(latest.version, latest.settings, workload, machine)
    before = released_speed(loaded, release)
    if before is None or before.kept == now.kept:
        return None
    return before.tokens_per_second, now.tokens_per_second


def _icon_name(loaded: LoadedSpec, icon: str) -> str:
    """Return the name that an icon has in a release: one of its own for each picture."""
    return f"{loaded.spec.name}-{hashlib.sha256(loaded.files[icon]).hexdigest()[:8]}.png"


def _manifest(chart: Chart) -> Mapping[str, object]:
    document, _ = read_document(chart.files["OlaresManifest.yaml"], "OlaresManifest.yaml")
    value = document.value if document is not None else None
    return value if isinstance(value, dict) else {}


def state_findings(
    states: Iterable[AppState], ledger: Ledger, *, whole: bool, unchanged: Iterable[str] = ()
) -> tuple[Finding, ...]:
    """Return what stops a publish: versions that do not rise, reserved names, lost specs.

    `unchanged` names further apps that are what was released last.
    """
    states = tuple(states)
    findings = []
    for state in states:
        loaded = state.app.loaded
        if state.state == "behind" and state.latest is not None:
            message = (
                f"version {loaded.spec.version} is below {state.latest.version}, which is released"
            )
            remedy = (
                f"Mend the spec where a rollback was needed, and run `chartgen bump {state.name} "
                "patch`, which goes above what is released."
            )
            findings.append(finding("version-behind", loaded.place("version"), message, remedy))
        elif state.state == "retired" and state.latest is not None:
            message = f"{state.name} was retired on {state.latest.date[:10]}"
            findings.append(finding("app-retired", loaded.place("name"), message))
    present = {*unchanged, *(state.name for state in states)}
    for name, history in ledger.by_name().items():
        if whole and history[-1].kind == "release" and name not in present:
            message = f"{name} {history[-1].version} is released, and no spec is named so"
            findings.append(finding("spec-deleted", Place("apps"), message))
    return tuple(findings)


def changed_findings(states: Iterable[AppState]) -> tuple[Finding, ...]:
    """Return a finding for each app whose content changed under a released version."""
    findings = []
    for state in states:
        if state.state == "changed" and state.difference is not None:
            loaded = state.app.loaded
            what = state.difference.cause
            if state.difference.version_only:
                what = "its change notes changed"
            message = f"{state.name} {loaded.spec.version} is released with other content: {what}"
            remedy = f"Run `chartgen bump {state.name} patch`, or `chartgen publish --bump patch`."
            findings.append(finding("bump-needed", loaded.place("version"), message, remedy))
    return tuple(findings)


def bump_edit(
    state: AppState, bump: Bump | str, notes: Sequence[str] = (), *, propose: bool = True
) -> Edit:
    """Return a spec's text with a higher version, and change notes where it has none for it.

    Raises RefusedError where the version would not rise, or the text cannot be edited.
    """
    loaded = state.app.loaded
    released = state.latest.version if state.latest is not None else None
    version = bumped(loaded.spec.version, bump, released=released)
    text = loaded.path.read_bytes().decode("utf-8")
    edited = set_version(text, version)
    if notes or (propose and version not in loaded.spec.changes):
        wanted = tuple(notes)
        if not wanted and state.difference is not None:
            wanted = proposed_notes(_without_slight_gain(state.difference))
        if wanted:
            edited = add_change_note(edited, version, wanted)
    return Edit(loaded.path, edited, loaded.spec.version, version)


def _without_slight_gain(difference: Difference) -> Difference:
    """Return a difference without speeds too close for a gain, where nothing was set otherwise.

    What changed is a number in the texts then, and the note tells that.
    """
    if difference.settings or difference.speed is None or gain_text(*difference.speed):
        return difference
    return replace(difference, speed=None)


def rechecked(state: AppState, edit: Edit, market: MarketSettings) -> CheckedApp:
    """Return an app as it is with an edit of its spec."""
    loaded = state.app.loaded
    document, _ = read_document(edit.text.encode(), loaded.file)
    assert document is not None
    spec, findings = parse_spec(document)
    assert spec is not None, findings
    edited = replace(loaded, spec=spec, document=document)
    return check_app(edited, market, latest=state.latest)


def release_of(app: CheckedApp, date: str) -> tuple[Release, dict[str, bytes]]:
    """Return the release of an app as it stands, with its files by path below the releases."""
    spec = app.loaded.spec
    files: dict[str, bytes] = {}
    packages = []
    for platform, chart in sorted(app.charts.items(), key=lambda item: item[0] != "modern"):
        data = pack(chart)
        path = f"{PLATFORM_FOLDERS[platform]}/{package_name(spec.name, spec.version)}"
        files[path] = data
        packages.append(
            PackageRecord(
                platform, path, hashlib.sha256(data).hexdigest(), chart.content_digest(), len(data)
            )
        )
    icon = icon_file(spec)
    named = ""
    if icon is not None:
        named = _icon_name(app.loaded, icon)
        files[f"{ICONS}/{named}"] = app.loaded.files[icon]
    notes = tuple(spec.changes.get(spec.version, ()))
    settings = app.loaded.document.value
    release = Release(
        0,
        "",
        "release",
        spec.name,
        spec.version,
        date,
        notes,
        tuple(packages),
        named,
        settings,
        workload=workload_digest(app.loaded),
    )
    return release, files


def plan_publish(
    apps: Sequence[CheckedApp],
    ledger: Ledger,
    market: MarketSettings,
    read_file: Callable[[str], bytes],
    *,
    bump: Bump | None,
    date: str,
    whole: bool = True,
    unchanged: Iterable[str] = (),
) -> PublishPlan:
    """Return what publishing the apps of a market does; nothing is written here.

    `unchanged` names the apps that are what was released last. `whole` tells that they and `apps`
    are all specs there are, so that a missing one was deleted.

    With `bump` apps whose content changed under a released version get a higher one; without it
    each of them is a finding.
    """
    states = tuple(app_state(app, ledger, read_file) for app in apps)
    findings = [*state_findings(states, ledger, whole=whole, unchanged=unchanged)]
    if bump is None:
        findings += changed_findings(states)
    edits: list[Edit] = []
    releases: list[Release] = []
    files: dict[str, bytes] = {}
    for state in states:
        app = state.app
        if state.state == "changed" and bump is not None:
            edit = bump_edit(state, bump)
            edits.append(edit)
            app = rechecked(state, edit, market)
            findings += app.findings if not app.sound else ()
        elif state.state not in {"new", "ready"}:
            continue
        release, made = release_of(app, date)
        releases.append(release)
        files |= made
    return PublishPlan(states, tuple(edits), tuple(releases), files, tuple(findings))

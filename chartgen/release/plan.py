"""What a publish would do: each app's state against the ledger, bumps, and the new releases."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from chartgen.chart import Chart
from chartgen.check import CheckedApp, check_app
from chartgen.document import read_document
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
    setting_changes,
    text_difference,
)
from chartgen.release.ledger import ICONS, Ledger
from chartgen.release.record import PackageRecord, Release
from chartgen.release.versions import Bump, bumped, number
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
        return str(self.app.loaded.spec.name)


@dataclass(frozen=True)
class Edit:
    """A spec file with the text it gets."""

    path: Path
    text: str


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
    if same and _digests(app.charts) == {p.platform: p.content_digest for p in latest.packages}:
        return AppState(app, "unchanged", latest)
    difference = app_difference(app, latest, read_file)
    return AppState(app, "changed" if same else "ready", latest, difference)


def _digests(charts: Mapping[str, Chart]) -> dict[str, str]:
    return {platform: chart.content_digest() for platform, chart in charts.items()}


def app_difference(
    app: CheckedApp, latest: Release, read_file: Callable[[str], bytes]
) -> Difference:
    """Return what differs between an app's last release and its spec of today."""
    settings = setting_changes(latest.settings, app.loaded.document.value)
    for platform, chart in app.charts.items():
        package = latest.package(platform)
        if package is None:
            continue
        released = read_package(read_file(package.file), package.file)
        demands = demand_changes(_manifest(released), _manifest(chart))
        files, texts = file_changes(released, chart), text_difference(released, chart)
        return Difference(settings, demands, files, texts)
    return Difference(settings, (), ())


def _manifest(chart: Chart) -> Mapping[str, object]:
    document, _ = read_document(chart.files["OlaresManifest.yaml"], "OlaresManifest.yaml")
    value = document.value if document is not None else None
    return value if isinstance(value, dict) else {}


def state_findings(
    states: Iterable[AppState], ledger: Ledger, *, whole: bool
) -> tuple[Finding, ...]:
    """Return what stops a publish: versions that do not rise, reserved names, lost specs."""
    states = tuple(states)
    findings = []
    for state in states:
        loaded = state.app.loaded
        if state.state == "behind" and state.latest is not None:
            message = (
                f"version {loaded.spec.version} is below {state.latest.version}, which is released"
            )
            findings.append(finding("version-behind", loaded.place("version"), message))
        elif state.state == "retired" and state.latest is not None:
            message = f"{state.name} was retired on {state.latest.date[:10]}"
            findings.append(finding("app-retired", loaded.place("name"), message))
    present = {state.name for state in states}
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
            what = "; ".join(str(change) for change in state.difference.settings[:3])
            what = what or "market.yaml, a template or a default of chartgen changed"
            message = f"{state.name} {loaded.spec.version} is released with other content ({what})"
            findings.append(finding("bump-needed", loaded.place("version"), message))
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
            wanted = proposed_notes(state.difference)
        if wanted:
            edited = add_change_note(edited, version, wanted)
    return Edit(loaded.path, edited)


def rechecked(state: AppState, edit: Edit, market: MarketSettings) -> CheckedApp:
    """Return an app as it is with an edit of its spec."""
    loaded = state.app.loaded
    document, _ = read_document(edit.text.encode(), loaded.file)
    assert document is not None
    spec, findings = parse_spec(document)
    assert spec is not None, findings
    return check_app(LoadedSpec(spec, document, loaded.files, loaded.path), market)


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
        picture = app.loaded.files[icon]
        named = f"{spec.name}-{hashlib.sha256(picture).hexdigest()[:8]}.png"
        files[f"{ICONS}/{named}"] = picture
    notes = tuple(spec.changes.get(spec.version, ()))
    settings = app.loaded.document.value
    release = Release(
        0, "", "release", spec.name, spec.version, date, notes, tuple(packages), named, settings
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
) -> PublishPlan:
    """Return what publishing the apps of a market does; nothing is written here.

    `whole` tells that `apps` are all specs there are, so that a missing one was deleted.

    With `bump` apps whose content changed under a released version get a higher one; without it
    each of them is a finding.
    """
    states = tuple(app_state(app, ledger, read_file) for app in apps)
    findings = [*state_findings(states, ledger, whole=whole)]
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

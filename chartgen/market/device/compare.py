"""What a device holds against what was published: the ledger is the judge.

The faults have the names of The Update Framework's attacks where they are the same (TUF
specification §1.5.2): rollback, fast-forward, indefinite freeze, mix-and-match, wrong software.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chartgen.market.device.entries import number
from chartgen.market.device.faults import Faults, listed, shown
from chartgen.market.device.held import Sync
from chartgen.market.device.v1_calls import INFO_PATH
from chartgen.olares.names import APP_VERSION, MAX_APP_VERSION, app_id
from chartgen.release.ledger import Ledger
from chartgen.release.record import Release

_LIST_V2 = "/api/v2/applications"


@dataclass(frozen=True)
class Published:
    """What the ledger says of one platform.

    `histories` holds the releases of each app that has any for the platform, oldest first;
    `retired` the lines that retired some of them. `lines` counts the lines of the whole ledger.
    """

    platform: str
    histories: Mapping[str, tuple[Release, ...]]
    retired: Mapping[str, Release]
    lines: int

    def digest(self, name: str, version: str) -> str:
        """Return the SHA-256 of a chart, empty where it was never published."""
        for release in self.histories.get(name, ()):
            if release.version == version:
                package = release.package(self.platform)
                return package.sha256 if package else ""
        return ""


def published(ledger: Ledger, platform: str) -> Published:
    """Return what a ledger says of one platform: an app's newest release with a package counts."""
    histories = {}
    retired = {}
    for name, lines in ledger.by_name().items():
        releases = tuple(line for line in lines if line.package(platform) is not None)
        if releases:
            histories[name] = releases
            if lines[-1].kind == "retired":
                retired[name] = lines[-1]
    return Published(platform, histories, retired, len(ledger.releases))


@dataclass(frozen=True, slots=True)
class _Behind:
    """An app that is not what it was published as last: what a device has of it, and what not."""

    name: str
    held: Release | None
    missing: Release


def check_offers(faults: Faults, sync: Sync, known: Published) -> None:
    """Compare the apps that a device was offered with the ledger."""
    place = f"{sync.base}{_LIST_V2 if sync.generation == 'C' else INFO_PATH}"
    strangers = False
    behind: list[_Behind] = []
    serials = []
    for name, held in sync.apps.items():
        if name not in known.histories:
            strangers = True
            message = f"{shown(name)} {shown(held.version)} was never published"
            faults.add("market-app-unknown", place, message, name)
    for name, history in known.histories.items():
        at = _position(faults, place, sync, known, name)
        if at is None:
            strangers = True
            continue
        retirement = known.retired.get(name)
        lines = [*history, *([retirement] if retirement else [])]
        serials.append(lines[at].serial if at >= 0 else 0)
        if at + 1 < len(lines):
            behind.append(_Behind(name, lines[at] if at >= 0 else None, lines[at + 1]))
    state = max(serials, default=0)
    if behind and state and not strangers and all(app.missing.serial > state for app in behind):
        message = f"the market is as it was at line {state} of the ledger's {known.lines}; "
        message += f"behind are {listed(app.name for app in behind)}"
        faults.add("market-frozen", place, message)
        return
    for app in behind:
        _note_behind(faults, place, app)


def _position(faults: Faults, place: str, sync: Sync, known: Published, name: str) -> int | None:
    """Return which line of an app's history a device is at: -1 for none, None for no line.

    A retired app counts as being at its last line once it is withdrawn.
    """
    history = known.histories[name]
    versions = [release.version for release in history]
    held = sync.apps.get(name)
    if held is not None:
        if held.version in versions:
            return versions.index(held.version)
        ahead = _is_above(held.version, versions[-1])
        what = "is above" if ahead else "was never published; the newest is"
        message = f"{name} {shown(held.version)} {what} {versions[-1]}"
        faults.add("market-ahead" if ahead else "market-app-unknown", place, message, name)
        return None
    retirement = known.retired.get(name)
    tombstone = sync.withdrawn.get(name)
    if retirement is None:
        return -1
    if tombstone is None and not sync.removed & {name, app_id(name)}:
        message = f"{name} was retired, and devices are not told"
        faults.add("market-tombstone-missing", place, message, name)
    elif tombstone is not None and tombstone.version != retirement.version:
        message = f"the tombstone of {name} has the version {shown(tombstone.version)}, "
        message += f"retired was {retirement.version}"
        faults.add("market-tombstone-moved", place, message, name)
    return len(history)


def _note_behind(faults: Faults, place: str, app: _Behind) -> None:
    if app.held is None:
        message = f"{app.name} {app.missing.version} was published and is not on offer"
        faults.add("market-app-missing", place, message, app.name)
    elif app.missing.kind == "retired":
        message = f"{app.name} was retired and is still on offer"
        faults.add("market-retired-offered", place, message, app.name)
    else:
        message = f"{app.name} {app.held.version} is on offer; {app.missing.version} came after it"
        faults.add("market-rolled-back", place, message, app.name)


def _is_above(version: str, newest: str) -> bool:
    plain = APP_VERSION.fullmatch(version) and len(version) <= MAX_APP_VERSION
    return bool(plain) and number(version) > number(newest)


def check_agreement(faults: Faults, syncs: tuple[Sync, ...]) -> None:
    """Compare what the generations were offered: it is one market."""
    whole = [sync for sync in syncs if sync.complete]
    for sync in whole[1:]:
        first = whole[0]
        for name in sorted(first.apps.keys() | sync.apps.keys()):
            one, other = first.apps.get(name), sync.apps.get(name)
            versions = [held.version if held else "nothing" for held in (one, other)]
            if versions[0] != versions[1]:
                message = f"of {shown(name)} generation {first.generation} gets "
                message += f"{shown(versions[0])}, generation {sync.generation} "
                message += shown(versions[1])
                faults.add("market-generations-differ", sync.base or "/", message, name)

"""What a device does that already holds the release before: does it see and offer the new one?

A device notices a change of the version's text, whatever it changes to; the market's front end
offers an upgrade where three numbers rise (market-protocol-v1 §2.6). Generation C may skip an app
whose stamp did not move (market-protocol-v2).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from chartgen.market.device.compare import Published
from chartgen.market.device.entries import number
from chartgen.market.device.faults import Faults, shown
from chartgen.market.device.held import Generation, Held, Sync
from chartgen.market.device.v1_calls import DETAILS_PATH
from chartgen.olares.names import APP_VERSION, MAX_APP_VERSION
from chartgen.release.record import Release


@dataclass(frozen=True, slots=True)
class Upgrade:
    """The upgrade of one app on a device that holds `before`.

    `seen` tells that the device notices the other version, `offered` that it shows people an
    upgrade.
    """

    base: str
    generation: Generation
    name: str
    before: str
    after: str
    seen: bool
    offered: bool


def check_upgrades(faults: Faults, sync: Sync, known: Published | None) -> tuple[Upgrade, ...]:
    """Return the upgrade of every app on offer that had a release before the newest one.

    The release before is the ledger's, or without a ledger the one that the market itself lists.
    """
    found = []
    for name in sorted(sync.apps):
        held = sync.apps[name]
        releases = known.histories.get(name, ()) if known is not None else ()
        if known is None:
            before = _before_listed(held)
        else:
            before = releases[-2].version if len(releases) > 1 else ""
        if before:
            found.append(_upgrade(faults, sync, held, before, releases))
    return tuple(found)


def _before_listed(held: Held) -> str:
    """Return the newest version that the market lists below the one on offer."""
    if not _is_plain(held.version):
        return ""
    current = number(held.version)
    lower = [v for v in held.history if _is_plain(v) and number(v) < current]
    return max(lower, key=number, default="")


def _upgrade(
    faults: Faults, sync: Sync, held: Held, before: str, releases: tuple[Release, ...]
) -> Upgrade:
    place = f"{sync.base}{DETAILS_PATH}"
    at = f"apps.{held.key}"
    offered = _is_plain(held.version) and number(held.version) > number(before)
    if held.version == before:
        message = f"a device that holds {held.name} {before} sees no upgrade"
        faults.add("market-update-unseen", place, message, f"{at}.version")
    elif not offered:
        message = f"a device that holds {held.name} {before} is led to {shown(held.version)}"
        faults.add("market-update-backwards", place, message, f"{at}.version")
    newest = releases[-1] if releases else None
    wanted = newest.changes if newest and newest.version == held.version else ()
    lost = [note for note in wanted if _letters(note) not in _letters(held.upgrade)]
    if not held.upgrade.strip() or lost:
        what = f"the text before the upgrade lacks {shown(lost[0])}" if lost else "there is no text"
        message = f"{held.name} {shown(held.version)}: {what}"
        faults.add("market-update-text", place, message, f"{at}.upgradeDescription")
    if sync.generation == "C" and releases:
        _check_stamp(faults, sync, held, releases)
    return Upgrade(
        base=sync.base,
        generation=sync.generation,
        name=held.name,
        before=before,
        after=held.version,
        seen=held.version != before,
        offered=offered,
    )


def _check_stamp(faults: Faults, sync: Sync, held: Held, releases: tuple[Release, ...]) -> None:
    """Check that a stamp is above every earlier one, and the release's own date if that is."""
    own = next((at for at, line in enumerate(releases) if line.version == held.version), None)
    if not own:
        return
    earlier = max(_epoch_ms(line.date) for line in releases[:own])
    date = _epoch_ms(releases[own].date)
    if held.stamp <= earlier or (date > earlier and held.stamp != date):
        message = f"{held.name} was modified at {date} by the ledger, its stamp is {held.stamp}"
        place = f"{sync.base}/api/v2/applications"
        faults.add("market-update-stamp", place, message, held.name)


def _epoch_ms(date: str) -> int:
    """Return a date of the ledger in milliseconds since 1970; 0 for what is none."""
    try:
        moment = datetime.strptime(date, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return 0
    return int(moment.timestamp()) * 1000


def _is_plain(version: str) -> bool:
    return bool(APP_VERSION.fullmatch(version)) and len(version) <= MAX_APP_VERSION


def _letters(text: str) -> str:
    """Return only letters and digits: what a list or Markdown puts around them does not count."""
    return "".join(character for character in text.casefold() if character.isalnum())

"""What a device holds of a market after a sync."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Generation = Literal["A", "B", "C"]
GENERATIONS: tuple[Generation, ...] = ("A", "B", "C")
# The version of Olares that a device of each generation states (market-protocol-v1 §0).
OLARES: Mapping[Generation, str] = {"A": "1.12.5", "B": "1.12.6", "C": "1.12.7"}
# What a device states while it does not know its own version yet (market-protocol-v1 §1.3).
OLARES_UNKNOWN = "1.12.3"
# What is kept of texts that a hostile market made long, in characters, and of its versions.
_NAME, _TITLE, _ADDRESS, _TEXT, _VERSIONS = 200, 500, 2_000, 20_000, 1_000
# An app with one of these labels is taken off the device, unless it is installed.
_WITHDRAWN = frozenset({"remove", "suspend"})


@dataclass(frozen=True, slots=True)
class Held:
    """One app as a device has stored it.

    `key` is the key of the market's map, `name` and `version` what its chart is asked for with.
    `upgrade` is the text that people read before an upgrade, `history` the versions that the
    market lists, and `stamp` the time of the last change in ms (generation C only, else 0). `icon`
    is an address that only browsers open.
    """

    key: str
    name: str
    version: str
    title: str = ""
    icon: str = ""
    upgrade: str = ""
    history: tuple[str, ...] = ()
    stamp: int = 0


@dataclass(frozen=True)
class Sync:
    """The outcome of one sync: apps on offer, and those that the market has withdrawn, by name.

    `complete` is false where a device would have stopped on the way. `olares` is the version that
    the device stated. `removed` holds the names and ids that a v2 market lists as removed.
    """

    generation: Generation
    base: str
    olares: str
    hash: str = ""
    apps: Mapping[str, Held] = field(default_factory=dict)
    withdrawn: Mapping[str, Held] = field(default_factory=dict)
    removed: frozenset[str] = frozenset()
    complete: bool = False
    requests: int = 0


def withdrawn(entry: Mapping[str, Any], labels: str = "appLabels") -> bool:
    """Tell whether an app's labels take it off the device, in any case of letters."""
    found = entry.get(labels)
    if not isinstance(found, list):
        return False
    return any(isinstance(label, str) and label.lower() in _WITHDRAWN for label in found)


def text(entry: Mapping[str, Any], name: str) -> str:
    """Return a text of an entry, empty where it is missing or none."""
    value = entry.get(name)
    return value if isinstance(value, str) else ""


def texts(entry: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return the texts in a list of an entry."""
    value = entry.get(name)
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def held_app(key: str, entry: Mapping[str, Any], stamp: int = 0, **fields: str) -> Held:
    """Return what is kept of an app's entry; `fields` go before what the entry says.

    A chart is asked for by `chart_name` and `chart_version` where an entry has them
    (market-protocol-v1 §1.2).
    """
    history = entry.get("versionHistory")
    known = {
        "name": text(entry, "chart_name") or text(entry, "name") or key,
        "version": text(entry, "chart_version") or text(entry, "version"),
        "title": text(entry, "title"),
        "icon": text(entry, "icon"),
    } | fields
    return Held(
        key=key[:_NAME],
        name=known["name"][:_NAME],
        version=known["version"][:_NAME],
        title=known["title"][:_TITLE],
        icon=known["icon"][:_ADDRESS],
        upgrade=text(entry, "upgradeDescription")[:_TEXT],
        history=tuple(
            text(item, "version")[:_NAME]
            for item in (history[:_VERSIONS] if isinstance(history, list) else ())
            if isinstance(item, dict)
        ),
        stamp=stamp,
    )

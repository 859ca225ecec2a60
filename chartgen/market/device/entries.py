"""One app as a market describes it: in the summary, and in the details that replace it.

Each demand stands in market-protocol-v1 §2.3, §2.4, §2.9 or §6 under the item that its rule names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from chartgen.market.device.faults import listed, shown
from chartgen.market.device.held import text, texts, withdrawn
from chartgen.market.device.source import MOST_APPS, Source
from chartgen.market.device.v1_calls import DETAILS_PATH, INFO_PATH
from chartgen.market.device.v1_types import ENTRY
from chartgen.olares.constraint import parse_constraint
from chartgen.olares.names import (
    APP_VERSION,
    FOLDER_NAME,
    MAX_APP_VERSION,
    RESERVED_FOLDERS,
    app_id,
    official_apps,
)

# What generation A takes from the summary alone (detail_fetch_step.go at v0.6.25).
TEXTS = ("title", "description", "fullDescription", "upgradeDescription")
# market-protocol-v1 §6 item 12.
_SUMMARY = (
    *("name", "appID", "cfgType", "chartName", "icon", "version", "versionName", "developer"),
    *TEXTS,
    *("categories", "supportArch", "entrances", "options", "i18n", "appLabels"),
    *("requiredMemory", "requiredDisk", "requiredGPU", "requiredCPU"),
)
_NEVER_EMPTY = frozenset({"name", "version", "title", "description", "fullDescription", "icon"})
_BYTES = re.compile(r"[0-9]*")
_CORES = re.compile(r"[0-9]+(\.[0-9]+)?|")
_QUANTITIES = {
    f"{bound}{what}": _CORES if what == "CPU" else _BYTES
    for bound in ("required", "limited")
    for what in ("CPU", "Memory", "Disk", "GPU")
}
# The front end compares ranges only in this form (market-protocol-v1 §2.11).
_RANGE = re.compile(r"(?:>=|<=|>|<|=|!=|~|\^)\s*[0-9]+\.[0-9]+\.[0-9]+.*")


Entries = dict[str, Mapping[str, Any]]


def read_summaries(source: Source, apps: Mapping[str, Any]) -> tuple[Entries, Entries]:
    """Return an info answer's apps by key: those whose details are asked for, and the others."""
    asked: Entries = {}
    others: Entries = {}
    keys: dict[str, str] = {}
    if len(apps) > MOST_APPS:
        message = f"the list has {len(apps):,} apps; the first {MOST_APPS:,} are read"
        source.fault("market-endless", INFO_PATH, message, "data.apps")
    for key, entry in islice(apps.items(), MOST_APPS):
        at = f"data.apps.{key}"
        if not isinstance(entry, dict):
            message = f"the app is {shown(entry)}, and a device skips it"
            source.fault("market-entry-type", INFO_PATH, message, at)
            continue
        _check_summary(source, at, key, entry)
        name = text(entry, "name")
        if keys.setdefault(name, key) != key:
            message = f"two apps have the name {shown(name)}"
            source.fault("market-name-twice", INFO_PATH, message, f"{at}.name")
        if entry.get("id") == key:
            asked[key] = entry
            continue
        others[key] = entry
        message = f"the id is {shown(entry.get('id'))}, the key {shown(key)}; it is never asked for"
        source.fault("market-id-differs", INFO_PATH, message, f"{at}.id")
    return asked, others


def _check_summary(source: Source, at: str, key: str, entry: Mapping[str, Any]) -> None:
    _check_entry(source, INFO_PATH, at, key, entry)
    gone = withdrawn(entry)
    wanted = ("name", "version", "title") if gone else _SUMMARY
    missing = [
        name
        for name in wanted
        if entry.get(name) is None or (name in _NEVER_EMPTY and not entry[name])
    ]
    if missing:
        message = f"the summary lacks {listed(missing)}"
        source.fault("market-summary-incomplete", INFO_PATH, message, at)


def check_detail(source: Source, key: str, entry: Mapping[str, Any]) -> None:
    """Check an app of a details answer by itself."""
    at = f"apps.{key}"
    _check_entry(source, DETAILS_PATH, at, key, entry)
    if entry.get("id") != key:
        message = f"the id is {shown(entry.get('id'))} and the key {shown(key)}"
        source.fault("market-id-differs", DETAILS_PATH, message, at)


def check_pair(
    source: Source, key: str, summary: Mapping[str, Any], detail: Mapping[str, Any]
) -> None:
    """Compare an app's summary with its details: they describe one state of one app."""
    for name in ("version", "name"):
        if detail.get(name) != summary.get(name):
            message = f"the details say {shown(detail.get(name))}, "
            message += f"the summary {shown(summary.get(name))}"
            source.fault("market-mixed", DETAILS_PATH, message, f"apps.{key}.{name}")
    for name in TEXTS:
        one, other = summary.get(name), detail.get(name)
        if isinstance(one, str) and isinstance(other, str) and one != other:
            message = "the text differs from the summary's, which is all that generation A shows"
            source.fault("market-texts-differ", DETAILS_PATH, message, f"apps.{key}.{name}")
    if withdrawn(summary) != withdrawn(detail):
        message = "the labels differ from the summary's"
        source.fault("market-mixed", DETAILS_PATH, message, f"apps.{key}.appLabels")
    absent = [name for name in summary if name not in detail]
    if absent:
        message = f"the details lack {listed(absent)}, which the summary has"
        source.fault("market-detail-incomplete", DETAILS_PATH, message, f"apps.{key}")


def _check_entry(source: Source, path: str, at: str, key: str, entry: Mapping[str, Any]) -> None:
    who = "a device drops the value"
    source.fits(ENTRY, entry, path, "market-detail-type", who, at=at)
    for name in TEXTS:
        if isinstance(entry.get(name), dict):
            message = "the text is a map of languages, and no device shows it"
            source.fault("market-text-map", path, message, f"{at}.{name}")
    _check_identity(source, path, at, key, entry)
    _check_history(source, path, at, entry)
    if not withdrawn(entry):
        _check_offer(source, path, at, entry)


def _check_identity(source: Source, path: str, at: str, key: str, entry: Mapping[str, Any]) -> None:
    name, version = text(entry, "name"), text(entry, "version")
    taken = name in RESERVED_FOLDERS or name in official_apps()
    if not FOLDER_NAME.fullmatch(name) or taken:
        what = "is taken" if taken else "is not 1 to 30 lower-case letters and digits"
        source.fault("market-name-refused", path, f"the name {shown(name)} {what}", f"{at}.name")
    for field, value in (("id", key), ("appID", entry.get("appID", key))):
        if value != app_id(name):
            message = f"{shown(value)} is not {app_id(name)}, the id of {shown(name)}"
            source.fault("market-id-wrong", path, message, f"{at}.{field}")
    if not APP_VERSION.fullmatch(version) or len(version) > MAX_APP_VERSION:
        found = shown(entry.get("version"))
        message = f"the version is {found}; devices compare X.Y.Z of at most 16 characters"
        source.fault("market-version-refused", path, message, f"{at}.version")


def _check_history(source: Source, path: str, at: str, entry: Mapping[str, Any]) -> None:
    history = entry.get("versionHistory")
    if not isinstance(history, list):
        return
    versions = [text(item, "version") for item in history if isinstance(item, dict)]
    plain = [v for v in versions if APP_VERSION.fullmatch(v) and len(v) <= MAX_APP_VERSION]
    current = text(entry, "version")
    if len(set(versions)) < len(versions) or len(plain) < len(versions):
        message = "the history holds a version twice, or what is no version"
    elif versions and current and current not in versions:
        message = f"the history lacks the current version {shown(current)}"
    elif plain and current in plain and max(plain, key=number) != current:
        message = f"the history goes up to {max(plain, key=number)}, the app is {shown(current)}"
    else:
        return
    source.fault("market-history", path, message, f"{at}.versionHistory")


def _check_offer(source: Source, path: str, at: str, entry: Mapping[str, Any]) -> None:
    """Check what an app needs to be shown and installed."""
    if not texts(entry, "supportArch"):
        message = "no architecture is named, so every device hides the app"
        source.fault("market-app-hidden", path, message, f"{at}.supportArch")
    if not texts(entry, "categories"):
        message = "no category is named, so only a search finds the app"
        source.fault("market-app-uncategorised", path, message, f"{at}.categories")
    icon = text(entry, "icon")
    if not _is_https(icon):
        message = f"the icon is {shown(icon)}, which no browser loads into a page of https"
        source.fault("market-icon-address", path, message, f"{at}.icon")
    for name, pattern in _QUANTITIES.items():
        value = text(entry, name)
        if not pattern.fullmatch(value):
            unit = "cores" if name.endswith("CPU") else "bytes"
            message = f"{shown(value)} is no plain number of {unit}"
            source.fault("market-quantity", path, message, f"{at}.{name}")
    _check_dependencies(source, path, at, entry.get("options"))


def _check_dependencies(source: Source, path: str, at: str, options: Any) -> None:
    found = options.get("dependencies") if isinstance(options, dict) else None
    for index, dependency in enumerate(found if isinstance(found, list) else ()):
        if not isinstance(dependency, dict) or dependency.get("type") != "system":
            continue
        wanted = text(dependency, "version")
        if not _is_range(wanted):
            message = f"{shown(wanted)} is no range of versions such as >=1.12.6-0"
            place = f"{at}.options.dependencies[{index}].version"
            source.fault("market-dependency", path, message, place)


def number(version: str) -> tuple[int, int, int]:
    """Return a version of three plain numbers as these, which compare as versions do."""
    major, minor, patch = (int(part) for part in version.split("."))
    return major, minor, patch


def _is_range(wanted: str) -> bool:
    if len(wanted) > 200 or not _RANGE.fullmatch(wanted):
        return False
    try:
        parse_constraint(wanted)
    except ValueError:
        return False
    return True


def _is_https(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname)

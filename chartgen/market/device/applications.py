"""The apps of the v2 list: identities, stamps, categories, constraints (market-protocol-v2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chartgen.market.device.faults import listed, shown
from chartgen.market.device.held import text, texts, withdrawn
from chartgen.market.device.source import Source
from chartgen.olares.constraint import parse_constraint
from chartgen.olares.names import app_id

# From 2001 to 2286, in the unit at hand: seconds have ten digits then, milliseconds thirteen.
_SECONDS = range(10**9, 10**10)
_MILLISECONDS = range(10**12, 10**13)
_NEVER_EMPTY = ("app_id", "name", "title", "version", "icon", "cfg_type")


def check_applications(source: Source, path: str, applications: Mapping[str, Any]) -> None:
    """Check the items of the list, whose types are sound."""
    names: set[str] = set()
    for index, item in enumerate(applications.get("items") or ()):
        if item is None:
            continue
        at = f"data.items[{index}]"
        name = text(item, "name")
        if name in names:
            message = f"two apps have the name {shown(name)}"
            source.fault("market-name-twice", path, message, at)
        names.add(name)
        _check_item(source, path, at, item)


def _check_item(source: Source, path: str, at: str, item: Mapping[str, Any]) -> None:
    name, key = text(item, "name"), text(item, "app_id")
    if key != app_id(name):
        message = f"{shown(key)} is not {app_id(name)}, the id of {shown(name)}"
        source.fault("market-id-wrong", path, message, f"{at}.app_id")
    empty = [field for field in _NEVER_EMPTY if not text(item, field)]
    if empty:
        message = f"{shown(name)} lacks {listed(empty)}"
        source.fault("market-v2-incomplete", path, message, at)
    for field, unit, sound in (
        ("last_modify_time", "milliseconds", _MILLISECONDS),
        ("updated_at", "seconds", _SECONDS),
    ):
        stamp = item.get(field)
        if stamp not in sound:
            message = f"{shown(name)} has {field} {shown(stamp)}, which is no time in {unit}"
            source.fault("market-v2-unit", path, message, f"{at}.{field}")
    if not withdrawn(item, "app_labels"):
        _check_constraint(source, path, at, text(item, "olares_version_constraint"))


def _check_constraint(source: Source, path: str, at: str, constraint: str) -> None:
    try:
        parse_constraint(constraint[:200])
    except ValueError:
        message = f"{shown(constraint)} is no range of versions such as >=1.12.6-0"
        source.fault("market-v2-constraint", path, message, f"{at}.olares_version_constraint")


def check_categories(
    source: Source, path: str, taxonomy: Mapping[str, Any], applications: Mapping[str, Any]
) -> None:
    """Check that every category in use is declared, reachable and has a page."""
    used = {
        category
        for item in applications.get("items") or ()
        if item is not None and not withdrawn(item, "app_labels")
        for category in (texts(item, "categories_v2") or texts(item, "categories"))
    }
    declared = _named(taxonomy, "categories", "id")
    listings = {
        "categories": declared,
        "nav": set(texts(taxonomy, "nav")),
        "pages": _named(taxonomy, "pages", "category_id"),
    }
    for name, known in listings.items():
        if missing := used - known:
            message = f"apps have categories that it lacks: {listed(missing)}"
            source.fault("market-v2-category", path, message, f"data.{name}")
        if strangers := known - declared:
            message = f"it names categories that are not declared: {listed(strangers)}"
            source.fault("market-v2-category", path, message, f"data.{name}")


def _named(taxonomy: Mapping[str, Any], field: str, key: str) -> set[str]:
    return {text(item, key) for item in taxonomy.get(field) or () if item is not None}

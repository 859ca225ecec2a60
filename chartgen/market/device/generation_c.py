"""Generation C (Olares from 1.12.7): catalog, taxonomy and applications of v2, details of v1.

A device that gets a 404 for the catalog ends the sync of the source (market-protocol-v2).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chartgen.market.device.applications import check_applications, check_categories
from chartgen.market.device.entries import check_detail
from chartgen.market.device.faults import shown
from chartgen.market.device.held import OLARES, Held, Sync, held_app, text, withdrawn
from chartgen.market.device.source import LIST_LIMIT, LIST_SECONDS, MOST_APPS, Source
from chartgen.market.device.v1_calls import DETAILS_PATH, Pause, read_details
from chartgen.market.device.v2_types import APPLICATIONS, CATALOG, TAXONOMY
from chartgen.market.device.wire import Wire

CATALOG_PATH = "/api/v2/catalog"
TAXONOMY_PATH = "/api/v2/taxonomy"
APPLICATIONS_PATH = "/api/v2/applications"
BROWSE_PATH = "/api/v2/browse/applications"
# The id that a device makes of the title under which a source is added.
_SOURCE_ID = "market.verify"
_PAGE_SIZE = 100
_OLARES = OLARES["C"]

_Row = tuple[str, str, Any]


def sync(source: Source, seed: int, pause: Pause) -> Sync:
    """Sync a market as generation C does. `seed` gives the order of the batches."""
    nothing = Sync("C", source.base.path, _OLARES)
    catalog = _catalog(source)
    if catalog is None:
        return nothing
    taxonomy = _data(source, TAXONOMY_PATH, TAXONOMY)
    applications = _data(source, APPLICATIONS_PATH, APPLICATIONS)
    if taxonomy is None or applications is None:
        return nothing
    _check_taxonomy(source, taxonomy)
    check_categories(source, TAXONOMY_PATH, taxonomy, applications)
    check_applications(source, APPLICATIONS_PATH, applications)
    _check_stamps(source, catalog, applications)
    items = {text(item, "app_id"): item for item in _items(applications)[:MOST_APPS]}
    if len(_items(applications)) > MOST_APPS:
        message = f"the list is longer than the {MOST_APPS:,} apps that are read"
        source.fault("market-endless", APPLICATIONS_PATH, message, "data.items")
    _check_other_ways(source, {_row(item) for item in items.values()})
    apps: dict[str, Held] = {}
    gone: dict[str, Held] = {}
    for held, labelled in _stored(source, items, seed, pause):
        (gone if labelled else apps)[held.name] = held
    return Sync(
        generation="C",
        base=source.base.path,
        olares=_OLARES,
        hash=catalog.get("apps_filter_digest") or "",
        apps=apps,
        withdrawn=gone,
        removed=frozenset(_removed(applications)),
        complete=not source.given_up,
        requests=source.requests,
    )


def _catalog(source: Source) -> dict[str, Any] | None:
    query = {"source_id": _SOURCE_ID, "version": _OLARES}
    reply = source.get(CATALOG_PATH, query)
    if reply is not None and reply.status == 404:
        message = "the status is 404, and generation C drops the whole source"
        source.fault("market-v2-missing", CATALOG_PATH, message)
        return None
    data = _unwrapped(source, source.document(reply, CATALOG_PATH), CATALOG_PATH, CATALOG)
    if data is None:
        return None
    echoed = data.get("source_id")
    if echoed != _SOURCE_ID:
        message = f"source_id is {shown(echoed)}, asked for was {_SOURCE_ID}"
        source.fault("market-v2-source", CATALOG_PATH, message, "data.source_id")
    if data.get("schema_version") != "v2" or not data.get("apps_filter_digest"):
        message = "schema_version is not v2, or apps_filter_digest is empty"
        source.fault("market-v2-type", CATALOG_PATH, message, "data")
    return data


def _data(
    source: Source, path: str, wire: Wire, query: Mapping[str, str] | None = None
) -> dict[str, Any] | None:
    reply = source.get(path, query, limit=LIST_LIMIT, seconds=LIST_SECONDS)
    return _unwrapped(source, source.document(reply, path), path, wire)


def _unwrapped(source: Source, answer: Any, path: str, wire: Wire) -> dict[str, Any] | None:
    """Return the data of an answer that fits its types and reports success."""
    who = "generation C loses the answer"
    if answer is None or not source.fits(wire, answer, path, "market-v2-type", who):
        return None
    if answer.get("code") != 0:
        message = f"the code is {shown(answer.get('code'))}, and 0 means success"
        source.fault("market-v2-code", path, message, "code")
        return None
    return answer.get("data") or {}


def _check_taxonomy(source: Source, taxonomy: Mapping[str, Any]) -> None:
    named = taxonomy.get("source") or {}
    if named.get("is_official"):
        message = "the market calls itself official"
        source.fault("market-v2-source", TAXONOMY_PATH, message, "data.source.is_official")
    if not named.get("short_label") or not named.get("display_name"):
        message = "the market has no name (short_label, display_name)"
        source.fault("market-v2-source", TAXONOMY_PATH, message, "data.source")


def _check_stamps(
    source: Source, catalog: Mapping[str, Any], applications: Mapping[str, Any]
) -> None:
    newest = max((item.get("last_modify_time") or 0 for item in _items(applications)), default=0)
    for path, data, name in (
        (APPLICATIONS_PATH, applications, "max_last_modify_time"),
        (CATALOG_PATH, catalog, "apps_last_modify_time"),
    ):
        stamp = data.get(name) or 0
        if stamp < newest:
            message = f"{name} is {stamp}, and an app was modified at {newest}"
            source.fault("market-v2-stamp", path, message, f"data.{name}")


def _check_other_ways(source: Source, rows: set[_Row]) -> None:
    """Ask for the applications by their other path, and page by page."""
    browsed = _data(source, BROWSE_PATH, APPLICATIONS)
    if browsed is not None and {_row(item) for item in _items(browsed)} != rows:
        message = f"the apps are not those of {APPLICATIONS_PATH}"
        source.fault("market-v2-browse", BROWSE_PATH, message, "data.items")
    del browsed
    seen: list[_Row] = []
    # One page more than needed, which has to be empty.
    for page in range(1, len(rows) // _PAGE_SIZE + 3):
        query = {"page": str(page), "size": str(_PAGE_SIZE)}
        data = _data(source, APPLICATIONS_PATH, APPLICATIONS, query)
        if data is None:
            return
        found = [_row(item) for item in _items(data)]
        seen += found
        total, more = data.get("total"), data.get("has_more")
        sound = total == len(rows) and more is (len(seen) < len(rows))
        if len(found) > _PAGE_SIZE or not sound:
            message = (
                f"page {page} of {_PAGE_SIZE} has {len(found)} apps, total {shown(total)} and "
                f"has_more {shown(more)}, where there are {len(rows)} apps"
            )
            source.fault("market-v2-paging", APPLICATIONS_PATH, message, "data")
            return
    if len(seen) != len(rows) or set(seen) != rows:
        message = "the pages together do not hold the same apps as the whole list"
        source.fault("market-v2-paging", APPLICATIONS_PATH, message, "data.items")


def _stored(
    source: Source, items: Mapping[str, Mapping[str, Any]], seed: int, pause: Pause
) -> Iterator[tuple[Held, bool]]:
    """Yield what a device stores, and whether it is withdrawn."""
    for batch, details in read_details(source, items, _OLARES, seed, pause):
        for key in batch:
            item, detail = items[key], details.get(key)
            gone = withdrawn(item, "app_labels")
            if isinstance(detail, dict):
                check_detail(source, key, detail)
                _check_pair(source, key, item, detail)
                gone = gone or withdrawn(detail)
            elif key in details:
                message = f"the app is {shown(detail)}, and a device skips it"
                source.fault("market-entry-type", DETAILS_PATH, message, f"apps.{key}")
            elif details:
                message = "the app is listed and has no details"
                source.fault("market-detail-missing", DETAILS_PATH, message, f"apps.{key}")
            held = held_app(
                key,
                detail if isinstance(detail, dict) else {},
                stamp=item.get("last_modify_time") or 0,
                name=text(item, "name"),
                version=text(item, "version"),
                title=text(item, "title"),
                icon=text(item, "icon"),
            )
            yield held, gone


def _check_pair(
    source: Source, key: str, item: Mapping[str, Any], detail: Mapping[str, Any]
) -> None:
    for name in ("name", "version", "title"):
        if text(item, name) != text(detail, name):
            message = (
                f"the list says {shown(item.get(name))}, the details {shown(detail.get(name))}"
            )
            source.fault("market-mixed", DETAILS_PATH, message, f"apps.{key}.{name}")


def _items(applications: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [item for item in applications.get("items") or () if item is not None]


def _row(item: Mapping[str, Any]) -> _Row:
    return text(item, "app_id"), text(item, "version"), item.get("last_modify_time")


def _removed(applications: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names and ids of removed apps; the form of the entries is not known."""
    for entry in applications.get("removed") or ():
        if isinstance(entry, str):
            yield entry
        elif isinstance(entry, dict):
            yield from (text(entry, name) for name in ("app_id", "id", "name"))

"""Generation B (Olares 1.12.6): strict on the types of the lists, and only details count.

What does not fit a column of the device's database takes its whole batch with it
(market-protocol-v1 §2.2, §2.4).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chartgen.market.device.entries import Entries, check_detail, check_pair, read_summaries
from chartgen.market.device.faults import listed, shown
from chartgen.market.device.held import OLARES, Held, Sync, held_app, text, withdrawn
from chartgen.market.device.lists import check_lists
from chartgen.market.device.source import Source
from chartgen.market.device.v1_calls import (
    DETAILS_PATH,
    INFO_PATH,
    Pause,
    check_hashes,
    read_details,
    read_hash,
    read_info,
    synced,
)
from chartgen.market.device.v1_types import INFO_B

_OLARES = OLARES["B"]
_WHO = "generation B loses the whole answer"
_WITHOUT_TYPE = "; generation B then takes the answer for broken"
# Columns of the table `applications` (db/migrations/00002_init_applications.sql), in characters.
_WIDTHS = {"version": 16, "name": 100, "apiVersion": 32}
_KEY_WIDTH = 32


def sync(source: Source, seed: int, pause: Pause) -> Sync:
    """Sync a market as generation B does. `seed` gives the order of the batches."""
    nothing = Sync("B", source.base.path, _OLARES)
    asked = read_hash(source, _OLARES)
    if asked is None:
        return nothing
    info = read_info(source, _OLARES, INFO_B, _WHO, _WITHOUT_TYPE)
    if info is None:
        return nothing
    empty = [name for name in ("hash", "version") if not info.get(name)]
    if empty:
        message = f"{listed(empty)} is empty, and generation B takes the answer for broken"
        source.fault("market-info-empty", INFO_PATH, message, empty[0])
        return nothing
    check_hashes(source, asked, info)
    data = info.get("data") or {}
    check_lists(source, data)
    summaries, _ = read_summaries(source, data.get("apps") or {})
    apps: dict[str, Held] = {}
    gone: dict[str, Held] = {}
    for batch, details in read_details(source, summaries, _OLARES, seed, pause):
        _compare(source, batch, summaries, details)
        for held, labelled in _inserted(source, details):
            (gone if labelled else apps)[held.name] = held
    return synced("B", source, asked, apps, gone)


def _compare(
    source: Source, batch: list[str], summaries: Entries, details: Mapping[str, Any]
) -> None:
    for key in batch:
        summary, detail = summaries.pop(key), details.get(key)
        if isinstance(detail, dict):
            check_pair(source, key, summary, detail)
        elif details and key not in details:
            message = "the app has a summary and no details"
            source.fault("market-detail-missing", DETAILS_PATH, message, f"apps.{key}")
    extra = details.keys() - set(batch)
    if extra:
        message = f"nobody asked for {listed(extra)}"
        source.fault("market-detail-extra", DETAILS_PATH, message)


def _inserted(source: Source, details: Mapping[str, Any]) -> list[tuple[Held, bool]]:
    """Return what one batch puts into the database, each with whether it is withdrawn."""
    rows: list[tuple[Held, bool]] = []
    too_wide = False
    for key, detail in details.items():
        at = f"apps.{key}"
        if not isinstance(detail, dict):
            message = f"the app is {shown(detail)}, and a device skips it"
            source.fault("market-entry-type", DETAILS_PATH, message, at)
            continue
        check_detail(source, key, detail)
        if not text(detail, "version"):
            message = f"the version is {shown(detail.get('version'))}; generation B skips the app"
            source.fault("market-detail-version", DETAILS_PATH, message, f"{at}.version")
            continue
        # An app that is labelled is left out before anything is written.
        labelled = withdrawn(detail)
        too_wide |= not labelled and _too_wide(source, key, detail)
        rows.append((held_app(key, detail), labelled))
    if not too_wide:
        return rows
    lost = [held.name for held, labelled in rows if not labelled]
    message = f"the whole batch is lost on generation B: {listed(lost, most=10)}"
    source.fault("market-batch-lost", DETAILS_PATH, message)
    return [row for row in rows if row[1]]


def _too_wide(source: Source, key: str, detail: Mapping[str, Any]) -> bool:
    values = {name: (text(detail, name), width) for name, width in _WIDTHS.items()}
    values["id"] = (key, _KEY_WIDTH)
    wide = False
    for name, (value, width) in values.items():
        if len(value) > width:
            wide = True
            message = f"{shown(value)} has {len(value)} characters, the column {width}"
            source.fault("market-too-wide", DETAILS_PATH, message, f"apps.{key}.{name}")
    return wide

"""Generation A (Olares up to 1.12.5): lenient on types, but four texts come from the summary.

A device stores each summary and lays the details over it; what no details came for stays as the
summary had it (market-protocol-v1 §2.3, §2.4).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chartgen.market.device.entries import TEXTS, check_detail, check_pair, read_summaries
from chartgen.market.device.faults import shown
from chartgen.market.device.held import OLARES, Held, Sync, held_app, withdrawn
from chartgen.market.device.lists import check_lists
from chartgen.market.device.source import Source
from chartgen.market.device.v1_calls import (
    DETAILS_PATH,
    Pause,
    check_hashes,
    read_details,
    read_hash,
    read_info,
    synced,
)
from chartgen.market.device.v1_types import INFO_A

_OLARES = OLARES["A"]
_WHO = "generation A loses the whole answer"
_WITHOUT_TYPE = "; generation A then stores a market without apps"


def sync(source: Source, seed: int, pause: Pause) -> Sync:
    """Sync a market as generation A does. `seed` gives the order of the batches."""
    nothing = Sync("A", source.base.path, _OLARES)
    asked = read_hash(source, _OLARES)
    if asked is None:
        return nothing
    info = read_info(source, _OLARES, INFO_A, _WHO, _WITHOUT_TYPE)
    if info is None:
        return nothing
    check_hashes(source, asked, info)
    data = info.get("data") or {}
    check_lists(source, data)
    summaries, others = read_summaries(source, data.get("apps") or {})
    apps: dict[str, Held] = {}
    gone: dict[str, Held] = {}
    for batch, details in read_details(source, summaries, _OLARES, seed, pause):
        for key in batch:
            summary = summaries.pop(key)
            entry = _merged(source, key, summary, details)
            _store(apps, gone, held_app(key, entry), withdrawn(entry))
    # What no details were asked for is stored as the summary has it.
    for key, summary in (*summaries.items(), *others.items()):
        _store(apps, gone, held_app(key, summary), withdrawn(summary))
    return synced("A", source, asked, apps, gone)


def _store(apps: dict[str, Held], gone: dict[str, Held], held: Held, labelled: bool) -> None:
    (gone if labelled else apps)[held.name] = held


def _merged(
    source: Source, key: str, summary: Mapping[str, Any], details: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Lay an app's details over its summary."""
    if key not in details:
        if details:
            message = "the app has a summary and no details"
            source.fault("market-detail-missing", DETAILS_PATH, message, f"apps.{key}")
        return summary
    detail = details[key]
    if not isinstance(detail, dict):
        message = f"the app is {shown(detail)}, and a device skips it"
        source.fault("market-entry-type", DETAILS_PATH, message, f"apps.{key}")
        return summary
    check_detail(source, key, detail)
    check_pair(source, key, summary, detail)
    return {**summary, **detail, **{name: summary.get(name) for name in TEXTS}}

"""The three v1 calls of a sync, as generations A and B make them.

Source: market-protocol-v1 §1.2 to §1.4.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from chartgen.market.device.faults import listed, shown
from chartgen.market.device.held import OLARES, Generation, Held, Sync
from chartgen.market.device.source import LIST_LIMIT, LIST_SECONDS, Source, json_body
from chartgen.market.device.v1_types import DETAILS, HASH
from chartgen.market.device.wire import NANO_DIGITS, Wire, fraction_digits

HASH_PATH = "/api/v1/appstore/hash"
INFO_PATH = "/api/v1/appstore/info"
DETAILS_PATH = "/api/v1/applications/info"
BATCH = 10
# Seconds to wait before each attempt.
_WAITS = (0.0, 2.0, 4.0)

Pause = Callable[[float], None]
"""Waits for a number of seconds."""


def read_hash(source: Source, olares: str | None) -> str | None:
    """Return the market's hash; None ends the sync of the source."""
    query = {"version": olares} if olares else None
    reply = source.get(HASH_PATH, query)
    # The client decodes this one itself, whatever its content type.
    answer = source.document(reply, HASH_PATH, json_type=False)
    if answer is None:
        return None
    if not source.fits(HASH, answer, HASH_PATH, "market-hash-type", "no device syncs any more"):
        return None
    found = answer.get("hash") or ""
    if not found:
        source.fault("market-hash-type", HASH_PATH, "there is no hash to compare", "hash")
    return str(found)


def read_info(source: Source, olares: str, wire: Wire, who: str, without_type: str) -> Any:
    """Return the info answer where it fits the types of a generation, else None.

    `who` says which clients lose the answer, `without_type` what they make of a wrong content
    type.
    """
    reply = source.get(INFO_PATH, {"version": olares}, limit=LIST_LIMIT, seconds=LIST_SECONDS)
    info = source.document(reply, INFO_PATH, note=without_type)
    if info is None or not source.fits(wire, info, INFO_PATH, "market-info-type", who):
        return None
    stamp = info.get("last_updated")
    if stamp is not None and fraction_digits(stamp) != NANO_DIGITS:
        message = f"last_updated is {shown(stamp)}, without nine fractional digits"
        source.fault("market-time-digits", INFO_PATH, message, "last_updated")
    return info


def check_hashes(source: Source, asked: str, info: dict[str, Any]) -> None:
    """Compare the hash of the info answer with that of the hash answer before it."""
    found = info.get("hash") or ""
    if asked and found != asked:
        message = f"the hash is {shown(found)}, and {shown(asked)} where only the hash is asked for"
        source.fault("market-hash-differs", INFO_PATH, message, "hash")


def batches(keys: Iterable[str], seed: int) -> Iterator[list[str]]:
    """Yield ids by ten, in an order that looks random, as a device takes them out of its map."""
    mixed = sorted(keys, key=lambda key: hashlib.sha256(f"{seed} {key}".encode()).digest())
    for begin in range(0, len(mixed), BATCH):
        yield mixed[begin : begin + BATCH]


def read_details(
    source: Source, keys: Iterable[str], olares: str, seed: int, pause: Pause
) -> Iterator[tuple[list[str], dict[str, Any]]]:
    """Yield each batch of ids with the details that came for it, none where it failed.

    A batch that brings no app is asked for again, twice.
    """
    for batch in batches(keys, seed):
        yield batch, _batch(source, batch, olares, pause)
        if source.given_up:
            return


def _batch(source: Source, batch: list[str], olares: str, pause: Pause) -> dict[str, Any]:
    body = json_body({"app_ids": batch, "version": olares})
    attempts = 0
    for wait in _WAITS:
        if wait:
            pause(wait)
        attempts += 1
        with source.apart() as faults:
            found = _attempt(source, body)
        if found or source.given_up:
            break
    source.faults.take(faults.findings())
    if not found:
        message = f"none of these apps came in {attempts} attempts: {listed(batch)}"
        source.fault("market-batch-failed", DETAILS_PATH, message)
    elif attempts > 1:
        message = f"the details came at attempt {attempts} only"
        source.fault("market-retried", DETAILS_PATH, message)
    return found


def _attempt(source: Source, body: bytes) -> dict[str, Any]:
    reply = source.post(DETAILS_PATH, body)
    note = ", so the batch counts as failed"
    answer = source.document(reply, DETAILS_PATH, note=note)
    if answer is None:
        return {}
    who = "the batch counts as failed"
    if not source.fits(DETAILS, answer, DETAILS_PATH, "market-detail-type", who):
        return {}
    return answer.get("apps") or {}


def synced(
    generation: Generation,
    source: Source,
    asked: str,
    apps: Mapping[str, Held],
    withdrawn: Mapping[str, Held],
) -> Sync:
    """Return the outcome of a sync that came to its end; `asked` is the hash that it began with."""
    return Sync(
        generation=generation,
        base=source.base.path,
        olares=OLARES[generation],
        hash=asked,
        apps=apps,
        withdrawn=withdrawn,
        complete=not source.given_up,
        requests=source.requests,
    )

"""Requests that no healthy device makes, but some device some day: the answers must be harmless.

market-protocol-v1 §6, items 1 to 4.
"""

from __future__ import annotations

from typing import Any

from chartgen.market.device.faults import listed, shown
from chartgen.market.device.held import OLARES_UNKNOWN
from chartgen.market.device.source import SMALL_LIMIT, Source, is_json, json_body
from chartgen.market.device.v1_calls import DETAILS_PATH, HASH_PATH, read_hash

# No id has such letters; the other two are members of every JavaScript object.
_UNKNOWN = ("zzzzzzzz", "constructor", "__proto__")
_MANY = 1000


def check_hash_everywhere(source: Source, known: str) -> None:
    """Check that the hash is the same without a version, and for a device that knows none."""
    for olares in (None, OLARES_UNKNOWN):
        found = read_hash(source, olares)
        if found is not None and found != known:
            asked = f"version {olares}" if olares else "no version"
            message = f"with {asked} the hash is {shown(found)}, else {shown(known)}"
            source.fault("market-hash-by-version", HASH_PATH, message, "hash")


def check_hash_again(source: Source, known: str, olares: str) -> None:
    """Check that the hash stood still while the market was read."""
    found = read_hash(source, olares)
    if found is not None and found != known:
        message = f"the hash was {shown(known)} at first, and is {shown(found)} now"
        source.fault("market-hash-moves", HASH_PATH, message, "hash")


def check_unknown_ids(source: Source, olares: str) -> None:
    """Ask for details of apps that there are not: each is listed once, and nothing comes."""
    many = [f"{number:08x}"[::-1] + "z" for number in range(_MANY)]
    asked = [*_UNKNOWN, *_UNKNOWN, *many]
    body = json_body({"app_ids": asked, "version": olares})
    answer = source.document(source.post(DETAILS_PATH, body), DETAILS_PATH)
    if not isinstance(answer, dict):
        return
    apps, missing = answer.get("apps"), answer.get("not_found")
    if apps != {}:
        message = f"for ids that nobody has the apps are {_keys(apps)}, not empty"
        source.fault("market-unknown-id", DETAILS_PATH, message, "apps")
    expected = sorted({*_UNKNOWN, *many})
    if not isinstance(missing, list) or sorted(map(str, missing)) != expected:
        count = f"{len(missing)} ids" if isinstance(missing, list) else shown(missing)
        message = f"not_found holds {count}, not each of the {len(expected)} unknown ids once"
        source.fault("market-unknown-id", DETAILS_PATH, message, "not_found")


def check_bad_bodies(source: Source) -> None:
    """Post what is no request for details: a 400 in JSON is the answer."""
    for body in (b"{", b"[]", b'{"app_ids": "0123abcd"}', b'{"app_ids": {"0": "0123abcd"}}'):
        reply = source.post(DETAILS_PATH, body, limit=SMALL_LIMIT)
        if reply is not None and (reply.status != 400 or not is_json(reply)):
            message = f"the answer to {body.decode()} has the status {reply.status} "
            message += f"({shown(reply.media_type)}), and a JSON 400 is wanted"
            source.fault("market-bad-body", DETAILS_PATH, message)


def _keys(apps: Any) -> str:
    return listed(apps) if isinstance(apps, dict) else shown(apps)

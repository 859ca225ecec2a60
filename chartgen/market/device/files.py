"""The market's other files: icons, and the list of checksums that covers all of them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

from chartgen.market.device.address import same_origin
from chartgen.market.device.faults import listed, shown
from chartgen.market.device.held import Held
from chartgen.market.device.source import LIST_LIMIT, Source
from chartgen.release.ledger import Ledger

CHECKSUMS = "/sha256sums"
_SUMS_LIMIT = 64 << 20
_ICON_LIMIT = 4 << 20
# As `sha256sum` writes and checks them (GNU coreutils), without its escapes.
_LINE = re.compile(r"([0-9a-f]{64}) [ *](?:\./|/)?([^\\\x00-\x1f]+)")

Digests = dict[str, str]
"""SHA-256 (hexadecimal) by path below the market's root, without a slash at its beginning."""


def check_icons(source: Source, apps: Iterable[Held], ledger: Ledger | None) -> Digests:
    """Fetch the icons of this market, and compare them with the digests in their names.

    Without a ledger only those are fetched whose addresses lie on the market's own host.
    """
    digests: Digests = {}
    newest = {} if ledger is None else {line.name: line for line in ledger.releases if line.icon}
    for held in apps:
        path = held.icon.removeprefix(source.base.root)
        if ledger is not None:
            published = newest.get(held.name)
            if published is None:
                continue
            if held.icon.rpartition("/")[2] != published.icon:
                message = f"{held.name} shows {shown(held.icon)}; published was {published.icon}"
                source.faults.add("market-icon-differs", source.base.root_path or "/", message)
            path = f"/icons/{published.icon}"
        elif not same_origin(held.icon, source.base.root) or not path.startswith("/"):
            continue
        if path.removeprefix("/") not in digests:
            digests |= _icon(source, path, checked=ledger is not None)
    return digests


def _icon(source: Source, path: str, *, checked: bool) -> Digests:
    reply = source.get_root(path, limit=_ICON_LIMIT)
    if reply is None:
        return {}
    place = f"{source.base.root_path}{path}"
    if reply.status != 200 or not reply.media_type.startswith("image/"):
        message = f"the status is {reply.status} ({shown(reply.media_type)}), no picture"
        source.faults.add("market-icon-missing", place, message)
        return {}
    digest = hashlib.sha256(reply.body).hexdigest()
    # `<name>-<the first 8 digits>.png`, as the ledger names icons.
    named = path.rpartition("-")[2].partition(".")[0]
    if checked and not digest.startswith(named):
        message = f"the SHA-256 begins with {digest[:8]}, published was {named}"
        source.faults.add("market-icon-differs", place, message)
    return {path.removeprefix("/"): digest}


def check_sums(source: Source, known: Mapping[str, str], *, needed: bool) -> None:
    """Compare the list of checksums with the files that came, and fetch what else it names.

    `known` has the digests of files that are known already, which the list has to hold. A market
    that is not `needed` to have the list may lack it.
    """
    place = f"{source.base.root_path}{CHECKSUMS}"
    reply = source.get_root(CHECKSUMS, limit=_SUMS_LIMIT)
    if reply is None or (reply.status == 404 and not needed):
        return
    if reply.status != 200:
        source.faults.add("market-sums-missing", place, f"the status is {reply.status}")
        return
    sums = _parsed(source, place, reply.body)
    missing = [path for path in known if path not in sums]
    if missing:
        message = f"the list lacks {listed(missing)}"
        source.faults.add("market-sums-missing", place, message)
    for path, digest in sums.items():
        if path in known:
            _compare(source, place, path, digest, known[path])
        elif path.split("/", 1)[-1].startswith("charts/") or path.startswith("charts/"):
            continue
        else:
            _fetch(source, place, path, digest)


def _parsed(source: Source, place: str, body: bytes) -> Digests:
    sums: Digests = {}
    for number, line in enumerate(body.decode("utf-8", "replace").splitlines(), start=1):
        match = _LINE.fullmatch(line)
        if match is None or ".." in match[2].split("/") or match[2] in sums:
            message = f"line {number} is no checksum and path, or a path again: {shown(line)}"
            source.faults.add("market-sums-differ", place, message)
            continue
        sums[match[2]] = match[1]
    return sums


def _fetch(source: Source, place: str, path: str, digest: str) -> None:
    reply = source.get_root(f"/{path}", limit=LIST_LIMIT)
    if reply is None:
        return
    if reply.status != 200:
        message = f"the list names {shown(path)}, whose status is {reply.status}"
        source.faults.add("market-sums-differ", place, message)
        return
    _compare(source, place, path, digest, hashlib.sha256(reply.body).hexdigest())


def _compare(source: Source, place: str, path: str, digest: str, found: str) -> None:
    if digest != found:
        message = f"{shown(path)} has the SHA-256 {found}, the list says {digest}"
        source.faults.add("market-sums-differ", place, message)

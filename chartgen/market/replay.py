"""A device against a site in memory: what a folder or a server will answer, without either.

The first time in full. Later a device that holds the former site is played: it looks at the apps
that changed as at a market of their own, and at the lists as a whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chartgen.files import write_atomically
from chartgen.findings import Finding
from chartgen.lint.chart import lint_chart
from chartgen.market.device.client import Call, Reply
from chartgen.market.device.compare import Published, check_offers, published
from chartgen.market.device.faults import Faults, listed
from chartgen.market.device.held import OLARES, Held, Sync, held_app, withdrawn
from chartgen.market.device.v1_calls import DETAILS_PATH, HASH_PATH, INFO_PATH
from chartgen.market.device.verify import VerifyReport, verify
from chartgen.market.routes import answer, content
from chartgen.market.site import APPLICATIONS_PATHS, CHECKSUMS, Base, Site
from chartgen.olares.names import app_id
from chartgen.package.write import package_name
from chartgen.release.ledger import Ledger

# What a detail has beyond its summary (chartgen/market/v1.py).
_HISTORY = ',"versionHistory":'


@dataclass(frozen=True)
class Verified:
    """A site as it was verified: `hashes` by base, and a digest of all bytes of each app.

    `target` says where, `made_by` by which chartgen and with which market.yaml.
    """

    target: str
    made_by: str
    hashes: Mapping[str, str]
    apps: Mapping[str, str]

    def same_site(self, other: Verified) -> bool:
        """Tell whether the other is of the very same site at the same target."""
        return (self.target, self.hashes) == (other.target, other.hashes)


def verified(site: Site, ledger: Ledger, *, target: str, made_by: str) -> Verified:
    """Return what is to be remembered of a site once it is verified."""
    hashes = {base.prefix: base.hash for base in site.bases}
    return Verified(target, made_by, hashes, dict(_digests(site, ledger)))


def read_verified(path: Path) -> Verified | None:
    """Return what was verified last; None where that is not known."""
    try:
        data = json.loads(path.read_bytes())
        return Verified(data["target"], data["made_by"], dict(data["hashes"]), dict(data["apps"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def write_verified(path: Path, mark: Verified) -> None:
    """Remember what was verified. Raises ChartgenError where that cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, f"{json.dumps(asdict(mark), sort_keys=True, indent=1)}\n".encode())


def changed_apps(now: Verified, before: Verified | None) -> tuple[str, ...] | None:
    """Return the apps of which other bytes are served than when they were verified.

    None where nothing that was verified before is of use.
    """
    if before is None or (before.target, before.made_by) != (now.target, now.made_by):
        return None
    return tuple(name for name, digest in now.apps.items() if before.apps.get(name) != digest)


def _digests(site: Site, ledger: Ledger) -> Iterator[tuple[str, str]]:
    """Yield each app with a digest of its details and the digests of its files."""
    for name, history in ledger.by_name().items():
        parts = [base.details.get(app_id(name), "") for base in site.bases]
        paths = {f"/apps/{name}.html"}
        for line in history:
            chart = package_name(name, line.version)
            paths |= {f"{base.prefix}/charts/{chart}" for base in site.bases}
            paths.add(f"/icons/{line.icon}")
        for path in sorted(paths):
            file = site.files.get(path)
            parts.append(f"{path} {file.sha256 if file else ''}")
        yield name, hashlib.sha256("\n".join(parts).encode()).hexdigest()


def verify_site(site: Site, url: str, ledger: Ledger, *, lint: bool = False) -> VerifyReport:
    """Verify a site as devices would find it at an address.

    Charts were linted before they were released, so `lint` is off unless wanted.
    """
    base = urlsplit(url).path.rstrip("/")

    def fetch(call: Call, /) -> Reply:
        parts = urlsplit(call.url)
        found = answer(
            site, call.method, parts.path.removeprefix(base) or "/", parts.query, call.body
        )
        headers = {name.lower(): value for name, value in found.headers.items()}
        body = content(site, found)
        return Reply(found.status, headers | {"content-length": str(found.length)}, body)

    return verify(url, fetch=fetch, ledger=ledger, lint=lint_chart if lint else None)


def of_apps(ledger: Ledger, names: Collection[str]) -> Ledger:
    """Return the lines of some apps only, as if there were no others."""
    wanted = frozenset(names)
    return Ledger(tuple(line for line in ledger.releases if line.name in wanted))


def verify_changes(
    site: Site, part: Site, url: str, ledger: Ledger, names: Collection[str]
) -> tuple[Finding, ...]:
    """Verify a site of which all apps but the named ones were verified before.

    `part` is the site of these apps alone (`of_apps`): devices are replayed against it in full.
    That the whole site serves the same bytes of them, and that its lists hold every app as the
    ledger and the details have it, is compared here.
    """
    faults = Faults()
    faults.take(verify_site(part, url, of_apps(ledger, names)).findings)
    _compare_parts(faults, site, part)
    for base in site.bases:
        _check_lists(faults, site, base, published(ledger, base.platform))
    _check_sums(faults, site)
    return faults.findings()


def _compare_parts(faults: Faults, site: Site, part: Site) -> None:
    whole = {base.prefix: base for base in site.bases}
    for base in part.bases:
        details = whole[base.prefix].details if base.prefix in whole else {}
        for key, text in base.details.items():
            if details.get(key) != text:
                message = "the details are not those of the app by itself"
                faults.add("market-mixed", f"{base.prefix}{DETAILS_PATH}", message, f"apps.{key}")
    folders = ["/apps/", "/icons/", *(f"{base.prefix}/charts/" for base in part.bases)]
    for path, file in part.files.items():
        if path.startswith(tuple(folders)) and site.files.get(path) != file:
            faults.add("market-sums-differ", path, "the file is not that of the app by itself")


def _check_lists(faults: Faults, site: Site, base: Base, known: Published) -> None:
    """Compare the lists of all apps with the ledger, and the summaries with the details."""
    place = f"{base.prefix}{INFO_PATH}"
    data = content(site, answer(site, "GET", place)).decode()
    info = json.loads(data)
    apps: dict[str, Held] = {}
    gone: dict[str, Held] = {}
    for key, entry in info["data"]["apps"].items():
        held = held_app(key, entry)
        (gone if withdrawn(entry) else apps)[held.name] = held
    check_offers(faults, Sync("B", base.prefix, OLARES["B"], "", apps, gone), known)
    if info["data"]["apps"].keys() != base.details.keys():
        faults.add("market-detail-missing", place, "details and list are not of the same apps")
    differing = _differing_summaries(data, base)
    if differing:
        message = f"summary and details differ of {listed(differing)}"
        faults.add("market-mixed", place, message, "data.apps")
    asked = json.loads(content(site, answer(site, "GET", f"{base.prefix}{HASH_PATH}")))["hash"]
    if not asked == info["hash"] == base.hash:
        message = f"the hash is {info['hash']}, and {asked} where only the hash is asked for"
        faults.add("market-hash-differs", place, message, "hash")
    for path in APPLICATIONS_PATHS:
        found = answer(site, "GET", f"{base.prefix}{path}")
        listing = json.loads(content(site, found))["data"]
        check_offers(faults, _sync_c(base, listing), known)


def _sync_c(base: Base, listing: Mapping[str, Any]) -> Sync:
    apps = {item["name"]: held_app(item["app_id"], item) for item in listing["items"]}
    return Sync("C", base.prefix, OLARES["C"], "", apps, removed=frozenset(listing["removed"]))


def _differing_summaries(info: str, base: Base) -> list[str]:
    """Return the ids of apps whose summary in the list is not, byte for byte, their details'."""
    differing = []
    at = 0
    for key, detail in base.details.items():
        summary = f'"{key}":{detail.rpartition(_HISTORY)[0]}}}'
        found = info.find(summary, at)
        if found < 0:
            differing.append(key)
        else:
            at = found + len(summary)
    return differing


def _check_sums(faults: Faults, site: Site) -> None:
    listed_files = content(site, answer(site, "GET", CHECKSUMS)).decode().splitlines()
    sums = {path: digest for digest, _, path in (line.partition("  ") for line in listed_files)}
    files = {path[1:]: file.sha256 for path, file in site.files.items() if path != CHECKSUMS}
    if sums != files:
        faults.add("market-sums-differ", CHECKSUMS, "the list is not that of the files served")

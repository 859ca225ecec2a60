"""What a market offers: the ledger's apps with what their newest packages say of themselves.

Everything that a market serves follows from a catalog, and a catalog from the ledger, the packages
that the ledger names, market.yaml, and what stands beside the specs: measurements and facts of
models. Packages are read one by one and not kept.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chartgen.chart import Chart
from chartgen.errors import RefusedError
from chartgen.findings import Finding
from chartgen.lint.device_yaml import read_device_yaml
from chartgen.lint.manifest_reading import read_manifests
from chartgen.market.evidence import AppEvidence, Beside, ModelFiles
from chartgen.market.pieces import Recall, made_anew
from chartgen.market.settings import MarketSettings
from chartgen.olares.names import app_id
from chartgen.olares.platform import PLATFORMS
from chartgen.package.read import read_package
from chartgen.package.write import package_name
from chartgen.release.ledger import RELEASES, Ledger, LedgerError
from chartgen.release.record import PackageRecord, Release

ReadFile = Callable[[str], bytes]
"""Returns the bytes of a file by its path below `market/releases`."""

_TRANSLATION = re.compile(r"i18n/([^/]+)/OlaresManifest\.yaml")
# Two releases within one second must not share a stamp: devices refetch what has a newer one.
_LEAST_STEP_MS = 1000


@dataclass(frozen=True, slots=True)
class Offer:
    """What devices of one platform are offered of an app: its newest release that has a package.

    `manifest` has the device's names and types; `translations` maps a locale to its texts, as the
    chart holds them. `chart_file` is the package's name, which devices ask for.
    """

    platform: str
    release: Release
    manifest: Mapping[str, Any]
    translations: Mapping[str, Mapping[str, Any]]
    chart_file: str


@dataclass(frozen=True, slots=True)
class CatalogApp:
    """An app that was ever released, with its offers by platform.

    `history` is oldest first. `retired` is the line that retired the app; its offers then only
    say what the tombstone is made of. `icon` is the newest icon's file name. `evidence` is what was
    measured of the app.
    """

    name: str
    id: str
    offers: Mapping[str, Offer]
    history: tuple[Release, ...]
    retired: Release | None
    icon: str
    evidence: AppEvidence

    def releases(self, platform: str) -> tuple[Release, ...]:
        """Return the releases that have a package for a platform, oldest first."""
        return tuple(r for r in self.history if r.package(platform) is not None)

    def modified_ms(self, platform: str) -> int:
        """Return when a platform's offer last changed: UTC, in milliseconds since 1970.

        It follows from the ledger's dates and rises with every line, also where a clock went back.
        """
        lines = (*self.releases(platform), *([self.retired] if self.retired else []))
        stamp = 0
        for line in lines:
            stamp = max(stamp + _LEAST_STEP_MS, epoch_ms(line))
        return stamp


@dataclass(frozen=True, slots=True)
class Catalog:
    """All apps by name in order; `serial` is that of the ledger's newest line.

    `models` are the facts of models that stand beside the specs.
    """

    settings: MarketSettings
    apps: tuple[CatalogApp, ...]
    serial: int
    models: ModelFiles

    def on(self, platform: str) -> Iterator[tuple[CatalogApp, Offer]]:
        """Yield the apps that a platform has or had an offer of, retired ones included."""
        for app in self.apps:
            if platform in app.offers:
                yield app, app.offers[platform]


def build_catalog(
    settings: MarketSettings,
    ledger: Ledger,
    read: ReadFile,
    recall: Recall = made_anew,
    beside: Beside | None = None,
) -> Catalog:
    """Return the catalog of a ledger. A package is read only where `recall` does not know it.

    Raises LedgerError where a package is not the one that the ledger names, and RefusedError where
    a device would take two apps for one.
    """
    known = beside or Beside()
    apps = tuple(
        _app(name, lines, read, recall, known.of(name)) for name, lines in ledger.by_name().items()
    )
    _check_ids(apps)
    return Catalog(settings, apps, serial=len(ledger.releases), models=known.models)


def best_offer(app: CatalogApp) -> Offer:
    """Return the offer that people are shown: that of the newest platform."""
    return next(app.offers[platform] for platform in PLATFORMS if platform in app.offers)


def epoch_ms(release: Release) -> int:
    """Return the date of a line of the ledger in milliseconds since 1970.

    Raises LedgerError where it is none.
    """
    try:
        moment = datetime.strptime(release.date, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        return int(moment.timestamp()) * 1000
    except ValueError:
        where = f"{release.name} {release.version}"
        raise LedgerError(f"the ledger's date of {where} is {release.date!r}") from None


def _app(
    name: str, lines: tuple[Release, ...], read: ReadFile, recall: Recall, evidence: AppEvidence
) -> CatalogApp:
    retired = lines[-1] if lines[-1].kind == "retired" else None
    history = lines[:-1] if retired else lines
    offers = {}
    for platform in PLATFORMS:
        for release in reversed(history):
            record = release.package(platform)
            if record is not None:
                offers[platform] = _offer(release, record, read, recall)
                break
    return CatalogApp(
        name=name,
        id=app_id(name),
        offers=offers,
        history=history,
        retired=retired,
        icon=history[-1].icon,
        evidence=evidence,
    )


def _offer(release: Release, record: PackageRecord, read: ReadFile, recall: Recall) -> Offer:
    manifest, translations = recall(
        release.name,
        f"package {record.platform}",
        lambda: _described(release, record, read),
    )
    return Offer(
        platform=record.platform,
        release=release,
        manifest=manifest,
        translations=translations,
        chart_file=package_name(release.name, release.version),
    )


def _described(release: Release, record: PackageRecord, read: ReadFile) -> list[Any]:
    """Return what a package says of itself: its manifest, and its translations by locale."""
    path = f"{RELEASES}/{record.file}"
    data = read(record.file)
    if hashlib.sha256(data).hexdigest() != record.sha256:
        raise LedgerError(
            f"{path}: is not what {release.name} {release.version} was published with; "
            "restore the file from git"
        )
    chart = read_package(data, path)
    manifests, findings = read_manifests(chart)
    if not manifests:
        raise _unreadable(path, findings)
    manifest = manifests[0].data
    stated = manifest.get("metadata", {})
    if (stated.get("name"), stated.get("version")) != (release.name, release.version):
        # A device would download and render such an app again every 30 s (market-protocol-v1 §2.8).
        raise LedgerError(
            f"{path}: calls itself {stated.get('name')} {stated.get('version')}, "
            f"but the ledger says {release.name} {release.version}"
        )
    return [manifest, dict(_translations(chart))]


def _translations(chart: Chart) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for path, data in chart.files.items():
        match = _TRANSLATION.fullmatch(path)
        if match is not None:
            document, findings = read_device_yaml(data, f"{chart.origin}!{path}")
            if document is None:
                raise _unreadable(chart.origin, findings)
            yield match[1], document.value if isinstance(document.value, dict) else {}


def _unreadable(path: str, findings: tuple[Finding, ...]) -> LedgerError:
    reason = findings[0].message if findings else "it holds no OlaresManifest.yaml"
    return LedgerError(f"{path}: a device cannot read its manifest ({reason})")


def _check_ids(apps: tuple[CatalogApp, ...]) -> None:
    names: dict[str, str] = {}
    for app in apps:
        other = names.setdefault(app.id, app.name)
        if other != app.name:
            raise RefusedError(
                f"{other} and {app.name} have the same id {app.id} on a device; rename one of them"
            )

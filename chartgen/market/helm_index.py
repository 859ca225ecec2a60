"""The market as a Helm repository: `index.yaml`, which `helm repo add` and `helm pull` read.

Format: helm v3.19, pkg/repo/index.go (IndexFile, ChartVersion); dates are those of the ledger.
"""

from __future__ import annotations

from typing import Any

from chartgen.market.catalog import Catalog, CatalogApp, Offer
from chartgen.market.v1 import icon_address
from chartgen.package.write import package_name
from chartgen.release.record import Release
from chartgen.yaml_text import yaml_text

_NO_DATE = "1970-01-01T00:00:00Z"


def helm_index(catalog: Catalog, platform: str) -> str:
    """Return the index of all packages of a platform, the newest version of each app first."""
    entries = {
        app.name: [
            _chart_version(catalog, app, offer, release)
            for release in reversed(app.releases(platform))
        ]
        for app, offer in catalog.on(platform)
    }
    dates = [version["created"] for versions in entries.values() for version in versions]
    return yaml_text(
        {"apiVersion": "v1", "entries": entries, "generated": max(dates, default=_NO_DATE)}
    )


def _chart_version(
    catalog: Catalog, app: CatalogApp, offer: Offer, release: Release
) -> dict[str, Any]:
    record = release.package(offer.platform)
    assert record is not None
    # Only what the offered package says of itself is known; older ones are named and digested.
    described = {}
    if release is offer.release:
        described = {
            "description": offer.manifest["metadata"].get("description") or "",
            "icon": icon_address(app, offer, catalog.settings),
        }
    return {
        "apiVersion": "v2",
        "name": release.name,
        "version": release.version,
        "appVersion": release.version,
        "type": "application",
        **described,
        **({"deprecated": True} if app.retired else {}),
        "created": release.date,
        "digest": record.sha256,
        "urls": [f"charts/{package_name(release.name, release.version)}"],
    }

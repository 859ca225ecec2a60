"""A market's site with any number of apps, and the same market as one plain script."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

from chartgen.chart import Chart
from chartgen.market.catalog import build_catalog
from chartgen.market.site import PNG, Site, build_site
from chartgen.market.worker_data import JAVASCRIPT
from chartgen.package.write import pack, package_name
from chartgen.release.ledger import ICONS, Ledger, chained
from chartgen.release.record import PackageRecord, Release
from chartgen.release.workspace import read_workspace
from chartgen.spec.load import icon_file

PLATFORM = "modern"
_DATE = "2026-11-21T18:00:00Z"
# Names have at most 30 characters (olares-manifest 2.1), of which four are the number.
_NAME_STEM = 26


def market_site(root: Path, count: int) -> Site:
    """Return the site of a market with `count` apps, made in turn from those of the one in `root`.

    Each spec is rendered once; its copies differ in the app's name.
    """
    workspace = read_workspace(root)
    apps = [app for app in workspace.apps if PLATFORM in app.charts]
    files: dict[str, bytes] = {}
    releases = []
    for number in range(count):
        app = apps[number % len(apps)]
        spec = app.loaded.spec
        name = f"{spec.name[:_NAME_STEM]}{number:04d}"
        chart = renamed(app.charts[PLATFORM], name)
        package, path = pack(chart), f"packages/{package_name(name, spec.version)}"
        files[path] = package
        digest = hashlib.sha256(package).hexdigest()
        record = PackageRecord(PLATFORM, path, digest, chart.content_digest(), len(package))
        icon, source = "", icon_file(spec)
        if source is not None:
            picture = app.loaded.files[source]
            icon = f"{name}-{hashlib.sha256(picture).hexdigest()[:8]}.png"
            files[f"{ICONS}/{icon}"] = picture
        settings = app.loaded.document.value
        releases.append(
            Release(
                0, "", "release", name, spec.version, _DATE, ("First",), (record,), icon, settings
            )
        )
    ledger = Ledger(chained(Ledger(), releases))
    catalog = build_catalog(workspace.market, ledger, files.__getitem__)
    return build_site(catalog, files.__getitem__)


def renamed(chart: Chart, name: str) -> Chart:
    """Return a chart under another name, wherever it states its own."""
    files = {
        path.replace(chart.name, name): data.replace(chart.name.encode(), name.encode())
        for path, data in chart.files.items()
    }
    return Chart(name, files)


def plain_modules(site: Site) -> dict[str, tuple[str, bytes]]:
    """Return the modules of a plain Worker that serves a site, all bytes within its script."""
    base = site.bases[0]
    files = {name: site.content(path) for name, path in base.charts.items()}
    files |= {p: site.content(p) for p, file in site.files.items() if file.content_type == PNG}
    market = {
        "hash": json.loads(site.content("/api/v1/appstore/hash")),
        "info": json.loads(site.content("/api/v1/appstore/info")),
        "details": {id_: json.loads(text) for id_, text in base.details.items()},
        "version": base.olares_version,
        "files": {name: base64.b64encode(data).decode() for name, data in files.items()},
    }
    text = json.dumps(market, ensure_ascii=False, separators=(",", ":"))
    script = (Path(__file__).parent / "plain_worker.js").read_bytes()
    return {
        "plain_worker.js": (JAVASCRIPT, script),
        "market.js": (JAVASCRIPT, f"export default {text};\n".encode()),
    }

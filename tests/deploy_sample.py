"""A market small enough to read, as a site and as the code of its Worker.

`tools/record_wrangler.py` lets real wrangler deploy it, the tests let chartgen do so.
"""

from __future__ import annotations

import json
from dataclasses import replace

from chartgen.market.deploy.plan import Plan, WorkerScript, build_plan
from chartgen.market.site import GZIP, HTML, JSON, PNG, Base, Site, SiteFile
from chartgen.market.v2 import Applications

NAME = "market"
APP = "0a1b2c3d"
# Modules of the three kinds that a market's Worker has, of the media types that wrangler gives
# to its `ESModule` and `Data`.
MAIN = "worker.js"
MODULES = {
    MAIN: (
        "application/javascript+module",
        b"""import market from "./data.js";
import texts from "./texts.bin";
export default { fetch: () => new Response(market + texts.byteLength) };
""",
    ),
    "data.js": ("application/javascript+module", b'export default "sample";\n'),
    "texts.bin": ("application/octet-stream", b"\x00\x01\x02"),
}
CONFIG = {
    "html_handling": "none",
    "not_found_handling": "none",
    "run_worker_first": ["/api/v1/applications/*"],
    "_headers": "/api/*\n  Cache-Control: no-store\n",
}
SCRIPT = WorkerScript(MAIN, MODULES, CONFIG, "2026-07-01")
# Another script for the same files.
NEXT_SCRIPT = replace(SCRIPT, modules={**MODULES, "texts.bin": (MODULES["texts.bin"][0], b"\x03")})


def sample_site(version: str = "1.0.0") -> Site:
    """Return the site that offers one app in this version."""
    chart = f"one-{version}.tgz"
    info = {"hash": version, "data": {"apps": {APP: {"name": "one", "version": version}}}}
    files = {
        "/api/v1/appstore/hash": SiteFile.of(_json({"hash": version}), JSON),
        "/api/v1/appstore/info": SiteFile.of(_json(info), JSON),
        f"/charts/{chart}": SiteFile.of(b"\x1f\x8b" + version.encode(), GZIP, immutable=True),
        "/icons/one-1a2b3c4d.png": SiteFile.of(b"\x89PNG\r\n\x1a\n", PNG, immutable=True),
        "/index.html": SiteFile.of(b"<!doctype html><title>Market</title>", HTML),
    }
    base = Base(
        prefix="",
        platform="modern",
        hash=version,
        details={APP: json.dumps({"id": APP, "name": "one", "version": version})},
        charts={chart: f"/charts/{chart}"},
        catalog_v2={},
        applications=Applications((), (), 0),
        source_id="market.Sample",
        olares_version="1.12.6",
    )
    return Site(files, (base,), _no_file)


def sample_plan(version: str = "1.0.0", script: WorkerScript = SCRIPT) -> Plan:
    """Return the plan of that site."""
    return build_plan(sample_site(version), script)


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _no_file(path: str) -> bytes:
    raise AssertionError(f"{path}: all files of the sample are held as bytes")


# Deployments in their order, each with a plan and whether it goes to a domain.
DOMAIN = "market.example.com"
RUNS = {
    "first": (sample_plan("1.0.0"), False),
    "later": (sample_plan("1.0.1"), False),
    "script": (sample_plan("1.0.1", NEXT_SCRIPT), False),
    "domain": (sample_plan("1.0.2"), True),
}

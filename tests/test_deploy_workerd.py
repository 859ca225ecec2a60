"""What arrives at Cloudflare answers rightly in Cloudflare's own runtime."""

from __future__ import annotations

from pathlib import Path

import pytest

from chartgen.market.deploy.http import connect
from chartgen.market.deploy.plan import build_plan, market_script
from chartgen.market.deploy.probes import ask, probes_of
from chartgen.market.site import Site, SiteFile
from tests import workerd
from tests.deploy_sample import NAME
from tests.deploying import publishing
from tests.markets import sample_site

pytestmark = [
    pytest.mark.loopback,
    pytest.mark.skipif(not workerd.installed(), reason=workerd.ABSENT),
]


def test_what_was_uploaded_passes_every_probe(tmp_path: Path) -> None:
    site = sample_site()
    with publishing() as publisher:
        publisher.publish_plan(build_plan(site, market_script(site)))
        kept = publisher.cloudflare.assets
        version = publisher.cloudflare.workers[NAME].versions[0]
    files = {
        path: SiteFile.of(kept[digest].data, kept[digest].content_type)
        for path, digest in version.manifest.items()
    }
    arrived = Site(files, (), lambda path: b"")
    config = version.metadata["assets"]["config"]

    services = workerd.deployed(version.modules, config, arrived, tmp_path)
    with (
        workerd.running(services, "router", tmp_path) as server,
        connect(server.address) as http,
    ):
        faults = [ask(http, server.address, probe) for probe in probes_of(site)]

    assert faults == [""] * 8

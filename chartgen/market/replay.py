"""A device against a site in memory: what a folder or a server will answer, without either."""

from __future__ import annotations

from urllib.parse import urlsplit

from chartgen.lint.chart import lint_chart
from chartgen.market.device.client import Call, Reply
from chartgen.market.device.verify import VerifyReport, verify
from chartgen.market.routes import answer, content
from chartgen.market.site import Site
from chartgen.release.ledger import Ledger


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

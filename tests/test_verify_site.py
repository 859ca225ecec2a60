"""chartgen's own site, read by the device that was written without looking at it."""

from __future__ import annotations

import httpx2
import pytest

from chartgen.lint.chart import lint_chart
from chartgen.market.device.client import connect
from chartgen.market.device.verify import VerifyReport, verify
from chartgen.market.page import page_files
from chartgen.market.routes import answer, content
from chartgen.market.site import Site
from tests.markets import Market, released, sample

URL = "https://market.example.com"


def verified(site: Site, market: Market) -> VerifyReport:
    def respond(request: httpx2.Request) -> httpx2.Response:
        path, _, query = request.url.raw_path.decode().partition("?")
        found = answer(site, request.method, path, query, request.content)
        headers = dict(found.headers)
        return httpx2.Response(found.status, content=content(site, found), headers=headers)

    with connect(URL, transport=httpx2.MockTransport(respond)) as fetch:
        return verify(URL, fetch=fetch, ledger=market.ledger, lint=lint_chart)


@pytest.fixture(scope="module")
def report() -> VerifyReport:
    market = sample()
    return verified(market.site(page_files(market.catalog(), market.read)), market)


def test_every_generation_can_use_the_site(report: VerifyReport) -> None:
    assert [found for found in report.findings if found.rule.startswith("market-")] == []
    # One of its apps has a category of its own, on purpose.
    assert {found.rule for found in report.findings} == {"category-unofficial"}
    assert report.sound


def test_all_generations_are_offered_what_the_ledger_says(report: VerifyReport) -> None:
    modern, legacy = report.bases
    for sync in modern.syncs:
        versions = {name: held.version for name, held in sync.apps.items()}
        assert versions == {"alpha": "1.1.1", "beta": "0.3.0", "zeta": "1000.20000.30000"}
    for sync in legacy.syncs:
        versions = {name: held.version for name, held in sync.apps.items()}
        assert versions == {
            "alpha": "1.0.0",
            "beta": "0.3.0",
            "gamma": "0.1.0",
            "zeta": "1000.20000.30000",
        }


def test_an_older_site_is_told_from_the_ledger() -> None:
    market = sample()
    grown = market.grown(released("zeta", "1000.20000.30001", 9))
    rules = {found.rule for found in verified(market.site(), grown).findings}
    assert "market-frozen" in rules

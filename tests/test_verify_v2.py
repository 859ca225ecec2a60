"""Every trap of the v2 protocol, which devices from Olares 1.12.7 on speak."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from market_simulator import (
    APPLICATIONS,
    BROWSE,
    CATALOG,
    TAXONOMY,
    Market,
    answer,
    app_id,
)
from test_verify_v1 import Bend, bend, case, headers, instead


def lists(*keys: str | int, value: Any) -> Bend:
    """Change both lists of applications alike."""

    def change(market: Market) -> None:
        market.bend(APPLICATIONS, "data", *keys, value=value)
        market.bend(BROWSE, "data", *keys, value=value)

    return change


def first(field: str, value: Any) -> Bend:
    return lists("items", 0, field, value=value)


def only_v1(market: Market) -> None:
    """A market as it was before 1.12.7."""
    market.respond("/api/v2/", lambda _request, _response: answer({}, 404))


def no_echo(market: Market) -> None:
    market.bend(CATALOG, "data", "source_id", value="market.Other")


def more_for_ever(market: Market) -> None:
    """No page says that it is the last."""

    def respond(request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        if request.url.path != APPLICATIONS:
            return response
        made = response.json()
        made["data"]["has_more"] = "size" in request.url.params
        return answer(made)

    market.respond(APPLICATIONS, respond)


def without_charts(market: Market) -> None:
    market.shelves[""].charts_v2 = {}


def undeclared(market: Market) -> None:
    """An app has a category that the taxonomy lacks."""
    for field in ("categories", "categories_v2"):
        first(field, ["Agents"])(market)


V2 = [
    case("market-v2-missing market-v2-chart-missing", "v1-only", only_v1),
    case("market-status", "catalog-500", instead(CATALOG, lambda: answer({}, 500))),
    case("market-content-type", "catalog-text", headers(CATALOG, content_type="text/html")),
    case("market-v2-code", "catalog-code", bend(CATALOG, "code", value=1)),
    case("market-v2-type", "catalog-code-text", bend(CATALOG, "code", value="0")),
    case(
        "market-v2-type",
        "catalog-time-text",
        bend(CATALOG, "data", "apps_last_modify_time", value="2026-11-21T18:00:00Z"),
    ),
    case("market-v2-type", "catalog-schema", bend(CATALOG, "data", "schema_version", value="v3")),
    case("market-v2-type", "catalog-digest", bend(CATALOG, "data", "apps_filter_digest", value="")),
    case("market-v2-source", "source-not-echoed", no_echo),
    case(
        "market-v2-source",
        "source-official",
        bend(TAXONOMY, "data", "source", "is_official", value=True),
    ),
    case(
        "market-v2-source",
        "source-nameless",
        bend(TAXONOMY, "data", "source", "short_label", value=""),
    ),
    case(
        "market-v2-type",
        "taxonomy-title-text",
        bend(TAXONOMY, "data", "categories", 0, "title", value="Models"),
    ),
    case("market-v2-type", "taxonomy-nav-map", bend(TAXONOMY, "data", "nav", value={})),
    case("market-v2-category", "category-undeclared", undeclared),
    case("market-v2-category", "category-not-in-nav", bend(TAXONOMY, "data", "nav", value=[])),
    case("market-v2-category", "category-without-page", bend(TAXONOMY, "data", "pages", value=[])),
    case(
        "market-v2-category",
        "nav-undeclared",
        bend(TAXONOMY, "data", "nav", value=["Models", "Homelab"]),
    ),
    case("market-v2-type", "updated-at-iso", first("updated_at", "2026-11-21T18:00:00Z")),
    case("market-v2-type", "stamp-float", first("last_modify_time", 1.5)),
    case("market-v2-type", "items-map", lists("items", value={})),
    case("market-v2-unit", "modify-time-in-seconds", first("last_modify_time", 1_793_556_000)),
    case("market-v2-unit", "updated-at-in-ms", first("updated_at", 1_793_556_000_000)),
    case("market-v2-stamp", "newest-too-old", lists("max_last_modify_time", value=1)),
    case(
        "market-v2-stamp",
        "catalog-too-old",
        bend(CATALOG, "data", "apps_last_modify_time", value=1),
    ),
    case("market-v2-constraint", "constraint-words", first("olares_version_constraint", "newest")),
    case("market-v2-constraint", "constraint-empty", first("olares_version_constraint", "")),
    case("market-v2-incomplete", "no-icon", first("icon", "")),
    case("market-mixed", "title-differs", first("title", "Another")),
    case(
        "market-name-twice market-v2-paging market-v2-browse",
        "item-twice",
        bend(
            APPLICATIONS,
            "data",
            "items",
            value=lambda old: [*old, old[0] | {"last_modify_time": 1_793_556_000_001}],
        ),
    ),
    case(
        "market-v2-browse", "browse-lacks", bend(BROWSE, "data", "items", value=lambda old: old[:1])
    ),
    case("market-v2-paging", "total-wrong", bend(APPLICATIONS, "data", "total", value=2)),
    case("market-v2-paging", "more-for-ever", more_for_ever),
    case("market-v2-chart-missing", "charts-under-v1-only", without_charts),
]
TRAPS = V2
CONSEQUENCES = {"market-generations-differ"}


@pytest.mark.parametrize(("rules", "trap"), V2)
def test_trap(rules: str, trap: Bend) -> None:
    market = Market()
    trap(market)
    broken = {found.rule for found in market.verify(ledger=None).findings}
    assert broken - CONSEQUENCES == set(rules.split())


def test_stamps_follow_the_ledger_and_no_clock() -> None:
    market = Market()
    for item in range(3):
        lists("items", item, "last_modify_time", value=1_800_000_000_000)(market)
    lists("max_last_modify_time", value=1_800_000_000_000)(market)
    market.bend(CATALOG, "data", "apps_last_modify_time", value=1_800_000_000_000)
    found = {f.rule: f for f in market.verify().findings}
    assert list(found) == ["market-update-stamp"]


def test_pages_are_walked_to_the_end() -> None:
    market = Market(tuple((f"app{number:03}", "1.0.0") for number in range(250)))
    report = market.verify(generations=["C"])
    assert report.findings == ()
    asked = [
        request.url.params["page"]
        for request in market.requests
        if request.url.path == APPLICATIONS and "size" in request.url.params
    ]
    assert asked == ["1", "2", "3", "4"]


def test_charts_are_asked_for_under_v1_after_a_404_only() -> None:
    market = Market((("alpha", "1.0.0"),))
    market.verify(generations=["C"], ledger=None)
    paths = [r.url.path for r in market.requests]
    assert "/api/v1/applications/alpha/chart" not in paths
    without_charts(market)
    market.verify(generations=["C"], ledger=None)
    paths = [r.url.path for r in market.requests]
    assert "/api/v1/applications/alpha/chart" in paths


def test_removed_apps_may_be_listed_by_id_alone() -> None:
    market = Market()
    lists("removed", value=[app_id("echo")])(market)
    assert market.verify(generations=["C"]).findings == ()
    lists("removed", value=[])(market)
    rules = {found.rule for found in market.verify(generations=["C"]).findings}
    assert rules == {"market-tombstone-missing"}

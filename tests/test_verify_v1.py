"""Every trap of the v1 protocol: what breaks a device is found, by its own rule and no other."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from typing import Any

import httpx2
import pytest
from market_simulator import DETAILS, HASH, INFO, SUMS, Market, answer, app_id, package

Bend = Callable[[Market], Any]
ALPHA, BRAVO, ECHO = app_id("alpha"), app_id("bravo"), app_id("echo")


def case(rules: str, name: str, bend: Bend) -> pytest.ParameterSet:
    """Name the rules that a market breaks on the modern base once it has been bent."""
    return pytest.param(rules, bend, id=name)


def bend(path: str, *keys: str | int, value: Any) -> Bend:
    return lambda market: market.bend(path, *keys, value=value)


def both(key: str, *keys: str | int, value: Any) -> Bend:
    """Change a field of an app in the summary and in the details alike."""

    def change(market: Market) -> None:
        market.bend(INFO, "data", "apps", key, *keys, value=value)
        market.bend(DETAILS, key, *keys, value=value)

    return change


def drop(path: str, *keys: str | int) -> Bend:
    return lambda market: market.drop(path, *keys)


def instead(path: str, respond: Callable[[], httpx2.Response]) -> Bend:
    return lambda market: market.respond(path, lambda _request, _response: respond())


def headers(path: str, **changes: str) -> Bend:
    """Answer with other headers; an empty one is left out."""

    def respond(_: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        for name, value in changes.items() if response.status_code == 200 else ():
            response.headers[name.replace("_", "-")] = value
        return response

    return lambda market: market.respond(path, respond)


def posts(respond: Callable[[Any], Any]) -> Bend:
    """Answer POSTs of sound JSON otherwise; `respond` gets what was asked."""

    def change(request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        if response.status_code != 200:
            return response
        made = respond(json.loads(request.content))
        return made if isinstance(made, httpx2.Response) else answer(made)

    return lambda market: market.respond(DETAILS, change)


def moving_hash(market: Market) -> None:
    """A build time in the hash, as in the market that was looked at first."""
    ticks = count()

    def respond(_: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        return answer({"hash": f"{next(ticks) // 4}", "last_updated": "", "version": ""})

    market.bend(INFO, "hash", value="0")
    market.respond(HASH, respond)


def hash_by_version(market: Market) -> None:
    def respond(request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        if request.url.params.get("version") == "1.12.3":
            return answer({"hash": "another", "last_updated": "", "version": ""})
        return response

    market.respond(HASH, respond)


def flaky_details(market: Market) -> None:
    """The first attempt fails."""
    numbers = count()

    def respond(_: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        return answer({}, 503) if next(numbers) == 0 else response

    market.respond(DETAILS, respond)


def offer_chart(market: Market, name: str, version: str) -> None:
    shelf = market.shelves[""]
    shelf.charts[f"{name}-{version}.tgz"] = package(name, version, "modern")
    shelf.charts_v2 = dict(shelf.charts)
    market.files[SUMS] = market.sums()


def version(text: str) -> Bend:
    """Offer alpha under another version everywhere, with a chart of that name."""

    def change(market: Market) -> None:
        market.offer_version("", "alpha", text)
        market.bend(DETAILS, ALPHA, "versionHistory", value=[])
        offer_chart(market, "alpha", text)

    return change


def name(text: str) -> Bend:
    """Call alpha otherwise everywhere."""

    def change(market: Market) -> None:
        shelf = market.shelves[""]
        whole = json.dumps(shelf.documents).replace('"alpha', f'"{text}')
        shelf.documents = json.loads(whole)
        data = shelf.documents[INFO]["data"]
        data["recommends"] = data["topics"] = data["topic_lists"] = {}
        for page in data["pages"].values():
            page["content"] = "[]"
        shelf.details = json.loads(json.dumps(shelf.details).replace('"alpha', f'"{text}'))
        if text != "bravo":
            offer_chart(market, text, "1.0.0")

    return change


def wrapped_posts(change: Callable[[Any], None]) -> Bend:
    """Change what is answered to sound POSTs."""

    def respond(_: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        if response.status_code != 200:
            return response
        made = response.json()
        change(made)
        return answer(made)

    return lambda market: market.respond(DETAILS, respond)


def detail_extra(market: Market) -> None:
    """An app that nobody asked for comes with each batch."""
    former = market.shelves[""].details[ALPHA] | {"name": "delta", "id": app_id("delta")}
    former["appID"] = app_id("delta")

    def change(made: Any) -> None:
        if made["apps"]:
            made["apps"][app_id("delta")] = former

    wrapped_posts(change)(market)


def prototype_members(market: Market) -> None:
    """An object's own members are taken for apps: they are neither found nor missing."""

    def change(made: Any) -> None:
        members = {"constructor", "__proto__"}
        made["not_found"] = [key for key in made["not_found"] if key not in members]

    wrapped_posts(change)(market)


def repeated_unknowns(market: Market) -> None:
    wrapped_posts(lambda made: made["not_found"].extend(made["not_found"]))(market)


HASHES = [
    case("market-hash-type", "hash-number", bend(HASH, "hash", value=1)),
    case("market-hash-type", "hash-version-number", bend(HASH, "version", value=1.12)),
    case("market-hash-type", "hash-list", instead(HASH, lambda: answer([]))),
    case("market-hash-type", "hash-empty", instead(HASH, lambda: answer({}))),
    case("market-status", "hash-404", instead(HASH, lambda: answer({}, 404))),
    case(
        "market-not-json",
        "hash-html",
        instead(
            HASH,
            lambda: httpx2.Response(
                200, html="<h1>Just a moment</h1>", headers={"cache-control": "no-store"}
            ),
        ),
    ),
    case("market-hash-differs", "hash-differs", bend(HASH, "hash", value="other")),
    case("market-hash-moves", "hash-follows-clock", moving_hash),
    case("market-hash-by-version", "hash-by-version", hash_by_version),
]

LISTS = [
    case("market-content-type", "info-text", headers(INFO, content_type="text/plain")),
    case("market-status", "info-304", instead(INFO, lambda: httpx2.Response(304))),
    case(
        "market-not-json",
        "info-cut",
        instead(
            INFO,
            lambda: httpx2.Response(
                200,
                text='{"version": ',
                headers={"content-type": "application/json", "cache-control": "no-store"},
            ),
        ),
    ),
    case(
        "market-not-json",
        "info-nan",
        instead(
            INFO,
            lambda: httpx2.Response(
                200,
                text='{"stats": {"a": NaN}}',
                headers={"content-type": "application/json", "cache-control": "no-store"},
            ),
        ),
    ),
    case("market-json-cached", "info-cached", headers(INFO, cache_control="max-age=60")),
    case("market-info-type", "info-list", instead(INFO, lambda: answer([]))),
    case("market-info-type", "version-number", bend(INFO, "version", value=1.12)),
    case("market-info-type", "last-updated-empty", bend(INFO, "last_updated", value="")),
    case("market-info-type", "last-updated-date", bend(INFO, "last_updated", value="2026-11-21")),
    case(
        "market-info-type",
        "last-updated-feb-30",
        bend(INFO, "last_updated", value="2026-02-30T00:00:00.000000000Z"),
    ),
    case(
        "market-time-digits",
        "last-updated-short",
        bend(INFO, "last_updated", value="2026-11-21T18:00:00Z"),
    ),
    case("market-info-type", "stats-list", bend(INFO, "stats", value=[])),
    case("market-info-type", "apps-list", bend(INFO, "data", "apps", value=[])),
    case("market-info-type", "pages-list", bend(INFO, "data", "pages", value=[])),
    case("market-info-type", "tags-list", bend(INFO, "data", "tags", value=[])),
    case("market-info-type", "topics-list", bend(INFO, "data", "topics", value=[])),
    case("market-info-type", "recommends-list", bend(INFO, "data", "recommends", value=[])),
    case("market-info-type", "tops-map", bend(INFO, "data", "tops", value={})),
    case(
        "market-info-type",
        "latest-objects",
        bend(INFO, "data", "latest", value=[{"name": "alpha"}]),
    ),
    case(
        "market-info-type",
        "page-source-text",
        bend(INFO, "data", "pages", "All", "source", value="custom"),
    ),
    case("market-info-type", "tag-sort-text", bend(INFO, "data", "tags", "All", "sort", value="7")),
    case("market-info-type", "top-rank-float", bend(INFO, "data", "tops", 0, "rank", value=1.5)),
    case(
        "market-info-type",
        "topic-isdelete-text",
        bend(INFO, "data", "topics", "first", "data", "en-US", "isdelete", value="no"),
    ),
    case(
        "market-info-empty market-hash-type",
        "info-hash-empty",
        lambda market: (market.bend(INFO, "hash", value=""), market.bend(HASH, "hash", value="")),
    ),
    case("market-info-empty", "info-version-empty", bend(INFO, "version", value="")),
    case("market-page-missing", "no-home-page", drop(INFO, "data", "pages", "All")),
    case("market-page-missing", "no-category-page", drop(INFO, "data", "pages", "Models")),
    case("market-tag-missing", "no-home-tag", drop(INFO, "data", "tags", "All")),
    case("market-tag-missing", "no-category-tag", drop(INFO, "data", "tags", "Models")),
    case(
        "market-page-content",
        "page-content-list",
        bend(INFO, "data", "pages", "All", "content", value="Recommends"),
    ),
    case(
        "market-page-content",
        "page-of-no-topic",
        bend(INFO, "data", "pages", "All", "content", value='[{"type": "Topic", "id": "Worst"}]'),
    ),
    case(
        "market-page-content",
        "page-of-no-kind",
        bend(INFO, "data", "pages", "All", "content", value='[{"type": "Apps", "id": "alpha"}]'),
    ),
    case(
        "market-topic-missing",
        "topic-list-of-apps",
        bend(INFO, "data", "topic_lists", "Best", "content", value=f"first,{ALPHA}"),
    ),
    case("market-tops-empty", "tops-empty", bend(INFO, "data", "tops", value=[])),
    case("market-tops-half", "tops-half", drop(INFO, "data", "tops", 0, "appid")),
    case(
        "market-list-stranger",
        "tops-by-id",
        bend(INFO, "data", "tops", 0, value={"appId": ALPHA, "appid": ALPHA, "rank": 1}),
    ),
    case("market-list-stranger", "latest-unknown", bend(INFO, "data", "latest", value=["zulu"])),
    case(
        "market-list-stranger",
        "recommends-unknown",
        bend(INFO, "data", "recommends", "New", "content", value="alpha, zulu"),
    ),
    case(
        "market-list-stranger",
        "topic-unknown",
        bend(INFO, "data", "topics", "first", "data", "en-US", "apps", value="zulu"),
    ),
]

SUMMARIES = [
    case(
        "market-entry-type market-list-stranger",
        "app-text",
        bend(INFO, "data", "apps", ALPHA, value="alpha"),
    ),
    case(
        "market-id-differs", "id-differs", bend(INFO, "data", "apps", ALPHA, "id", value="00000000")
    ),
    case(
        "market-summary-incomplete",
        "no-title",
        bend(INFO, "data", "apps", ALPHA, "title", value=None),
    ),
    case(
        "market-summary-incomplete market-app-uncategorised",
        "category-alone",
        lambda market: (
            market.drop(INFO, "data", "apps", ALPHA, "categories"),
            market.bend(INFO, "data", "apps", ALPHA, "category", value="Models"),
            market.bend(DETAILS, ALPHA, "category", value="Models"),
        ),
    ),
    case(
        "market-summary-incomplete market-app-hidden",
        "no-architecture",
        drop(INFO, "data", "apps", ALPHA, "supportArch"),
    ),
    case(
        "market-text-map",
        "text-by-language",
        bend(INFO, "data", "apps", ALPHA, "title", value={"en-US": "Alpha"}),
    ),
    case(
        "market-texts-differ",
        "two-texts",
        bend(INFO, "data", "apps", ALPHA, "description", value="Something else"),
    ),
    case(
        "market-mixed", "two-versions", bend(INFO, "data", "apps", ALPHA, "version", value="0.9.0")
    ),
    case("market-mixed", "one-label", bend(DETAILS, ECHO, "appLabels", value=[])),
]

DETAIL = [
    case("market-status market-batch-failed", "detail-404", posts(lambda _: answer({}, 404))),
    case("market-status market-batch-failed", "detail-202", posts(lambda _: answer({}, 202))),
    case(
        "market-content-type market-batch-failed",
        "detail-text",
        headers(DETAILS, content_type="text/plain"),
    ),
    case("market-retried", "detail-flaky", flaky_details),
    case("market-detail-missing", "detail-not-found", drop(DETAILS, ALPHA)),
    case(
        "market-detail-type market-batch-failed market-unknown-id",
        "details-list",
        posts(lambda _: {"apps": []}),
    ),
    case("market-entry-type", "detail-text-entry", bend(DETAILS, ALPHA, value="alpha")),
    case(
        "market-detail-version market-mixed market-version-refused "
        "market-chart-missing market-v2-chart-missing",
        "no-version",
        bend(DETAILS, ALPHA, "version", value=""),
    ),
    case(
        "market-detail-version market-detail-type market-mixed market-version-refused "
        "market-chart-missing market-v2-chart-missing",
        "version-number",
        bend(DETAILS, ALPHA, "version", value=1),
    ),
    case(
        "market-detail-type market-app-uncategorised",
        "categories-text",
        bend(DETAILS, ALPHA, "categories", value="AI"),
    ),
    case("market-detail-type", "rating-text", both(ALPHA, "rating", value="five")),
    case("market-detail-type", "i18n-flat", both(ALPHA, "i18n", "en-US", value="Alpha")),
    case(
        "market-detail-type",
        "history-date",
        bend(DETAILS, ALPHA, "versionHistory", 0, "mergedAt", value="yesterday"),
    ),
    case("market-detail-incomplete", "detail-lacks", drop(DETAILS, ALPHA, "developer")),
    case("market-id-differs", "detail-id", bend(DETAILS, ALPHA, "id", value="00000000")),
    case(
        "market-detail-extra market-chart-missing market-v2-chart-missing",
        "detail-extra",
        detail_extra,
    ),
    case(
        "market-too-wide market-batch-lost market-version-refused",
        "version-date",
        version("1.0.0-20260821.12"),
    ),
    case(
        "market-too-wide market-batch-lost",
        "api-version-wide",
        both(ALPHA, "apiVersion", value="v" * 33),
    ),
    case(
        "market-history",
        "history-twice",
        bend(DETAILS, BRAVO, "versionHistory", value=lambda old: [*old, old[0]]),
    ),
    case(
        "market-history market-chart-gone market-v2-chart-missing",
        "history-above",
        bend(DETAILS, BRAVO, "versionHistory", 0, "version", value="1.2.0"),
    ),
]

APPS = [
    case("market-id-wrong", "app-id-wrong", both(ALPHA, "appID", value="0123abcd")),
    case("market-name-refused market-id-wrong", "name-underscore", name("alpha_one")),
    case("market-name-refused market-id-wrong", "name-reserved", name("gpu")),
    case("market-name-refused market-id-wrong", "name-official", name("ollama")),
    case("market-name-twice market-id-wrong", "name-twice", name("bravo")),
    case("market-version-refused", "version-padded", version("1.00.0")),
    case("market-version-refused", "version-dash", version("1.0.0-1")),
    case("market-version-refused", "version-two-parts", version("1.0")),
    case("market-app-hidden", "no-arch", both(ALPHA, "supportArch", value=[])),
    case("market-app-uncategorised", "no-category", both(ALPHA, "categories", value=[])),
    case("market-icon-address", "icon-http", both(ALPHA, "icon", value="http://x.example/i.png")),
    case("market-icon-address", "icon-relative", both(ALPHA, "icon", value="/icons/i.png")),
    case("market-quantity", "memory-with-unit", both(ALPHA, "requiredMemory", value="24Gi")),
    case("market-quantity", "cpu-milli", both(ALPHA, "requiredCPU", value="500m")),
    case(
        "market-dependency",
        "range-words",
        both(ALPHA, "options", "dependencies", 0, "version", value="1.12.3 or later"),
    ),
    case("market-update-text", "no-upgrade-text", both(BRAVO, "upgradeDescription", value="")),
]

ODD_REQUESTS = [
    case("market-unknown-id", "prototype-members", prototype_members),
    case("market-unknown-id", "unknown-twice", repeated_unknowns),
    case(
        "market-bad-body",
        "exception",
        lambda market: market.respond(
            DETAILS,
            lambda _, response: response if response.status_code == 200 else answer({}, 500),
        ),
    ),
    case(
        "market-bad-body",
        "text-taken-by-letters",
        lambda market: market.respond(
            DETAILS,
            lambda request, response: (
                answer({"apps": {}, "not_found": []})
                if b'"0123abcd"}' in request.content
                else response
            ),
        ),
    ),
]

TRAPS = [*HASHES, *LISTS, *SUMMARIES, *DETAIL, *APPS, *ODD_REQUESTS]
# What follows where one of the generations cannot use what the others can.
CONSEQUENCES = {"market-generations-differ"}


@pytest.mark.parametrize(("rules", "trap"), TRAPS)
def test_trap(rules: str, trap: Bend) -> None:
    market = Market()
    trap(market)
    broken = {found.rule for found in market.verify(ledger=None).findings}
    assert broken - CONSEQUENCES == set(rules.split())


def test_null_fits_every_type_and_unknown_fields_are_ignored() -> None:
    market = Market()
    for name in ("recommends", "topics", "topic_lists"):
        market.bend(INFO, "data", name, value=None)
    for category in ("All", "Models"):
        market.bend(INFO, "data", "pages", category, "content", value="[]")
        market.bend(INFO, "data", "pages", category, "source", value=None)
        market.bend(INFO, "data", "pages", category, "unheard", value=[1.5])
    for name in ("stats", "last_updated"):
        market.bend(INFO, name, value=None)
    market.bend(HASH, "version", value=None)
    both(ALPHA, "envs", value=None)(market)
    assert market.verify().findings == ()


@pytest.mark.parametrize("label", ["remove", "Suspend", "REMOVE"])
def test_labels_withdraw_an_app_in_any_case_of_letters(label: str) -> None:
    market = Market()
    both(ALPHA, "appLabels", value=[label])(market)
    for sync in market.verify(ledger=None, generations=["A", "B"]).bases[0].syncs:
        assert "alpha" in sync.withdrawn
        assert "alpha" not in sync.apps


def test_generation_a_keeps_the_summary_where_details_are_missing() -> None:
    market = Market()
    market.drop(DETAILS, ALPHA)
    first, second = market.verify(ledger=None, generations=["A", "B"]).bases[0].syncs
    assert first.apps["alpha"].title == "Alpha"
    assert "alpha" not in second.apps


def test_one_wide_version_takes_its_batch_and_no_other() -> None:
    market = Market(tuple((f"app{number:03}", "1.0.0") for number in range(25)))
    market.offer_version("", "app007", "1.0.0-20260821.12")
    report = market.verify(ledger=None, generations=["A", "B"])
    first, second = report.bases[0].syncs
    assert len(first.apps) == 25
    assert len(second.apps) in {15, 20}
    (lost,) = (f for f in report.findings if f.rule == "market-batch-lost")
    assert "app007" in lost.message

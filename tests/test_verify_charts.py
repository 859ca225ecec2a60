"""Charts and the market's other files: what came is what was published, and can be installed."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable

import httpx2
import pytest
from market_simulator import (
    SUMS,
    Drip,
    Market,
    app_id,
    icon_file,
    package,
)
from test_verify_v1 import Bend, case, headers

from chartgen.chart import Chart
from chartgen.lint.chart import lint_chart
from chartgen.package.read import read_package
from chartgen.package.write import pack

CHART = "/api/v1/applications/alpha/chart"
CHART_V2 = "/api/v2/applications/alpha/chart"
FILE = "alpha-1.0.0.tgz"
SOUND = package("alpha", "1.0.0", "modern")


def bytes_of(change: Callable[[bytes], bytes]) -> Bend:
    """Serve other bytes on both routes, and checksums that fit them."""

    def bend(market: Market) -> None:
        for charts in (market.shelves[""].charts, market.shelves[""].charts_v2):
            charts[FILE] = change(charts[FILE])
        market.files[SUMS] = market.sums()

    return bend


def chart_of(name: str, version: str) -> bytes:
    return package(name, version, "modern")


def gone(market: Market) -> None:
    for charts in (market.shelves[""].charts, market.shelves[""].charts_v2):
        del charts[FILE]


def any_name(market: Market) -> None:
    """The file alone decides, as in the market that was looked at first."""

    def respond(request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        file = request.url.params["fileName"].removeprefix("../")
        found = market.shelves[""].charts.get(file)
        if found is None:
            return response
        given = {"content-type": "application/gzip", "cache-control": "immutable"}
        return httpx2.Response(200, content=found, headers=given)

    for route in ("v1", "v2"):
        market.respond(f"/api/{route}/applications/alpha", respond)


def html_404(market: Market) -> None:
    """A page for people in place of the 404 that a device needs."""

    def respond(_: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        return httpx2.Response(404, html="Not here") if response.status_code == 404 else response

    market.respond("/api/v1/applications/alpha", respond)


def encoded(market: Market) -> None:
    """A host takes the .tgz for a tar that it sends compressed; clients unpack it on the way."""

    def respond(_: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        given = dict(response.headers) | {"content-encoding": "gzip"}
        return httpx2.Response(200, content=response.content, headers=given)

    for path in (CHART, CHART_V2):
        market.respond(path, only_ok(respond))


def only_ok(
    respond: Callable[[httpx2.Request, httpx2.Response], httpx2.Response],
) -> Callable[[httpx2.Request, httpx2.Response], httpx2.Response]:
    return lambda request, response: (
        respond(request, response) if response.status_code == 200 else response
    )


def chunked(market: Market) -> None:
    """The length is not told."""

    def respond(_: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        given = {k: v for k, v in response.headers.items() if k != "content-length"}
        return httpx2.Response(200, headers=given, stream=Drip(response.content, 1, market))

    market.respond(CHART, only_ok(respond))


def sluggish(market: Market) -> None:
    def respond(_: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        half = len(response.content) // 2
        parts = (response.content[:half], response.content[half:])
        given = dict(response.headers)

        class Slow(httpx2.SyncByteStream):
            def __iter__(self):
                for part in parts:
                    market.now += 2.0
                    yield part

        return httpx2.Response(200, headers=given, stream=Slow())

    market.respond(CHART, only_ok(respond))


def two_charts(market: Market) -> None:
    market.shelves[""].charts_v2[FILE] = pack(
        Chart("alpha", {**read_package(SOUND, "").files, "extra.txt": b""})
    )


def history_gone(market: Market) -> None:
    for charts in (market.shelves[""].charts, market.shelves[""].charts_v2):
        del charts["bravo-1.0.0.tgz"]


def two_folders(data: bytes) -> bytes:
    return gzip.compress(
        gzip.decompress(data).replace(b"alpha/values.yaml", b"bravo/values.yaml"), mtime=0
    )


CHARTS = [
    case("market-chart-missing market-v2-chart-missing", "chart-404", gone),
    case("market-chart-gone market-v2-chart-missing", "chart-of-history-404", history_gone),
    case("market-chart-not-gzip", "chart-html", bytes_of(lambda _: b"<html>Not found</html>")),
    case("market-chart-not-gzip market-chart-length", "chart-empty", bytes_of(lambda _: b"")),
    case("market-chart-not-gzip", "chart-tar", bytes_of(gzip.decompress)),
    case("market-chart-damaged", "chart-cut", bytes_of(lambda data: data[:-200])),
    case("market-chart-damaged", "chart-bit", bytes_of(lambda data: data[:-9] + b"!" + data[-8:])),
    case("market-chart-damaged", "chart-and-more", bytes_of(lambda data: data + b"more")),
    case("market-chart-damaged", "chart-two-folders", bytes_of(two_folders)),
    case(
        "market-chart-damaged",
        "chart-bomb",
        bytes_of(lambda _: gzip.compress(bytes(1 << 25), mtime=0)),
    ),
    case(
        "market-chart-name market-chart-version",
        "chart-of-another-app",
        bytes_of(lambda _: chart_of("bravo", "1.1.0")),
    ),
    case(
        "market-chart-version",
        "chart-of-another-version",
        bytes_of(lambda _: chart_of("alpha", "0.9.0")),
    ),
    case("market-charts-disagree", "chart-differs-by-route", two_charts),
    case("market-chart-loose", "any-name-gets-the-file", any_name),
    case("market-chart-loose", "html-404", html_404),
    case(
        "market-chart-type",
        "chart-as-text",
        lambda market: market.respond(
            CHART, only_ok(lambda _, response: _typed(response, "text/plain"))
        ),
    ),
    case(
        "market-chart-uncached",
        "chart-for-a-day",
        headers(CHART, cache_control="public, max-age=86400"),
    ),
    case("market-chart-not-gzip market-chart-length", "chart-encoded", encoded),
    case("market-chart-length", "chart-chunked", chunked),
    case("market-chart-slow", "chart-in-four-seconds", sluggish),
]
TRAPS = CHARTS
CONSEQUENCES: set[str] = set()


def _typed(response: httpx2.Response, kind: str) -> httpx2.Response:
    response.headers["content-type"] = kind
    return response


@pytest.mark.parametrize(("rules", "trap"), CHARTS)
def test_trap(rules: str, trap: Bend) -> None:
    market = Market()
    trap(market)
    broken = {found.rule for found in market.verify(ledger=None, lint=lint_chart).findings}
    assert broken == set(rules.split())


def test_charts_are_linted_where_nothing_contradicts() -> None:
    files = dict(read_package(SOUND, "").files)
    del files["values.yaml"]
    broken = pack(Chart("alpha", files))
    market = Market()
    bytes_of(lambda _: broken)(market)
    found = {f.rule: f for f in market.verify(ledger=None, lint=lint_chart).findings}
    assert "chart-file-missing" in found
    assert found["chart-file-missing"].place.file == f"{CHART}?fileName={FILE}!values.yaml"


def test_a_chart_that_was_never_published_is_not_rendered() -> None:
    linted: list[str] = []

    def lint(chart: Chart) -> tuple[()]:
        linted.append(chart.name)
        return ()

    market = Market()
    market.arbitrary_software()
    market.verify(lint=lint)
    assert sorted(linted) == ["alpha", "bravo", "bravo", "charlie", "charlie"]


def test_icons_and_checksums_are_compared() -> None:
    path = f"/icons/{icon_file('alpha')}"

    def broken(bend: Callable[[Market], None]) -> set[str]:
        market = Market()
        bend(market)
        return {found.rule for found in market.verify().findings}

    def other_icon(market: Market) -> None:
        market.files[path] += b"!"

    def html_icon(market: Market) -> None:
        market.respond(path, lambda _request, _response: httpx2.Response(404, html="no"))

    def other_page(market: Market) -> None:
        market.files["/index.html"] += b"<script>"

    def other_address(market: Market) -> None:
        for shelf in market.shelves.values():
            for path in ("/api/v2/applications", "/api/v2/browse/applications"):
                items = shelf.documents[path]["data"]["items"]
                items[0]["icon"] = "https://market.example.com/icons/alpha-00000000.png"

    assert broken(other_icon) == {"market-icon-differs", "market-sums-differ"}
    assert broken(html_icon) == {"market-icon-missing", "market-sums-differ"}
    assert broken(other_page) == {"market-sums-differ"}
    assert broken(other_address) == {"market-icon-differs"}
    assert broken(lambda market: market.files.pop(SUMS) and None) == {"market-sums-missing"}
    assert broken(lambda market: market.files.update({SUMS: b"garbage\n"})) == {
        "market-sums-missing",
        "market-sums-differ",
    }


def test_a_digest_that_is_not_listed_is_missed() -> None:
    market = Market()
    lines = market.files[SUMS].splitlines(keepends=True)
    market.files[SUMS] = b"".join(line for line in lines if b"legacy/charts/alpha" not in line)
    (found,) = market.verify().findings
    assert (found.rule, found.place.file) == ("market-sums-missing", SUMS)
    assert "legacy/charts/alpha-1.0.0.tgz" in found.message


def test_every_chart_ever_published_is_compared() -> None:
    market = Market()
    market.shelves["/legacy"].charts["echo-2.0.0.tgz"] += b"!"
    rules = {found.rule for found in market.verify(generations=["A"]).findings}
    assert rules == {"market-chart-differs", "market-sums-differ"}
    digests = market.verify().bases[0].charts
    assert digests["bravo", "1.0.0"] == hashlib.sha256(chart_of("bravo", "1.0.0")).hexdigest()
    assert app_id("alpha") not in str(digests)

"""The market for people: a web page of all apps at the market's root, the same apps side by side
on a leaderboard, and one page per app.

Static files that any host serves, without a request to anybody else: links are relative and name
files, styles and scripts have the digest of their content in their names. The page is whole
without its script, which only adds the search, the filter, other orders and the copy buttons.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import jinja2
from markupsafe import Markup

from chartgen.market.catalog import Catalog, CatalogApp, ReadFile, best_offer
from chartgen.market.leaderboard import ABILITY_WORDS, Row, by_machine, in_order, row
from chartgen.market.page_app import OLARES, Card, app_page, card, helm_add
from chartgen.market.page_dates import Day, day
from chartgen.market.page_markdown import Html, visible_text
from chartgen.market.page_plot import speed_bar
from chartgen.market.pieces import Recall, made_anew
from chartgen.market.site import HTML, PREFIXES, SVG, SiteFile
from chartgen.market.speeds import Measured, machine_title, measured
from chartgen.market.v1 import ENGLISH, categories_in_order, category_titles
from chartgen.package.read import read_package
from chartgen.release.ledger import RELEASES
from chartgen.resources import template_folder

CSS = "text/css; charset=utf-8"
JAVASCRIPT = "text/javascript; charset=utf-8"
_ASSETS = (("page.css", CSS), ("page.js", JAVASCRIPT), ("mark.svg", SVG))
LEADERBOARD = "leaderboard.html"
_DEFAULT_LEAD = "Apps for Olares, each with the exact settings it runs with."


@dataclass(frozen=True, slots=True)
class Category:
    """One category of the list: its name in specs, its title, and the apps in it."""

    name: str
    title: str
    cards: tuple[Card, ...]


@dataclass(frozen=True, slots=True)
class Market:
    """What all pages show of the market.

    `addresses` pairs each family of Olares with its URL; `helm` adds the market to Helm.
    """

    title: str
    lead: str
    url: str
    addresses: tuple[tuple[str, str], ...]
    helm: str
    newest: Day | None
    serial: int
    assets: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the leaderboard: the row, the app's card, and the speed as a bar."""

    row: Row
    card: Card
    bar: Html | None


@dataclass(frozen=True, slots=True)
class Board:
    """The apps that are made for one machine, whose title it has."""

    machine: str
    lines: tuple[Line, ...]


def page_files(catalog: Catalog, read: ReadFile, recall: Recall = made_anew) -> dict[str, SiteFile]:
    """Return the web pages and what they load, by site path.

    `read` returns a package by its path below `market/releases`; a page that `recall` knows is not
    made. Raises what reading a package raises, and LedgerError where a release has no date.
    """
    assets = _assets()
    known = {app.name: measured(catalog, app, read, recall) for app in catalog.apps}
    cards = {app.name: card(app, known[app.name], catalog.settings) for app in catalog.apps}
    live = tuple(sorted((c for c in cards.values() if c.retired is None), key=_by_title))
    retired = tuple(sorted((c for c in cards.values() if c.retired is not None), key=_by_title))
    market = _market(catalog, live, {name: path for name, (path, _) in assets.items()})
    files = {f"/{path}": file for path, file in assets.values()}
    index = _html(
        "index.html",
        market=market,
        root="",
        cards=live,
        machines=_machines(catalog, live),
        retired=retired,
        categories=_categories(catalog, live),
    )
    files["/index.html"] = SiteFile.of(index.encode(), HTML)
    boards = _boards(catalog, known, {shown.name: shown for shown in live})
    board = _html("leaderboard.html", market=market, root="", boards=boards, words=ABILITY_WORDS)
    files[f"/{LEADERBOARD}"] = SiteFile.of(board.encode(), HTML)
    # All that pages show of other apps than their own.
    shared = repr((_market_of(market, None), catalog.models.digest))
    for app in catalog.apps:
        make = partial(_app_html, catalog, app, market, read, known[app.name])
        given = hashlib.sha256(f"{shared} {app.evidence.digest}".encode()).hexdigest()
        page = recall(app.name, "page", make, given)
        files[f"/{cards[app.name].path}"] = SiteFile.of(page.encode(), HTML)
    return dict(sorted(files.items()))


def _boards(
    catalog: Catalog, known: Mapping[str, Measured], live: Mapping[str, Card]
) -> tuple[Board, ...]:
    apps = [app for app in catalog.apps if app.name in live]
    rows = in_order((row(app, known[app.name], catalog.settings) for app in apps), catalog.settings)
    most = max((item.speed.most for item in rows if item.speed is not None), default=0.0)

    def line(item: Row) -> Line:
        bar = speed_bar(item.speed, most) if item.speed and item.speed.text else None
        return Line(row=item, card=live[item.app], bar=bar)

    return tuple(Board(title, tuple(map(line, found))) for title, found in by_machine(rows))


def _machines(catalog: Catalog, cards: tuple[Card, ...]) -> tuple[tuple[str, int], ...]:
    """Return the machines that apps are made for, each with their number; the market's own first.

    A market without apps has its own.
    """
    own = machine_title(catalog.settings.hardware)
    counts = Counter(shown.machine for shown in cards) or Counter({own: 0})
    return tuple(sorted(counts.items(), key=lambda each: (each[0] != own, each[0])))


def _app_html(
    catalog: Catalog, app: CatalogApp, market: Market, read: ReadFile, known: Measured
) -> str:
    offer = best_offer(app)
    record = offer.release.package(offer.platform)
    assert record is not None
    chart = read_package(read(record.file), f"{RELEASES}/{record.file}")
    page = app_page(catalog, app, chart, known)
    return _html("app.html", market=_market_of(market, app), root="../", page=page)


def _market_of(market: Market, app: CatalogApp | None) -> Market:
    """Return the market as an app's page shows it: as of the app's own last line of the ledger.

    So a release changes the page of its app, and no other.
    """
    last = None if app is None else app.retired or app.history[-1]
    return replace(
        market,
        addresses=(),
        newest=None if last is None else day(last),
        serial=0 if last is None else last.serial,
    )


def _by_title(shown: Card) -> tuple[str, str]:
    return shown.title.casefold(), shown.name


def _market(catalog: Catalog, live: tuple[Card, ...], assets: Mapping[str, str]) -> Market:
    settings = catalog.settings
    offered = {platform for app in catalog.apps if not app.retired for platform in app.offers}
    return Market(
        title=settings.title,
        lead=settings.description or _DEFAULT_LEAD,
        url=settings.url,
        addresses=tuple(
            (OLARES[platform], f"{settings.url}{prefix}")
            for platform, prefix in PREFIXES.items()
            if not prefix or platform in offered
        ),
        helm=helm_add(settings, next(iter(PREFIXES))),
        newest=max((shown.date for shown in live), key=lambda day: day.stamp, default=None),
        serial=catalog.serial,
        assets=assets,
    )


def _categories(catalog: Catalog, cards: tuple[Card, ...]) -> tuple[Category, ...]:
    names = categories_in_order(catalog.settings, (shown.categories for shown in cards))
    members: dict[str, list[Card]] = {name: [] for name in names}
    for shown in cards:
        for name in shown.categories:
            members[name].append(shown)
    return tuple(
        Category(name, category_titles(catalog.settings, name, (ENGLISH,))[ENGLISH], tuple(inside))
        for name, inside in members.items()
    )


@cache
def _assets() -> dict[str, tuple[str, SiteFile]]:
    """Return the files that pages load: template's name to (site path without slash, file)."""
    found = {}
    for name, content_type in _ASSETS:
        data = (template_folder() / "market" / name).read_bytes()
        stem, _, ending = name.rpartition(".")
        path = f"assets/{stem}-{hashlib.sha256(data).hexdigest()[:8]}.{ending}"
        found[name] = (path, SiteFile.of(data, content_type, immutable=True))
    return found


def _html(template: str, **names: Any) -> str:
    return _environment().get_template(template).render(names)


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(template_folder() / "market", encoding="utf-8"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )


def _visible(value: Any) -> Any:
    if isinstance(value, Markup) or not isinstance(value, str):
        # What a macro gives is Markup, made of texts that have been here before.
        return value
    return visible_text(value)

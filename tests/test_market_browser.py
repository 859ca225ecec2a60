"""The web page in a real browser: layout, search, keyboard, themes, and what axe finds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chartgen.market.page import page_files
from tests.chromium import Chromium, program, served
from tests.page_markets import HOSTILE, market, site_files, two_machines

AXE = "axe-core@4.14.1"
PAGES = (
    "/index.html",
    "/leaderboard.html",
    "/apps/vision.html",
    "/apps/alpha.html",
    "/apps/hostile.html",
    "/apps/delta.html",
)
VISIBLE = "[...document.querySelectorAll('.card')].filter(c => !c.hidden).map(c => c.dataset.name)"

pytestmark = [
    pytest.mark.loopback,
    pytest.mark.skipif(program() is None, reason="no Chromium here: install the package chromium"),
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served(site_files()) as base:
        yield base


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    started = Chromium(tmp_path_factory.mktemp("chromium"))
    yield started
    started.close()


@pytest.fixture
def page(browser: Chromium) -> Chromium:
    """The browser, with a wide window, the light theme, and scripts."""
    browser.scripts(True)
    browser.media(prefers_color_scheme="light")
    browser.window(1280)
    return browser


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """axe's script, from npm."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("axe needs npm, which is not here")
    folder = tmp_path_factory.mktemp("axe")
    run = subprocess.run(
        [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", AXE],
        cwd=folder,
        env={**os.environ, "HOME": str(folder), "npm_config_cache": str(folder / "cache")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    if run.returncode:
        pytest.skip(f"npm cannot install {AXE} here: {run.stderr.strip()[-200:]}")
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text()


def shown(page: Chromium) -> list[str]:
    found: list[str] = page.value(VISIBLE)
    return found


def settled(page: Chromium) -> None:
    """Wait until the page has drawn what changed last."""
    page.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing(
    page: Chromium, address: str, axe: str, path: str, theme: str, width: int
) -> None:
    page.window(width)
    page.media(prefers_color_scheme=theme, prefers_reduced_motion="reduce")
    page.open(address + path)
    page.value("document.querySelectorAll('details').forEach(d => { d.open = true })")
    height = page.value("document.documentElement.scrollHeight")
    page.window(width, height)
    settled(page)
    page.send("Runtime.evaluate", expression=axe)
    found = page.value("axe.run({resultTypes: ['violations', 'incomplete']})")
    assert [(v["id"], [n["html"] for n in v["nodes"]]) for v in found["violations"]] == []
    assert len(found["passes"]) > 20
    assert (
        page.value("axe.run({runOnly: ['color-contrast']}).then(r => r.passes[0].nodes.length)")
        > 10
    )


def test_axe_would_find_something(page: Chromium, address: str, axe: str) -> None:
    page.open(f"{address}/index.html")
    page.value("document.documentElement.removeAttribute('lang')")
    page.value("document.querySelector('.lead').style.color = '#ddd'")
    page.send("Runtime.evaluate", expression=axe)
    found = page.value("axe.run().then(r => r.violations.map(v => v.id))")
    assert {"html-has-lang", "color-contrast"} <= set(found)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_asks_nobody_else_and_breaks_no_policy(
    page: Chromium, address: str, path: str
) -> None:
    page.open(address + path)
    settled(page)
    assert page.requests
    assert all(request.startswith(address) for request in page.requests)
    assert page.messages == []
    assert page.value("document.title") != "owned"


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
@pytest.mark.parametrize("path", PAGES)
def test_no_page_is_wider_than_the_window(
    page: Chromium, address: str, path: str, width: int
) -> None:
    page.window(width)
    page.open(address + path)
    page.value("document.querySelectorAll('details').forEach(d => { d.open = true })")
    settled(page)
    assert page.value("document.documentElement.scrollWidth") == width
    outside = (
        "[...document.querySelectorAll('main *')].filter(e => !e.closest('.wide, .unseen') &&"
        " e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"
    )
    assert page.value(outside) == []


def test_search_and_category_narrow_the_list_and_live_in_the_address(
    page: Chromium, address: str
) -> None:
    page.open(f"{address}/index.html")
    everything = shown(page)
    newest = [market().ledger.latest(name) for name in market().ledger.by_name()]
    assert sorted(everything) == [line.name for line in newest if line and line.kind == "release"]
    page.value("document.getElementById('query').focus()")
    page.type("TOOLS calls")
    assert shown(page) == ["vision"]
    assert page.value("location.hash") == "#q=TOOLS+calls"
    assert page.value("document.getElementById('said').textContent") == "1 app"

    page.value("document.querySelector('[data-category=Developer]').click()")
    settled(page)
    assert shown(page) == []
    assert page.value("document.getElementById('empty').hidden") is False
    assert page.value("location.hash") == "#q=TOOLS+calls&category=Developer"

    page.value("document.getElementById('clear').click()")
    assert shown(page) == everything
    assert page.value("document.activeElement.id") == "query"

    page.open(f"{address}/index.html#category=Models&q=vis")
    assert shown(page) == ["vision"]
    assert page.value("document.querySelector('[aria-current]').dataset.category") == "Models"
    assert page.value("document.getElementById('query').value") == "vis"
    page.value("location.hash = '#add'")
    settled(page)
    assert shown(page) == ["vision"]
    page.value("location.hash = '#category=%3Cscript%3E&q='")
    settled(page)
    assert shown(page) == everything


def test_an_app_is_found_by_its_technical_name_too(page: Chromium, address: str) -> None:
    page.open(f"{address}/index.html#q=zet")
    assert shown(page) == ["zeta"]


def test_a_page_is_whole_without_scripts(page: Chromium, address: str) -> None:
    page.scripts(False)
    page.open(f"{address}/index.html#category-1")
    document = page.send("DOM.getDocument")["root"]["nodeId"]

    def size(selector: str) -> float | None:
        node = page.send("DOM.querySelector", nodeId=document, selector=selector)["nodeId"]
        try:
            found: dict[str, Any] = page.send("DOM.getBoxModel", nodeId=node)
        except AssertionError:
            return None  # it has no box
        height: float = found["model"]["height"]
        return height

    for selector in ("#search", ".copy"):
        assert size(selector) is None
    for selector in (".card", ".index", "#category-1", "#quick-url", ".steps"):
        assert size(selector), selector


APPS = "[...document.querySelectorAll('#board tbody a')].map(a => a.pathname.slice(6, -5))"
SORTED = (
    "[...document.querySelectorAll('#board thead th')]"
    ".map((head, i) => [i, head.getAttribute('aria-sort')])"
    ".filter(([, sort]) => sort)"
)


def test_the_leaderboard_takes_another_order_by_a_click_or_a_key(
    page: Chromium, address: str
) -> None:
    page.open(f"{address}/leaderboard.html")
    fastest: list[str] = page.value(APPS)
    assert fastest[:2] == ["vision", "alpha"]
    assert page.value(SORTED) == [[1, "descending"]]
    # What was not measured stays last, in the order that it had.
    page.value("document.querySelectorAll('#board thead button')[1].click()")
    assert page.value(APPS) == ["alpha", "vision", *fastest[2:]]
    assert page.value(SORTED) == [[1, "ascending"]]

    page.value("document.querySelectorAll('#board thead button')[0].focus()")
    page.key("Enter", 13, "\r")
    settled(page)
    assert page.value(SORTED) == [[0, "ascending"]]
    titles = page.value("[...document.querySelectorAll('#board tbody a')].map(a => a.textContent)")
    assert titles == sorted(titles, key=lambda title: title.strip("<>").casefold())
    assert page.value("document.getElementById('said').textContent") == "Sorted by App, ascending"
    page.key("Enter", 13, "\r")
    settled(page)
    assert page.value(SORTED) == [[0, "descending"]]

    page.value("document.querySelectorAll('#board thead button')[5].click()")
    memory = page.value(
        "[...document.querySelectorAll('#board tbody tr')]"
        ".map(line => Number(line.cells[5].dataset.value))"
    )
    assert memory == sorted(memory, reverse=True)
    assert len(set(memory)) > 1


VALUES = (
    "[...document.querySelectorAll('#board tbody tr:not(.machine)')]"
    ".map(line => line.cells[COLUMN].dataset.value)"
)


@pytest.mark.parametrize("column", range(7))
def test_what_is_unknown_stays_last_in_both_directions(
    page: Chromium, address: str, column: int
) -> None:
    page.open(f"{address}/leaderboard.html")
    orders = []
    for _ in range(2):
        page.value(f"document.querySelectorAll('#board thead button')[{column}].click()")
        values = page.value(VALUES.replace("COLUMN", str(column)))
        known = [value for value in values if value]
        assert values[: len(known)] == known
        orders.append(known)
    assert orders[0] == orders[1][::-1] or len(set(orders[0])) < len(orders[0])
    assert set(orders[0]) == set(orders[1])
    if column in (1, 2):
        assert len(values) > len(known) > 0


def test_apps_stay_with_their_machine_in_every_order(page: Chromium) -> None:
    found = two_machines()
    files = page_files(found.catalog(), found.read)
    with served(
        {path: (file.data or b"", file.content_type) for path, file in files.items()}
    ) as at:
        page.open(f"{at}/leaderboard.html")
        for column in range(7):
            page.value(f"document.querySelectorAll('#board thead button')[{column}].click()")
            heads = page.value(
                "[...document.querySelectorAll('#board tbody')].map(body => body.rows[0].innerText)"
            )
            assert heads == [
                "Made for Olares One (RTX 5090M 24 GB)",
                "Made for GeForce RTX 4090 (24 GB)",
            ]
            last = "[...document.querySelectorAll('#board tbody')].at(-1)"
            apps = f"[...{last}.querySelectorAll('a[href$=html]')].map(a => a.textContent).sort()"
            assert page.value(apps) == ["Quick", "Quiet"]


def test_the_machine_stays_in_sight_on_a_telephone(page: Chromium) -> None:
    found = two_machines()
    files = page_files(found.catalog(), found.read)
    with served(
        {path: (file.data or b"", file.content_type) for path, file in files.items()}
    ) as at:
        page.window(360)
        page.open(f"{at}/leaderboard.html")
        page.value("document.querySelector('.board').scrollLeft = 400")
        settled(page)
        box = "document.querySelector('#board .machine span').getBoundingClientRect()"
        assert 0 <= page.value(f"{box}.left") < page.value(f"{box}.right") <= 360


def test_the_leaderboard_is_whole_without_scripts(page: Chromium, address: str) -> None:
    page.scripts(False)
    page.open(f"{address}/leaderboard.html")
    document = page.send("DOM.getDocument")["root"]["nodeId"]
    found = page.send("DOM.querySelectorAll", nodeId=document, selector="#board tbody tr")
    assert len(found["nodeIds"]) > 5
    buttons = page.send("DOM.querySelectorAll", nodeId=document, selector="#board button")
    assert buttons["nodeIds"] == []


def test_the_name_of_the_app_stays_in_sight_on_a_telephone(page: Chromium, address: str) -> None:
    page.window(360)
    page.open(f"{address}/leaderboard.html")
    page.value("document.querySelector('.board').scrollLeft = 400")
    settled(page)
    left = page.value("document.querySelector('#board tbody th').getBoundingClientRect().left")
    right = page.value("document.querySelector('#board tbody th').getBoundingClientRect().right")
    assert 0 <= left < right < 200


def test_copy_buttons_copy_what_they_stand_beside(page: Chromium, address: str) -> None:
    page.send(
        "Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"]
    )
    page.open(f"{address}/apps/hostile.html")
    page.send("Page.bringToFront")
    text = page.value("document.getElementById('command-text').textContent")
    assert HOSTILE.partition("'")[0] in text
    page.value("document.querySelector('[data-copy=command-text]').click()")
    page.value("new Promise(done => setTimeout(done, 200))")
    assert page.value("document.getElementById('said').textContent") == "Copied"
    assert page.value("navigator.clipboard.readText()") == text


def test_every_stop_of_the_keyboard_is_seen(page: Chromium, address: str) -> None:
    page.open(f"{address}/index.html")
    page.key("Tab", 9)
    assert page.value("document.activeElement.className") == "skip"
    assert page.value("document.activeElement.getBoundingClientRect().top") >= 0
    stops = []
    for _ in range(60):
        stop = page.value(
            "(() => { const e = document.activeElement, card = e.closest('.card') ?? e;"
            " const s = getComputedStyle(card); const r = card.getBoundingClientRect();"
            " return e === document.body ? null : [e.outerHTML.slice(0, 60),"
            " s.outlineStyle, parseFloat(s.outlineWidth), r.bottom > 0 && r.top < innerHeight] })()"
        )
        if stop is None:
            break
        stops.append(stop)
        page.key("Tab", 9)
    assert len(stops) > 20
    assert [stop for stop in stops if stop[1:] != ["solid", 3, True]] == []


def test_the_list_is_reached_from_the_keyboard_alone(page: Chromium, address: str) -> None:
    page.open(f"{address}/index.html#q=vision")
    page.value("document.querySelector('.card:not([hidden]) a').focus()")
    page.key("Enter", 13, "\r")
    page.value("new Promise(done => setTimeout(done, 500))")
    assert page.value("location.pathname") == "/apps/vision.html"


def test_dark_is_dark_and_light_is_light(page: Chromium, address: str) -> None:
    colours = {}
    for theme in ("light", "dark"):
        page.media(prefers_color_scheme=theme)
        page.open(f"{address}/index.html")
        rgb = page.value("getComputedStyle(document.body).backgroundColor.match(/\\d+/g)")
        colours[theme] = sum(int(part) for part in rgb) / 3
    assert colours["light"] > 230
    assert colours["dark"] < 40


def test_nothing_moves_for_those_who_asked_for_it(page: Chromium, address: str) -> None:
    moving = "getComputedStyle(document.querySelector('.card')).transitionDuration"
    page.open(f"{address}/index.html")
    assert page.value(moving) != "0s"
    page.media(prefers_reduced_motion="reduce")
    page.open(f"{address}/index.html")
    assert page.value(moving) in {"0s", "1e-05s"}


def test_print_shows_the_folded_parts_and_no_buttons(page: Chromium, address: str) -> None:
    page.open(f"{address}/apps/beta.html")
    folded = "document.querySelector('details .prose').checkVisibility()"
    assert page.value(folded) is False
    page.media("print")
    settled(page)
    assert page.value(folded) is True
    assert page.value("[...document.querySelectorAll('button')].every(b => !b.offsetHeight)")


def test_a_thousand_apps_stay_quick(page: Chromium) -> None:
    catalog = market().catalog()
    app = next(app for app in catalog.apps if app.name == "vision")
    apps = tuple(replace(app, name=f"app{number:04}") for number in range(1000))
    files = page_files(replace(catalog, apps=apps), market().read)
    small = {path: (file.data or b"", file.content_type) for path, file in files.items()}
    with served(small) as base:
        page.open(f"{base}/index.html")
        assert len(shown(page)) == 1000
        # Pictures further down are fetched when they come into view.
        assert sum("/icons/" in request for request in page.requests) < 100
        took = page.value(
            "(() => { const query = document.getElementById('query'), begun = performance.now();"
            " query.value = 'app0007'; query.dispatchEvent(new Event('input'));"
            " document.body.offsetHeight; return performance.now() - begun })()"
        )
    assert shown(page) == ["app0007"]
    # Milliseconds; some 10 on an idle machine.
    assert took < 500, json.dumps(took)


def test_the_browser_leaves_nothing_behind(tmp_path: Path) -> None:
    started = Chromium(tmp_path / "profile")
    started.close()
    assert started.process.returncode is not None

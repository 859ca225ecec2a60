"""What the web page shows of measurements, and that only what they touch is made anew."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chartgen.evidence.record import Measurement, Published, Run
from chartgen.evidence.store import keep
from chartgen.market.catalog import build_catalog
from chartgen.market.page import page_files
from chartgen.market.page_plot import MOST_BARS, runs_plot, speed_bar
from chartgen.market.pieces import KeptPieces
from chartgen.market.preview import published_site
from chartgen.market.replay import changed_apps, of_apps, verified, verify_changes
from chartgen.market.site import Site, build_site
from chartgen.market.speeds import Speed
from chartgen.release.ledger import LEDGER, RELEASES
from tests.markets import EMPTY, SETTINGS, Market
from tests.page_markets import (
    ATTACK,
    STEADY,
    TWO_SPEEDS,
    VISION_SPEC,
    bench,
    market,
    measured_market,
    measured_pages,
    pages_of,
    release_of,
    smoke,
    two_machines,
)
from tests.test_market_page import Page, cards, flat

RECT = re.compile(r'<rect class="(\w+)" x="(\S+)" y="(\S+)" width="(\S+)" height="(\S+)"/>')


# Titles of the profiles `olares-one` and `rtx-4090`.
ONE, OTHER = "Olares One (RTX 5090M 24 GB)", "GeForce RTX 4090 (24 GB)"


def bodies(board: str) -> list[str]:
    """The groups of lines of a leaderboard."""
    return [part.partition("</tbody>")[0] for part in board.split("<tbody>")[1:]]


def shown(path: str) -> str:
    return flat(Page(measured_pages()[path]).text)


@pytest.mark.parametrize("path", sorted(measured_pages()))
def test_a_page_with_measurements_is_well_formed(path: str) -> None:
    page = Page(measured_pages()[path])
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    for tag, attributes in page.tags:
        assert tag not in {"style", "iframe", "object", "embed", "base"}
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
    assert len(page.all("script")) == 1


def test_cards_show_the_speed_where_there_is_one() -> None:
    found = cards(measured_pages()["/index.html"])
    assert "Tokens/s 250.5 Context 128K GPU memory 23 GiB" in found["vision"]
    assert "Two speeds, tokens/s 222 / 72" in found["alpha"]
    assert "okens/s" not in found["zeta"]


def test_cards_tell_who_measured_a_speed_when_and_on_what() -> None:
    found = cards(measured_pages()["/index.html"])
    assert f"GPU memory 23 GiB Speed: measured 20 Nov 2026, {ONE} Version" in found["vision"]
    assert "Speed:" not in found["zeta"]
    assert f"Speed: measured 20 Nov 2026, {ONE}" in shown("/apps/vision.html")
    # A later release with other texts runs what was measured.
    post = bench("vision", "1.0.1", STEADY, source="https://example.com/post")
    renewed = release_of("vision", "1.0.2", 20, VISION_SPEC | {"title": "Seeing"})
    made = pages_of(market().grown(renewed).measured(post))
    told = f"published, {ONE}, of 1.0.1, which runs the same"
    assert f"Speed: {told}" in cards(made["/index.html"])["vision"]
    assert told in flat(Page(made["/leaderboard.html"]).text)


def test_apps_of_two_machines_are_counted_and_ranked_apart() -> None:
    made = pages_of(two_machines())
    index = cards(made["/index.html"])
    count = len(index) - 2
    assert f"{len(index)} apps: {count} for {ONE}, 2 for {OTHER}. Last" in flat(
        Page(made["/index.html"]).text
    )
    # Each card names its machine once.
    for name, card in index.items():
        machine = OTHER if name in {"quick", "quiet"} else ONE
        assert card.count(machine) == 1, name
    assert f"Made for {OTHER}" in index["quiet"]

    board = made["/leaderboard.html"]
    groups = [flat(Page(f"<div>{part}</div>").text) for part in bodies(board)]
    assert [group.partition(")")[0] + ")" for group in groups] == [
        f"Made for {ONE}",
        f"Made for {OTHER}",
    ]
    assert "260.5" in groups[1]
    assert "260.5" not in groups[0]
    # The page of an app names no other app's machine, or it would change with that one.
    assert "4090" not in Page(made["/apps/vision.html"]).text


def test_one_machine_is_named_once_for_all_apps() -> None:
    made = measured_pages()
    assert f"apps, made for {ONE}. Last" in flat(Page(made["/index.html"]).text)
    assert "Made for" not in made["/leaderboard.html"]
    assert len(bodies(made["/leaderboard.html"])) == 1
    elsewhere = pages_of(market().with_settings(hardware="rtx-4090"))
    assert f"apps, made for {OTHER}. Last" in flat(Page(elsewhere["/index.html"]).text)
    assert f"0 apps, made for {ONE}" in flat(Page(pages_of(EMPTY)["/index.html"]).text)


def test_a_publication_without_a_version_is_found_from_the_leaderboard() -> None:
    made = pages_of(two_machines())
    board = made["/leaderboard.html"]
    link = '<a class="small" href="apps/quiet.html#speed">published without a version</a>'
    assert board.count("published without a version</a>") == 1
    assert f'<td data-value="" class="none">not measured {link}</td>' in board
    assert "777" not in Page(board).text + Page(made["/index.html"]).text
    page = made["/apps/quiet.html"].partition('id="speed"')[2]
    # It stands open there, as there is no number above it.
    assert "777.0" in page.partition("<details open>")[2].partition("</details>")[0]
    assert "<details open>" not in measured_pages()["/apps/vision.html"]


def test_what_is_not_known_has_no_value_to_sort_by() -> None:
    text = measured_pages()["/leaderboard.html"]
    values = re.findall(r'<td data-value="([^"]*)"[^>]*>(not measured|not stated|own server)', text)
    assert {(value, words) for value, words in values} == {
        ("", "not measured"),
        ("", "not stated"),
        ("own server", "own server"),
    }
    untold = Published(mean=224.0, two_speeds=True)
    post = bench("vision", "1.0.1", (), published=untold, source="https://example.com/post")
    board = pages_of(market().measured(post))["/leaderboard.html"]
    assert '<td data-value=""><span class="mark">two speeds</span>' in board


def test_a_plot_of_the_first_runs_does_not_claim_all() -> None:
    runs = tuple(map(Run, STEADY * 21))
    text = pages_of(market().measured(bench("vision", "1.0.1", (), runs=runs)))["/apps/vision.html"]
    assert "the first 200 runs" in text
    assert "Each bar is a run, drawn from zero" in text
    assert "One bar for each run" not in text


def test_an_app_page_tells_how_it_was_measured() -> None:
    text = shown("/apps/vision.html")
    for part in (
        "1.0.1, context 128K 250.5 tokens/s",
        "Mean 250.5 tokens/s",
        "Runs 10, after a cold one of 212.4",
        "Range 247.8 to 253.0 tokens/s",
        # The sample standard deviation of the ten runs, by hand: sqrt(25.597 / 9).
        "Deviation 1.69 tokens/s",
        "Drafts accepted 86.4 %",
        "Hardware Olares One (RTX 5090M 24 GB)",
        "Engine says 0.21.0",
        "Date 20 Nov 2026",
        "Source measured with chartgen",
        "vision passed",
        "tools skipped",
    ):
        assert part in text
    assert (
        'aria-label="Bars of 10 runs from 247.8 to 253.0 tokens per second"'
        in (measured_pages()["/apps/vision.html"])
    )


def test_two_speeds_are_shown_as_two_and_never_as_a_mean() -> None:
    text = measured_pages()["/apps/alpha.html"]
    plain = shown("/apps/alpha.html")
    assert "two speeds 222 / 72 tokens/s" in plain
    assert "6 of 10 runs (60.0 %) had 221.7 tokens/s, 4 (40.0 %) had 72.3." in plain
    # 161.9 is their mean.
    assert "161.9" not in text
    assert "Mean" not in plain.partition("Measured")[2].partition("Engine command")[0]
    kinds = [kind for kind, *_ in RECT.findall(text)]
    assert kinds == ["fast" if rate > 200 else "slow" for rate in TWO_SPEEDS]


def test_two_speeds_that_a_publication_does_not_tell_are_no_number() -> None:
    untold = Published(mean=224.0, two_speeds=True)
    found = market().measured(
        bench("vision", "1.0.1", (), published=untold, source="https://example.com/post")
    )
    made = pages_of(found)
    assert "Tokens/s two speeds" in cards(made["/index.html"])["vision"]
    # Names of files have digests, which may have any number.
    assert "224" not in Page(made["/index.html"]).text + Page(made["/leaderboard.html"]).text
    text = flat(Page(made["/apps/vision.html"]).text)
    assert "Two speeds, says the publication" in text
    assert "Number given 224.0 tokens/s" in text
    assert "<b></b>" not in made["/apps/vision.html"]


def test_a_trial_that_tells_its_context_tells_it_once() -> None:
    trials = ("at a context of 32K", "with pictures")
    made = [bench("vision", "", STEADY, trial=trial, context=32768) for trial in trials]
    text = flat(Page(pages_of(market().measured(*made))["/apps/vision.html"]).text)
    assert "at a context of 32K 250.5 tokens/s" in text
    assert "with pictures, context 32K 250.5 tokens/s" in text


def test_pages_write_all_speeds_and_dates_in_one_way() -> None:
    fast = [rate * 50 for rate in STEADY]
    two = [rate * 20 for rate in TWO_SPEEDS]
    before = bench("vision", "1.0.0", STEADY, context=16384, date="2026-11-09")
    found = market().measured(
        before,
        bench("vision", "1.0.1", fast, date="2026-11-20"),
        smoke("vision", "1.0.1", health="passed"),
        bench("alpha", "1.1.1", two, date="2026-11-20"),
    )
    made = pages_of(found)
    pages = {path: flat(Page(text).text) for path, text in made.items()}
    # 250.548 * 50, and the means of the groups by 20.
    assert "Tokens/s 12,527.4" in cards(made["/index.html"])["vision"]
    assert "4,433 / 1,445" in pages["/leaderboard.html"]
    for part in (
        "Mean 12,527.4 tokens/s",
        "Range 12,392.0 to 12,648.5 tokens/s",
        "250.5 → 12,527.4 tokens/s, +4900 %",
        "Date 20 Nov 2026",
    ):
        assert part in pages["/apps/vision.html"]
    assert "had 4,433.3 tokens/s" in pages["/apps/alpha.html"]
    for path in ("/index.html", "/leaderboard.html", "/apps/alpha.html"):
        shown = pages[path].partition("Engine command")[0]
        assert not re.search(r"\d{4}\.\d\b|2026-11", shown), path


def test_what_was_imported_names_its_publication() -> None:
    text = measured_pages()["/apps/vision.html"]
    assert 'published at <a href="https://example.com/post" rel="noopener nofollow">' in text
    assert "Range 135.7 to 136.2 tokens/s" in shown("/apps/vision.html")


def test_trials_and_other_versions_stand_apart() -> None:
    page = measured_pages()["/apps/vision.html"]
    folded = page.partition("2 other measurements")[2].partition("</details>")[0]
    assert "with another draft model, context 32K" in folded
    assert "1.0.0, context 16K" in folded
    assert "1.0.1, context" not in folded


def test_versions_are_compared_and_the_history_tells_the_gain() -> None:
    text = shown("/apps/vision.html")
    # 250.548 / 135.97 = 1.8427
    assert "1.0.1 250.5 +84 % 1.0.0 136.0" in text
    changes = text.partition("Changes")[2]
    assert "1.0.1 12 Nov 2026 136.0 → 250.5 tokens/s, +84 % Context of 128K" in changes
    assert "1.0.0 10 Nov 2026 136.0 tokens/s" in changes


def test_without_measurements_nothing_is_said_of_them() -> None:
    assert "Measured" not in shown("/apps/zeta.html").partition("Engine command")[0]


def test_hostile_evidence_is_shown_as_text() -> None:
    page = Page(measured_pages()["/apps/hostile.html"])
    assert page.text.count(ATTACK) > 5
    sources = [link["href"] for link in page.all("a") if "example.com/<" in link["href"]]
    assert len(sources) == 1


def test_the_leaderboard_is_in_order_without_a_script() -> None:
    text = measured_pages()["/leaderboard.html"]
    page = Page(text)
    body = text.partition("<tbody>")[2]
    links = re.findall(r'href="apps/(\w+)\.html"', body)
    assert links[:2] == ["vision", "alpha"]
    assert not {"delta", "epsilon"} & set(links)
    assert page.all("button") == []
    assert [head.get("aria-sort") for head in page.all("th")[:3]] == [None, "descending", None]
    plain = flat(Page(f"<div>{body.partition('</tbody>')[0]}</div>").text)
    assert "Vision 1.0.1 250.5 measured 20 Nov 2026, Olares One (RTX 5090M 24 GB) 128K" in plain
    assert plain.index("222 / 72 two speeds") < plain.index("not measured")


def test_every_page_leads_to_the_leaderboard() -> None:
    for path, text in measured_pages().items():
        root = "../" if path.startswith("/apps/") else ""
        assert f'<a href="{root}leaderboard.html">' in text


def test_bars_begin_at_zero_and_end_at_the_most() -> None:
    runs = (Run(50.0, cold=True), Run(100.0), Run(200.0))
    found = RECT.findall(runs_plot(runs, "x").text)
    assert [kind for kind, *_ in found] == ["cold", "fast", "fast"]
    assert [(float(y), float(height)) for _, _, y, _, height in found] == [
        (75, 25),
        (50, 50),
        (0, 100),
    ]
    many = tuple(Run(1.0) for _ in range(MOST_BARS + 1))
    assert len(RECT.findall(runs_plot(many, "x").text)) == MOST_BARS


@pytest.mark.parametrize(
    ("speed", "widths"),
    [
        (Speed(mean=50.0), [50]),
        (Speed(fast=100.0, slow=25.0), [100, 25]),
        (Speed(mean=0.0), [0]),
    ],
)
def test_a_lying_bar_is_as_long_as_the_speed(speed: Speed, widths: list[int]) -> None:
    found = RECT.findall(speed_bar(speed, 100.0).text)
    assert [float(width) for *_, width, _ in found] == widths
    assert "nan" not in speed_bar(Speed(mean=0.0), 0.0).text


# One publish after another


def plain_site(found: Market) -> Site:
    return found.site(page_files(found.catalog(), found.read))


def with_pieces(folder: Path, found: Market) -> tuple[Site, list[str]]:
    """The site made with kept pieces, and the pages that were made anew."""
    pieces = KeptPieces(folder, found.settings, found.ledger, "me")
    made: list[str] = []

    def recall(app, kind, make, given="", /):  # type: ignore[no-untyped-def]  # as Recall
        def counted():  # type: ignore[no-untyped-def]  # as make
            made.append(f"{app} {kind}")
            return make()

        return pieces.recall(app, kind, counted, given)

    catalog = build_catalog(found.settings, found.ledger, found.read, recall, found.beside)
    site = build_site(catalog, found.read, page_files(catalog, found.read, recall), recall)
    pieces.save()
    return site, made


def test_new_evidence_makes_the_page_of_its_app_anew_and_no_other(tmp_path: Path) -> None:
    before, _ = with_pieces(tmp_path, market())
    grown = market().measured(bench("vision", "1.0.1", STEADY))
    after, made = with_pieces(tmp_path, grown)
    assert made == ["vision measured", "vision page"]
    assert (after.files, after.bases) == (plain_site(grown).files, plain_site(grown).bases)
    again, made = with_pieces(tmp_path, grown)
    assert made == []
    assert again.files == after.files
    changed = {path for path, file in after.files.items() if before.files.get(path) != file}
    assert {path for path in changed if path.endswith(".html")} == {
        "/apps/vision.html",
        "/index.html",
        "/leaderboard.html",
    }


def test_the_hash_that_devices_compare_covers_the_evidence() -> None:
    hashes = {base.hash for base in plain_site(market()).bases}
    assert not hashes & {base.hash for base in plain_site(measured_market()).bases}


def test_a_verified_site_with_new_evidence_is_looked_at_again() -> None:
    grown = market().measured(bench("vision", "1.0.1", STEADY))
    marks = [
        verified(plain_site(found), found.ledger, target="here", made_by="me")
        for found in (market(), grown)
    ]
    assert changed_apps(marks[1], marks[0]) == ("vision",)
    part = Market(grown.settings, of_apps(grown.ledger, ["vision"]), grown.files, grown.beside)
    found = verify_changes(
        plain_site(grown), plain_site(part), SETTINGS.url, grown.ledger, ["vision"]
    )
    assert [item for item in found if item.rule.startswith("market-")] == []


def on_disk(folder: Path, found: Market) -> None:
    (folder / LEDGER).parent.mkdir(parents=True)
    (folder / LEDGER).write_bytes(found.ledger.data)
    for path, data in found.files.items():
        (folder / RELEASES / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / RELEASES / path).write_bytes(data)


def test_the_site_is_made_from_the_folder_alone(tmp_path: Path) -> None:
    found = market()
    on_disk(tmp_path, found)
    # A market without the folder of its specs is still one.
    without = published_site(tmp_path, found.settings, found.ledger)
    assert without.files == plain_site(found).files
    measurement: Measurement = bench("vision", "1.0.1", STEADY)
    keep(tmp_path / "apps", measurement)
    site = published_site(tmp_path, found.settings, found.ledger)
    assert site.files == plain_site(found.measured(measurement)).files
    page = site.files["/apps/vision.html"].data
    assert page is not None
    assert "250.5" in page.decode()


def test_what_is_not_released_is_not_shown() -> None:
    early = bench("vision", "1.1.0", (987.0,))
    assert pages_of(market().measured(early)) == pages_of(market())

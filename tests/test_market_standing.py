"""What a market shows of measurements that are of a release, and of those that are of none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chartgen.evidence.record import Measurement, Run
from chartgen.market.catalog import CatalogApp
from chartgen.market.page_speed import SpeedSection, speed_section
from chartgen.market.speeds import Measured, machine_title, measured, version_speeds
from tests.markets import Market
from tests.page_markets import STEADY, TWO_SPEEDS, VISION_SPEC, bench, market, pages_of, release_of
from tests.test_market_page import Page, flat

MACHINE, OTHER = "olares-one", "rtx-4090"


def later(*releases: tuple[str, str, dict[str, Any]]) -> Market:
    """The market with further releases of an app: version, workload, and what is set otherwise."""
    made = []
    for day, (version, workload, changes) in enumerate(releases, 20):
        line, files = release_of("vision", version, day, {**VISION_SPEC, **changes})
        made.append((replace(line, workload=workload * 64), files))
    return market().grown(*made)


def of_vision(found: Market) -> tuple[CatalogApp, Measured, SpeedSection]:
    catalog = found.catalog()
    app = next(app for app in catalog.apps if app.name == "vision")
    known = measured(catalog, app, found.read)
    return app, known, speed_section(app, known, catalog.settings.hardware)


def test_a_bench_before_a_bump_is_called_by_the_first_release_that_ran_it() -> None:
    found = later(("1.0.2", "a", {}), ("1.0.3", "b", {}), ("1.0.4", "c", {}), ("1.0.5", "c", {}))
    _, known, shown = of_vision(
        found.measured(
            bench("vision", "1.0.2", (100.0,), workload="a" * 64),
            # Each before the bump to the version that has these settings.
            bench("vision", "1.0.2", (150.0,), workload="b" * 64, date="2026-11-20"),
            bench("vision", "1.0.3", (200.0,), workload="c" * 64, date="2026-11-20"),
            bench("vision", "1.0.3", (300.0,), workload="b" * 64, date="2026-11-21", users=2),
        )
    )
    assert known.version == "1.0.4"
    assert [(one.of, one.number) for one in shown.shown] == [("1.0.4", "200.0")]
    assert [(one.of, one.number) for one in shown.others] == [
        ("1.0.3", "300.0"),
        ("1.0.3", "150.0"),
        ("1.0.2", "100.0"),
    ]
    assert [bar.version for bar in shown.versions] == ["1.0.4", "1.0.3", "1.0.2"]


def test_a_bench_of_a_release_that_runs_what_the_one_before_ran_is_its_own() -> None:
    found = later(("1.0.2", "a", {}), ("1.0.3", "a", {"title": "Other"}))
    _, known, shown = of_vision(
        found.measured(
            bench("vision", "1.0.2", (100.0,), workload="a" * 64),
            bench("vision", "1.0.3", (102.0,), workload="a" * 64),
        )
    )
    assert (known.version, shown.measured_as) == ("1.0.3", "")
    assert [(one.of, one.number) for one in shown.shown] == [("1.0.3", "102.0"), ("1.0.2", "100.0")]


@pytest.mark.parametrize(
    ("told", "fact"),
    [
        ({"hardware": OTHER}, f"Hardware {machine_title(OTHER)}"),
        ({"users": 3}, "Users at a time 3"),
        ({"settings": {"prompt_tokens": 64000}}, "Prompt filled up to about 64,000 tokens"),
        ({"settings": {"image": True}}, "Picture one with each prompt"),
        ({"settings": {"standard": False}}, ""),
        ({"context": 4096}, "context 4K"),
        ({"runs": (Run(999.0),) * 3}, "Runs 3"),
    ],
    ids=str,
)
def test_what_stands_for_no_release_stands_among_the_others(
    told: dict[str, Any], fact: str
) -> None:
    odd = replace(bench("vision", "1.0.1", (999.0,), date="2026-11-22"), **told)
    text = page_of(market().measured(odd))
    head, _, folded = text.partition("1 other measurement")
    assert "Measured The speed of 1.0.1 was not measured." in head
    assert "999" not in head
    assert fact in folded
    assert "999.0 tokens/s" in folded
    # Nor does it come before what does stand for it.
    text = page_of(market().measured(bench("vision", "1.0.1", STEADY, date="2026-11-20"), odd))
    head = text.partition("1 other measurement")[0]
    assert "250.5 tokens/s" in head
    assert "was not measured" not in head
    assert "999" not in head


def page_of(found: Market) -> str:
    return flat(Page(pages_of(found)["/apps/vision.html"]).text)


def test_all_that_may_stand_for_a_release_is_shown_the_newest_first() -> None:
    _, known, shown = of_vision(
        market().measured(
            bench("vision", "1.0.1", (100.0,), date="2026-11-20"),
            bench("vision", "1.0.1", TWO_SPEEDS, date="2026-11-22"),
            bench("vision", "1.0.1", (102.0,), date="2026-11-21"),
        )
    )
    assert known.speed is not None
    assert known.speed.two
    assert [one.number for one in shown.shown] == ["222 / 72", "102.0", "100.0"]
    assert shown.others == ()


def test_a_release_for_another_machine_has_no_number_of_the_former() -> None:
    moved = later(("1.0.2", "", {"hardware": OTHER}))
    kept: list[Measurement] = [bench("vision", "1.0.1", STEADY), bench("vision", "1.0.2", STEADY)]
    app, known, shown = of_vision(moved.measured(*kept))
    assert known.speed is None
    assert (shown.shown, len(shown.others)) == ((), 2)
    # What was measured elsewhere is no step of a plot over versions either.
    assert version_speeds(app, MACHINE) == ()
    kept.append(bench("vision", "1.0.2", (300.0,), hardware=OTHER))
    app, known, _ = of_vision(moved.measured(*kept))
    assert known.speed is not None
    assert (known.speed.mean, known.hardware) == (300.0, OTHER)
    assert [item.version for item in version_speeds(app, MACHINE)] == ["1.0.2"]

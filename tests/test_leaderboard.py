"""The leaderboard: which measurement stands for a release, the order, and how it is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chartgen.evidence.record import Measurement, Published, Run
from chartgen.evidence.store import keep
from chartgen.market.catalog import Catalog, CatalogApp
from chartgen.market.evidence import AppEvidence, ModelFiles, read_beside
from chartgen.market.leaderboard import ABILITY_WORDS, Row, leaderboard, row_data
from chartgen.market.page_speed import speed_section
from chartgen.market.speeds import Measured, measured, version_speeds
from chartgen.release.record import Release
from chartgen.render.patches import merge_patch
from tests.markets import Market
from tests.page_markets import (
    STEADY,
    TWO_SPEEDS,
    VISION_SPEC,
    bench,
    market,
    measured_market,
    release_of,
    smoke,
)
from tests.specs import SMALL

# Means of the series, by hand: 2505.48 / 10, and of the runs above and below 200.
STEADY_MEAN = 250.548
FAST_MEAN, SLOW_MEAN = 1330 / 6, 289 / 4


def app_of(found: Market, name: str) -> tuple[Catalog, CatalogApp]:
    catalog = found.catalog()
    return catalog, next(app for app in catalog.apps if app.name == name)


def known(found: Market, name: str = "vision") -> Measured:
    return measured(*app_of(found, name), found.read)


def rows(found: Market) -> dict[str, Row]:
    return {row.app: row for row in leaderboard(found.catalog(), found.read)}


def of_vision(*measurements: Measurement) -> Measured:
    return known(market().measured(*measurements))


def test_a_number_is_the_mean_of_the_runs_after_the_cold_one() -> None:
    runs = (Run(10.0, cold=True), *map(Run, STEADY))
    found = of_vision(bench("vision", "1.0.1", (), runs=runs))
    assert found.speed is not None
    assert found.speed.mean == pytest.approx(STEADY_MEAN)
    assert found.speed.words == "250.5 tokens/s"
    assert (found.version, found.hardware) == ("1.0.1", "olares-one")


def test_a_series_of_two_speeds_has_no_single_number() -> None:
    found = of_vision(bench("vision", "1.0.1", TWO_SPEEDS))
    assert found.speed is not None
    assert found.speed.mean is None
    assert (found.speed.fast, found.speed.slow) == pytest.approx((FAST_MEAN, SLOW_MEAN))
    assert found.speed.words == "two speeds: 222 / 72 tokens/s"
    assert found.speed.rank == pytest.approx(SLOW_MEAN)


def test_a_publication_of_two_speeds_gives_no_number() -> None:
    untold = Published(mean=224.0, two_speeds=True)
    found = market().measured(
        bench("vision", "1.0.1", (), published=untold, source="https://example.com/post"),
        bench("alpha", "1.1.1", (1.0,)),
    )
    row = rows(found)["vision"]
    assert row.speed is not None
    assert (row.speed.mean, row.speed.words) == (None, "two speeds")
    assert row_data(row)["two_speeds"] == {"fast": None, "slow": None}
    # Known to be uneven is more than unknown, and less than any number.
    assert [row.app for row in leaderboard(found.catalog(), found.read)][:2] == ["alpha", "vision"]


@pytest.mark.parametrize(
    "other",
    [
        {"version": "1.0.0"},
        {"version": "1.0.2"},
        {"version": "", "trial": "with something else"},
        {"version": ""},
        {"context": 65536},
        {"image": "vllm/vllm-openai:v0.20.0"},
        {"users": 3},
        {"settings": {"standard": False}},
        {"settings": {"prompt_tokens": 8000}},
        {"hardware": "other-machine"},
        {"runs": (Run(250.0, cold=True),)},
    ],
    ids=str,
)
def test_what_is_not_of_the_release_gives_it_no_number(other: Mapping[str, Any]) -> None:
    fitting = bench("vision", "1.0.1", STEADY, context=131072, image="vllm/vllm-openai:v0.21.0")
    assert of_vision(fitting).speed is not None
    assert of_vision(replace(fitting, **other)).speed is None


def test_the_newest_of_several_counts() -> None:
    first = bench("vision", "1.0.1", (100.0,), date="2026-11-20")
    second = bench("vision", "1.0.1", (200.0,), date="2026-11-20")
    older = bench("vision", "1.0.1", (300.0,), date="2026-11-19")
    speed = of_vision(first, second, older).speed
    assert speed is not None
    assert speed.mean == 200.0
    # An older single number does not hide that there are two by now.
    slow = bench("vision", "1.0.1", TWO_SPEEDS, date="2026-11-21")
    speed = of_vision(first, slow).speed
    assert speed is not None
    assert speed.two


def renewed(**changes: Any) -> Market:
    spec = {**VISION_SPEC, **changes}
    grown = market().grown(release_of("vision", "1.0.2", 20, spec))
    return grown.measured(
        bench("vision", "1.0.1", STEADY), smoke("vision", "1.0.1", vision="failed")
    )


def test_a_release_with_other_texts_keeps_the_number_of_the_one_before() -> None:
    found = known(renewed(summary="Sees, with 250.5 tokens/s", title="Seeing"))
    assert found.speed is not None
    assert found.version == "1.0.1"
    assert found.vision == "failed"
    assert rows(renewed(title="Seeing"))["vision"].version == "1.0.2"


@pytest.mark.parametrize(
    "changes",
    [
        {"engine": VISION_SPEC["engine"] | {"context": 65536}},
        {"engine": VISION_SPEC["engine"] | {"args": {"seed": 2}}},
        {"env": {"X": "1"}},
        {"gpu": {"memory": "20Gi"}},
    ],
    ids=["context", "argument", "variable", "GPU memory"],
)
def test_a_release_that_runs_something_else_has_no_number(changes: dict[str, Any]) -> None:
    found = known(renewed(**changes))
    assert found.speed is None
    assert found.vision != "failed"


def test_abilities_are_what_the_smoke_test_found() -> None:
    assert (of_vision().vision, of_vision().tools) == ("stated", "stated")
    found = of_vision(smoke("vision", "1.0.1", vision="passed", tools="failed"))
    assert (found.vision, found.tools) == ("tested", "failed")
    # A check that did not run says nothing, and a test of another version neither.
    found = of_vision(
        smoke("vision", "1.0.1", tools="skipped"), smoke("vision", "1.0.0", tools="failed")
    )
    assert found.tools == "stated"


VLLM_TOOLS = {"enable-auto-tool-choice": True, "tool-call-parser": "qwen"}


@pytest.mark.parametrize(
    ("changes", "abilities"),
    [
        ({}, ("no", "no")),
        ({"engine": {"args": {"limit-mm-per-prompt": {"image": 1}}}}, ("stated", "no")),
        ({"engine": {"args": {"limit-mm-per-prompt": {"image": 0}}}}, ("no", "no")),
        ({"engine": {"args": VLLM_TOOLS}}, ("no", "stated")),
        ({"gateway": {"mode": "chat", "supports": ["tools", "vision"]}}, ("stated", "stated")),
        ({"engine": {"args": 3}}, ("no", "no")),
        # Words are no settings.
        ({"summary": "vision and tools", "title": "Vision"}, ("no", "no")),
    ],
)
def test_abilities_follow_from_settings(
    changes: dict[str, Any], abilities: tuple[str, str]
) -> None:
    found = market()
    catalog, app = app_of(found, "vision")
    settings = merged(changes)
    offer = replace(app.offers["modern"], release=replace(app.history[-1], settings=settings))
    stated = measured(catalog, replace(app, offers={"modern": offer}), found.read)
    assert (stated.vision, stated.tools) == abilities


def test_abilities_follow_from_the_facts_of_the_model() -> None:
    found = market()
    catalog, app = app_of(found, "vision")
    offer = replace(app.offers["modern"], release=replace(app.history[-1], settings=merged({})))
    facts = (
        b"hf: owner/model\nconfig:\n  model_type: gemma3\n  architectures: [Gemma3]\n"
        b"  vision_config: {model_type: siglip}\n"
    )
    with_facts = replace(catalog, models=ModelFiles((("owner--model.yaml", facts),)))
    assert with_facts.models.shelf.find("owner/model") is not None
    seen = measured(with_facts, replace(app, offers={"modern": offer}), found.read)
    assert (seen.vision, ABILITY_WORDS[seen.vision]) == ("possible", "untested")


def merged(changes: dict[str, Any]) -> dict[str, Any]:
    """The small spec with changes."""
    settings: dict[str, Any] = merge_patch(SMALL, changes)
    return settings


def test_the_fastest_comes_first_two_speeds_by_the_slow_one_and_the_rest_by_title() -> None:
    found = market().measured(
        bench("vision", "1.0.1", (72.0,)),
        bench("alpha", "1.1.1", TWO_SPEEDS),
        bench("zeta", "1000.20000.30000", (73.0,)),
    )
    names = [row.app for row in leaderboard(found.catalog(), found.read)]
    # 73 is more than the slow runs of alpha, 72.25, and these more than 72.
    assert names[:3] == ["zeta", "alpha", "vision"]
    titles = [rows(found)[name].title.casefold() for name in names[3:]]
    assert titles == sorted(titles)
    assert not {"delta", "epsilon"} & set(names)


def test_a_row_says_all_that_is_known() -> None:
    row = rows(measured_market())["vision"]
    assert row_data(row) == {
        "app": "vision",
        "title": "Vision",
        "version": "1.0.1",
        "released": True,
        "model": "owner/model",
        "engine": "vLLM",
        "made_for": "Olares One (RTX 5090M 24 GB)",
        "tokens_per_second": pytest.approx(STEADY_MEAN),
        "two_speeds": None,
        "measured_version": "1.0.1",
        "hardware": "Olares One (RTX 5090M 24 GB)",
        "source": None,
        "date": "2026-11-20",
        "published_without_version": False,
        "context_tokens": 131072,
        "vision": "tested",
        "tools": "stated",
        "gpu_memory_bytes": 23 * 2**30,
    }
    assert row.origin == "measured"
    assert rows(measured_market())["hostile"].origin == ""


def test_versions_are_those_of_the_ledger_and_of_publications_before_it() -> None:
    found = market().measured(
        bench("vision", "0.9.0", (90.0,), source="https://example.com/post"),
        bench("vision", "0.10.0", (95.0,), source="https://example.com/post"),
        bench("vision", "0.9.1", (91.0,)),
        bench("vision", "1.0.0", (100.0,)),
        bench("vision", "1.0.1", TWO_SPEEDS),
        bench("vision", "1.1.0", (900.0,)),
        bench("vision", "2.0.0", (900.0,), source="https://example.com/post"),
    )
    _, app = app_of(found, "vision")
    told = [(item.version, item.released) for item in version_speeds(app, "olares-one")]
    assert told == [("0.9.0", False), ("0.10.0", False), ("1.0.0", True), ("1.0.1", True)]


def test_a_bench_before_a_bump_is_of_the_version_that_ran_it() -> None:
    def of(version: str, day: int, workload: str) -> tuple[Release, dict[str, bytes]]:
        line, files = release_of("vision", version, day, VISION_SPEC)
        return replace(line, workload=workload), files

    found = market().grown(
        of("1.0.2", 20, "a" * 64), of("1.0.3", 21, "b" * 64), of("1.0.4", 22, "b" * 64)
    )
    found = found.measured(
        bench("vision", "1.0.2", (100.0,), workload="a" * 64),
        # Measured with new settings while the spec still stood at the released version.
        bench("vision", "1.0.2", (150.0,), workload="b" * 64),
        bench("vision", "1.0.4", (900.0,), workload="c" * 64),
    )
    _, app = app_of(found, "vision")
    told = [(item.version, item.speed.mean) for item in version_speeds(app, "olares-one")]
    assert told == [("1.0.2", 100.0), ("1.0.3", 150.0)]
    # The last release has other texts only.
    newest = known(found)
    assert newest.speed is not None
    assert (newest.version, newest.speed.mean) == ("1.0.3", 150.0)
    shown = speed_section(app, newest, "olares-one")
    assert ([one.of for one in shown.shown], [one.of for one in shown.others]) == (
        ["1.0.3"],
        ["1.0.2"],
    )


@pytest.mark.parametrize("change", [b"251.1", b"251.10001"])
def test_a_number_that_was_typed_in_is_not_shown(change: bytes) -> None:
    found = market().measured(bench("vision", "1.0.1", STEADY))
    ((name, data),) = found.beside.of("vision").files
    edited = data.replace(b"251.1", change, 1)
    app = AppEvidence("vision", ((name, edited),))
    assert bool(app.measurements) is (change == b"251.1")
    # Nor one of another app.
    assert AppEvidence("alpha", ((name, data),)).measurements == ()


def test_evidence_is_read_from_beside_the_specs(tmp_path: Path) -> None:
    assert read_beside(tmp_path, ["vision"]).evidence == {}
    apps = tmp_path / "apps"
    for rate in range(1, 12):
        keep(apps, bench("vision", "1.0.1", (float(rate),)))
    keep(apps, bench("unknown", "1.0.1", (1.0,)))
    (apps / "evidence" / "vision" / "notes.txt").write_text("x")
    (apps / "evidence" / "vision" / "1.0.1-bench-99.json").write_text("no JSON")
    beside = read_beside(tmp_path, ["vision", "../evidence/vision", "alpha"])
    assert list(beside.evidence) == ["vision"]
    found = beside.of("vision").measurements
    assert [m.runs[0].tokens_per_second for m in found] == [float(rate) for rate in range(1, 12)]

"""One speed or two: the known series, their statistics, and what stands for them."""

from __future__ import annotations

import random

import pytest

from chartgen.evidence.record import Measurement, Published, Run
from chartgen.evidence.statistics import headline, summarise, two_speeds

# Published: Gemma 4 with DFlash and vision (two phases), and with Google's drafter (one speed) at
# 64K and at 128K, where the first run was cold.
PHASES = (218, 229, 62, 223, 215, 103, 62, 224, 62, 221)
OTHER_PHASES = (221, 214, 218, 222, 230, 103, 59, 62, 62, 212)
HEALTHY = (250.35, 250.87, 252.97, 252.14, 249.51, 247.84, 252.48, 249.61, 248.61, 251.10)
COLD_FIRST = (212.41, 254.39, 251.89, 252.42, 250.74, 247.27, 249.58, 251.14, 253.27, 246.53)


def runs(rates: tuple[float, ...], *, cold: int = 0) -> tuple[Run, ...]:
    return tuple(Run(rate, cold=at < cold) for at, rate in enumerate(rates))


def bench(*, given: tuple[Run, ...] = (), published: Published | None = None) -> Measurement:
    return Measurement("bench", "smallapp", "1.0.0", runs=given, published=published)


def test_the_known_phases_are_two_speeds() -> None:
    summary = summarise(runs(PHASES))
    assert summary is not None
    assert summary.mean == pytest.approx(161.9)
    assert summary.range == 167
    assert summary.median == 216.5
    assert summary.speeds is not None
    assert summary.speeds.fast == (218, 229, 223, 215, 224, 221)
    assert summary.speeds.slow == (62, 103, 62, 62)
    assert summary.speeds.sequence == "FFSFFSSFSF"
    assert summary.speeds.fast_share == 0.6
    assert summary.speeds.stretches == 7
    assert summary.speeds.slow_mean == 72.25
    assert summary.speeds.fast_mean == pytest.approx(1330 / 6)
    assert not summary.steady


def test_phases_that_change_once_are_two_speeds() -> None:
    speeds = two_speeds(OTHER_PHASES)
    assert speeds is not None
    assert (speeds.sequence, speeds.stretches) == ("FFFFFSSSSF", 3)


def test_the_healthy_series_has_one_speed() -> None:
    summary = summarise(runs(HEALTHY))
    assert summary is not None
    assert summary.speeds is None
    assert summary.steady
    assert summary.mean == pytest.approx(250.548)
    assert summary.range == pytest.approx(5.13)
    assert summary.deviation == pytest.approx(1.68, abs=0.01)
    assert (summary.least, summary.most, summary.count) == (247.84, 252.97, 10)


@pytest.mark.parametrize(("count", "steady"), [(1, False), (3, False), (4, True)])
def test_runs_that_cannot_show_two_speeds_are_not_steady(count: int, steady: bool) -> None:
    summary = summarise(runs(HEALTHY[:count]))
    assert summary is not None
    assert summary.steady is steady


def test_a_cold_run_is_kept_apart() -> None:
    summary = summarise(runs(COLD_FIRST, cold=1))
    assert summary is not None
    assert summary.cold == Run(212.41, cold=True)
    assert (summary.count, summary.least, summary.speeds) == (9, 246.53, None)
    assert summary.mean == pytest.approx(2257.23 / 9)


def test_one_slow_run_makes_no_second_speed() -> None:
    summary = summarise(runs(COLD_FIRST))
    assert summary is not None
    assert summary.speeds is None


@pytest.mark.parametrize(
    "rates",
    [
        (),
        (250.0,),
        (250.0, 60.0),
        (250.0, 60.0, 250.0),
        (250.0,) * 10,
        (0.0, 0.0, 0.0, 0.0),
        # Two tight groups, but less than a tenth apart.
        (100.0, 100.0, 109.0, 109.0),
        # No gap worth the name.
        (100.0, 120.0, 140.0, 160.0, 180.0, 200.0),
    ],
)
def test_what_has_no_two_speeds(rates: tuple[float, ...]) -> None:
    assert two_speeds(rates) is None


def test_two_runs_of_each_are_enough() -> None:
    speeds = two_speeds((100.0, 112.0, 100.0, 112.0))
    assert speeds is not None
    assert speeds.sequence == "SFSF"


def test_the_order_of_the_runs_decides_nothing() -> None:
    source = random.Random(7)
    for series in (PHASES, HEALTHY):
        expected = two_speeds(series) is not None
        for _ in range(50):
            shuffled = source.sample(series, len(series))
            assert (two_speeds(shuffled) is not None) == expected


def test_only_cold_runs_say_nothing() -> None:
    assert summarise(runs((212.41,), cold=1)) is None
    assert summarise(()) is None


def test_acceptance_is_that_of_all_warm_runs_together() -> None:
    told = (
        Run(1.0, accepted_tokens=0, drafted_tokens=1000, cold=True),
        Run(1.0, accepted_tokens=12_000, drafted_tokens=14_000),
        Run(1.0, accepted_tokens=13_920, drafted_tokens=15_997),
        Run(1.0),
    )
    summary = summarise(told)
    assert summary is not None
    assert summary.acceptance == pytest.approx(25_920 / 29_997)


@pytest.mark.parametrize(
    ("measurement", "expected"),
    [
        (bench(given=runs(HEALTHY)), 250.548),
        (bench(given=runs(PHASES)), None),
        (bench(given=runs((212.41,), cold=1)), None),
        (bench(published=Published(135.97)), 135.97),
        (bench(published=Published(224.0, two_speeds=True)), None),
        (bench(), None),
    ],
)
def test_one_number_stands_only_for_one_speed(
    measurement: Measurement, expected: float | None
) -> None:
    assert headline(measurement) == (expected and pytest.approx(expected))

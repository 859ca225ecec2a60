"""Which bench may stand for its release, and which requests stood in a queue."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chartgen.evidence.record import Run
from chartgen.measure.bench_evidence import is_other_engine, why_not_compared
from chartgen.measure.bench_report import summary_text
from chartgen.measure.runs import BenchPlan, Round, Series, usual_silence

PLAN = BenchPlan("smallapp")
NAMES = ("smallapp", "other-name")


def rounds(*rates: float, tokens: int | None = 2500, streaming: bool = True) -> Series:
    """Return a series of one user's runs that count."""
    runs = (Run(rate, completion_tokens=tokens) for rate in rates)
    return Series(
        tuple(Round((run,), True, run.tokens_per_second, None, streaming) for run in runs)
    )


WHOLE = rounds(200, 201, 202, 203)


def test_the_standard_bench_is_compared() -> None:
    assert why_not_compared(PLAN, WHOLE, names=NAMES) == ""
    assert why_not_compared(PLAN, WHOLE, names=NAMES, told_engine="vLLM 0.21.0", title="vLLM") == ""


@pytest.mark.parametrize(
    ("plan", "series", "reason"),
    [
        (replace(PLAN, users=3), WHOLE, "number of users"),
        (PLAN, rounds(200, 201, 202), "fewer than 4 runs"),
        (PLAN, rounds(200, 201, 202, 203, streaming=False), "not streamed"),
        (PLAN, rounds(200, 201, 202, 203, tokens=3), "3 tokens only"),
    ],
)
def test_why_a_bench_is_not_compared(plan: BenchPlan, series: Series, reason: str) -> None:
    assert reason in why_not_compared(plan, series, names=NAMES)


def test_another_model_than_that_of_the_spec_is_not_compared() -> None:
    assert why_not_compared(replace(PLAN, model="other-name"), WHOLE, names=NAMES) == ""
    told = why_not_compared(replace(PLAN, model="another"), WHOLE, names=NAMES)
    assert "the model another" in told


def test_a_long_prompt_and_a_queue_may_be_silent_for_longer() -> None:
    assert usual_silence(0, 1, 2500) == 120
    # 100,000 tokens at 700 tokens/s, and two answers of 2,500 at 30 tokens/s, are no fault.
    assert usual_silence(100_000, 1, 2500) > 100_000 / 700 + 120
    assert usual_silence(0, 3, 2500) > 2 * 2500 / 30 + 120


def test_cold_runs_do_not_count() -> None:
    first, *others = WHOLE.rounds
    cold = replace(first, runs=(replace(first.runs[0], cold=True),))
    assert "fewer than 4 runs" in why_not_compared(PLAN, Series((cold, *others)), names=NAMES)


def test_a_stopped_bench_and_another_engine_are_not_compared() -> None:
    assert "stopped" in why_not_compared(PLAN, WHOLE, names=NAMES, stopped=True)
    assert "vLLM 0.21.0" in why_not_compared(
        PLAN, WHOLE, names=NAMES, told_engine="vLLM 0.21.0", title="llama.cpp"
    )


@pytest.mark.parametrize(
    ("told", "title", "other"),
    [
        ("vLLM 0.21.0", "vLLM", False),
        ("llama.cpp b11434", "vLLM", True),
        ("", "vLLM", False),
        ("vLLM 0.21.0", "", False),
    ],
)
def test_engines_are_told_apart_by_their_names(told: str, title: str, other: bool) -> None:
    assert is_other_engine(told, title) == other


def side_by_side(*waits: float) -> Series:
    """Return rounds in which three users wait so long, and then read 100 tokens/s for 10 s."""
    runs = tuple(Run(1000 / (wait + 10), 100.0, wait, 1000) for wait in waits)
    return Series((Round(runs, True, 0.0, None, True),) * 2)


@pytest.mark.parametrize(
    ("waits", "queued"),
    [((0.1, 0.1, 0.2), False), ((0.5, 3, 6), False), ((0.1, 10.1, 20.1), True)],
)
def test_a_queue_is_told_from_a_slow_phase(waits: tuple[float, ...], queued: bool) -> None:
    text = summary_text(side_by_side(*waits), replace(PLAN, users=3))
    assert ("stood in a queue" in text) == queued

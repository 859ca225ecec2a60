"""One completion: its rates from times and counts, and the requests of a plan."""

from __future__ import annotations

import json
from typing import cast

import pytest

from chartgen.evidence.record import Run
from chartgen.measure.address import read_endpoint
from chartgen.measure.chat import NoUsageError, chat_limits, timed_run
from chartgen.measure.connection import Connection, Received, Trouble
from chartgen.measure.faults import EndpointError
from chartgen.measure.metrics import Drafts
from chartgen.measure.prompt import filler, game_prompt
from chartgen.measure.runs import BenchPlan, Round, Series, fill_tokens

PLAN = BenchPlan("smallapp")


class Recorded:
    """A connection that brings one recorded stream."""

    address = read_endpoint("http://127.0.0.1")

    def __init__(self, *events: tuple[float, str], trouble: Trouble | None = None) -> None:
        pieces = tuple((at, f"data: {data}\n\n".encode()) for at, data in events)
        self.received = Received(200, "", 10.0, pieces[-1][0], pieces, trouble)

    def stream(self, *_: object, **__: object) -> Received:
        return self.received

    def redact(self, text: str) -> str:
        return text


def word(text: str, finish: str | None = None) -> str:
    return json.dumps({"choices": [{"delta": {"content": text}, "finish_reason": finish}]})


def counted(tokens: int) -> str:
    return json.dumps({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": tokens}})


def run_of(recorded: Recorded) -> Run:
    return timed_run(cast("Connection", recorded), PLAN.request(0), PLAN.limits)


def test_rates_come_from_counts_and_times() -> None:
    # Asked at 10; words from 12 to 20 in three events; 401 tokens by the server's count.
    run = run_of(
        Recorded(
            (12.0, word("a")),
            (16.0, word("b c d")),
            (20.0, word("e", "length")),
            (25.0, counted(401)),
            (25.0, "[DONE]"),
        )
    )
    assert run == Run(
        tokens_per_second=401 / 10,
        decode_tokens_per_second=400 / 8,
        first_token_seconds=2.0,
        completion_tokens=401,
        prompt_tokens=9,
    )


def test_an_answer_in_one_event_has_no_decode_rate() -> None:
    run = run_of(Recorded((12.0, word("a", "stop")), (12.0, counted(5)), (12.0, "[DONE]")))
    assert (run.tokens_per_second, run.decode_tokens_per_second) == (2.5, None)


def test_an_answer_out_of_a_buffer_has_no_times_of_its_words() -> None:
    # 2,000 tokens within a millisecond, after 8 s.
    held = Recorded((18.0, word("a")), (18.001, word("b", "stop")), (18.001, counted(2000)))
    run = run_of(held)
    assert (run.first_token_seconds, run.decode_tokens_per_second) == (None, None)
    assert run.tokens_per_second == pytest.approx(2000 / 8.001)


def test_events_are_never_counted() -> None:
    with pytest.raises(NoUsageError):
        run_of(Recorded((12.0, word("a", "stop")), (12.0, "[DONE]")))


@pytest.mark.parametrize("at", [15.1, 24.9])
def test_a_stream_that_ends_with_the_proxys_patience_says_so(at: float) -> None:
    ends_early = Recorded((12.0, word("a")), (at, word("b")))
    with pytest.raises(EndpointError) as caught:
        run_of(ends_early)
    assert ("Olares' proxy" in str(caught.value)) == (at == 24.9)


def test_no_two_requests_have_the_same_seed_or_filler() -> None:
    plan = BenchPlan("smallapp", fill_words=50)
    first, second = plan.request(0).body(stream=True), plan.request(1).body(stream=True)
    assert first["seed"] != second["seed"]
    assert first["messages"] != second["messages"]
    assert plan.request(0).body(stream=True) == first
    assert first["messages"][0]["content"].endswith(game_prompt())


def test_the_prompt_alone_is_the_same_for_all() -> None:
    assert PLAN.request(0).messages == PLAN.request(1).messages


@pytest.mark.parametrize(
    ("plan", "standard"),
    [
        (BenchPlan("a"), True),
        (BenchPlan("b", runs=4, warm_up=2, silence_seconds=9), True),
        (BenchPlan("a", runs=3), False),
        (BenchPlan("a", users=2), False),
        (BenchPlan("a", prompt_tokens=2000), False),
        (BenchPlan("a", image=True), False),
        (BenchPlan("a", max_tokens=500), False),
        (BenchPlan("a", temperature=0), False),
    ],
)
def test_only_the_usual_request_is_compared(plan: BenchPlan, standard: bool) -> None:
    assert plan.settings()["standard"] == standard
    assert plan.settings(streaming=False)["standard"] is False


def test_filler_has_as_many_words_as_asked_for() -> None:
    assert len(filler(1000, 1).split()) == 1000
    assert filler(1000, 1) != filler(1000, 2)


@pytest.mark.parametrize(
    ("context", "per_cent", "tokens"),
    [(131_072, 50, 65_536), (131_072, 100, 131_072 - 2500 - 1024), (4096, 90, 572), (2048, 90, 0)],
)
def test_a_context_is_filled_but_for_the_answer(context: int, per_cent: int, tokens: int) -> None:
    assert fill_tokens(context, per_cent, 2500) == tokens


def test_an_answer_may_be_as_large_as_its_tokens_take() -> None:
    assert chat_limits(1, 5).size_bytes < chat_limits(100_000, 5).size_bytes


def one_round(rate: float, *, counts: bool = True, cold: bool = False, drafted: int = 0) -> Round:
    drafts = Drafts(drafted, drafted // 2) if drafted else None
    return Round((Run(rate, cold=cold),), counts, rate, drafts, streaming=True)


def test_the_first_run_is_cold_and_the_other_warm_up_is_dropped() -> None:
    series = Series()
    for found in (
        one_round(100, counts=False, cold=True, drafted=1000),
        one_round(150, counts=False, drafted=1000),
        one_round(200, drafted=10),
        one_round(220, drafted=30),
    ):
        series = series.with_round(found)
    assert [run.tokens_per_second for run in series.runs] == [100, 200, 220]
    assert (series.total, series.drafts) == (210, Drafts(40, 20))


def test_without_warm_up_the_first_run_that_counts_is_cold() -> None:
    series = Series().with_round(one_round(100, cold=True, drafted=8))
    series = series.with_round(one_round(200, drafted=10))
    assert [run.cold for run in series.runs] == [True, False]
    assert (series.total, series.drafts) == (200, Drafts(10, 5))


def test_drafts_of_which_a_part_was_not_counted_are_unknown() -> None:
    series = Series().with_round(one_round(200, drafted=10)).with_round(one_round(200))
    assert series.drafts is None

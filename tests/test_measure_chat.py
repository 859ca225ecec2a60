"""One completion: its rates from times and counts, and the requests of a plan."""

from __future__ import annotations

import json
from typing import cast

import pytest

from chartgen.evidence.record import Run
from chartgen.measure.address import read_endpoint
from chartgen.measure.chat import NoUsageError, chat_limits, timed_run
from chartgen.measure.connection import Connection, Limits, Received, Reply, Trouble
from chartgen.measure.faults import EndpointError
from chartgen.measure.metrics import Drafts
from chartgen.measure.prompt import filler, game_prompt
from chartgen.measure.runs import BenchPlan, Round, Series, fill_tokens

PLAN = BenchPlan("smallapp")


class Recorded:
    """A connection that brings one recorded answer, and keeps the limits that it was given."""

    address = read_endpoint("http://127.0.0.1")

    def __init__(self, *events: tuple[float, str], trouble: Trouble | None = None) -> None:
        pieces = tuple((at, f"data: {data}\n\n".encode()) for at, data in events)
        self.received = Received(200, "", 10.0, pieces[-1][0], pieces, trouble)
        self.reply = Reply(200, "application/json", b"{}", 8.0)
        self.limits: Limits | None = None

    @classmethod
    def whole(cls, document: object) -> Recorded:
        """Return one whose answer is not streamed, and took 8 s."""
        body = json.dumps(document).encode()
        recorded = cls((18.0, "[DONE]"))
        recorded.reply = Reply(200, "application/json", body, 8.0)
        recorded.received = Received(200, "application/json", 10.0, 18.0, ((18.0, body),))
        return recorded

    def stream(self, *_: object, **__: object) -> Received:
        return self.received

    def post(self, path: str, body: object, limits: Limits) -> Reply:
        self.limits = limits
        return self.reply

    def redact(self, text: str) -> str:
        return text.replace("marker-key", "[secret]")


def word(text: str, finish: str | None = None) -> str:
    return json.dumps({"choices": [{"delta": {"content": text}, "finish_reason": finish}]})


def counted(tokens: float) -> str:
    return json.dumps({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": tokens}})


def answer(tokens: float = 40, finish: str = "stop", **more: object) -> dict[str, object]:
    """Return a whole answer."""
    choice = {"message": {"role": "assistant", "content": "Hi"}, "finish_reason": finish}
    return {"choices": [choice], "usage": {"completion_tokens": tokens}, **more}


def run_of(recorded: Recorded, *, streaming: bool = True) -> Run:
    connection = cast("Connection", recorded)
    return timed_run(connection, PLAN.request(0), PLAN.limits, streaming=streaming)


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


def test_a_short_answer_in_one_event_has_a_first_token() -> None:
    run = run_of(Recorded((12.0, word("a b c", "stop")), (12.0, counted(3)), (12.0, "[DONE]")))
    assert (run.first_token_seconds, run.decode_tokens_per_second) == (2.0, None)


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


@pytest.mark.parametrize("tokens", [99_999, 1e12, 2517])
@pytest.mark.parametrize("streaming", [True, False])
def test_more_tokens_than_were_allowed_are_no_count(tokens: float, streaming: bool) -> None:
    recorded = Recorded.whole(answer(tokens))
    if streaming:
        recorded = Recorded((12.0, word("a", "stop")), (12.0, counted(tokens)), (12.0, "[DONE]"))
    with pytest.raises(EndpointError, match="although 2,500 were allowed at most"):
        run_of(recorded, streaming=streaming)


def test_the_last_step_of_an_engine_may_count_a_few_more() -> None:
    assert run_of(Recorded.whole(answer(2516)), streaming=False).completion_tokens == 2516


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        (answer(error={"message": "boom"}, choices=[]), "it sent an error: boom"),
        (answer(choices=[]), "it has no message"),
        (answer(finish="abort"), "was given up"),
        ("Hi", "is no JSON object"),
    ],
)
def test_a_whole_answer_that_is_none_is_no_run(document: object, fault: str) -> None:
    with pytest.raises(EndpointError, match=fault):
        run_of(Recorded.whole(document), streaming=False)


def test_an_answer_that_is_not_streamed_is_silent_until_it_is_whole() -> None:
    recorded = Recorded.whole(answer())
    assert run_of(recorded, streaming=False).tokens_per_second == 40 / 8
    assert recorded.limits is not None
    # 2,500 tokens at the slowest rate, and what else may be silent: more than any answer lasts.
    assert recorded.limits.silence_seconds == recorded.limits.total_seconds == 3600


def test_an_endpoint_that_does_not_stream_is_measured_without() -> None:
    with pytest.raises(NoUsageError):
        run_of(Recorded.whole(answer()))


@pytest.mark.parametrize("at", [3.0, 15.0])
def test_a_limit_of_the_bench_is_not_the_proxy_s(at: float) -> None:
    stalled = Recorded((10.0 + at, word("a")), trouble=Trouble("stalled", "nothing came for 15 s"))
    with pytest.raises(EndpointError, match="--stall allows a longer silence"):
        run_of(stalled)


def test_words_of_an_error_are_told_although_the_proxy_s_patience_is_over() -> None:
    error = json.dumps({"error": {"message": "out of memory"}})
    with pytest.raises(EndpointError, match="it sent an error: out of memory"):
        run_of(Recorded((12.0, word("a")), (25.0, error)))


def test_no_error_holds_the_key() -> None:
    with pytest.raises(EndpointError, match="secret") as told:
        run_of(Recorded((12.0, word("", "no marker-key"))))
    assert "marker" not in str(told.value)


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
    ("plan", "unusual"),
    [
        (BenchPlan("a"), ()),
        (BenchPlan("b", runs=3, warm_up=2, silence_seconds=9), ()),
        (BenchPlan("a", users=2), ("number of users",)),
        (BenchPlan("a", prompt_tokens=2000), ("length of prompts",)),
        (BenchPlan("a", image=True), ("question (no picture)",)),
        (BenchPlan("a", max_tokens=500, temperature=0), ("length of answers", "temperature")),
    ],
)
def test_only_the_usual_request_is_compared(plan: BenchPlan, unusual: tuple[str, ...]) -> None:
    assert plan.unusual == unusual


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


def test_more_drafts_accepted_than_made_are_not_taken() -> None:
    end = {"choices": [], "usage": {"completion_tokens": 5}}
    timings = {"draft_n": 100, "draft_n_accepted": 120}
    told = json.dumps(end | {"timings": timings})
    run = run_of(Recorded((12.0, word("a", "stop")), (12.5, told), (12.5, "[DONE]")))
    assert (run.drafted_tokens, run.accepted_tokens) == (None, None)

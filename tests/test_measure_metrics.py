"""Counters of drafts in /metrics, in the words of vLLM and llama.cpp."""

from __future__ import annotations

import pytest

from chartgen.measure.metrics import (
    Drafts,
    draft_counters,
    drafts_between,
    running_requests,
    samples,
)

VLLM = """\
# HELP vllm:spec_decode_num_draft_tokens_total Number of draft tokens.
# TYPE vllm:spec_decode_num_draft_tokens_total counter
vllm:spec_decode_num_draft_tokens_total{engine="0",model_name="m"} 29997.0
# TYPE vllm:spec_decode_num_draft_tokens_created gauge
vllm:spec_decode_num_draft_tokens_created{engine="0",model_name="m"} 1.7632e+09
vllm:spec_decode_num_accepted_tokens_total{engine="0",model_name="m"} 25920.0
vllm:spec_decode_num_accepted_tokens_created{engine="0",model_name="m"} 1.7632e+09
vllm:spec_decode_num_accepted_tokens_per_pos_total{engine="0",model_name="m",position="0"} 9500.0
vllm:num_requests_running{engine="0",model_name="m"} 2.0
"""
LLAMACPP = """\
# TYPE llamacpp:spec_decode_num_draft_tokens_total counter
llamacpp:spec_decode_num_draft_tokens_total 218
llamacpp:spec_decode_num_accepted_tokens_total 208
llamacpp:requests_processing 0
"""


@pytest.mark.parametrize(
    ("text", "drafts", "share", "running"),
    [
        (VLLM, Drafts(29_997, 25_920), 0.864, 2),
        (LLAMACPP, Drafts(218, 208), 0.954, 0),
    ],
)
def test_counters_of_an_engine(text: str, drafts: Drafts, share: float, running: int) -> None:
    found = draft_counters(text)
    assert found == drafts
    assert found.acceptance == pytest.approx(share, abs=0.0005)
    assert running_requests(text) == running


def test_the_counters_of_replicas_are_added() -> None:
    text = VLLM + VLLM.replace('engine="0"', 'engine="1"')
    assert draft_counters(text) == Drafts(59_994, 51_840)


@pytest.mark.parametrize("text", ["", "up 1\n", "<html>", VLLM.replace("accepted", "other")])
def test_an_engine_without_drafts_counts_none(text: str) -> None:
    assert draft_counters(text) is None


def test_labels_may_hold_anything() -> None:
    text = 'x{a="br}ace",b="quo\\"te {",c="comma, # hash"} 3 1763200000000\n'
    assert list(samples(text)) == [("x", 3.0)]


@pytest.mark.parametrize("line", ["x NaN", "x +Inf", "x -Inf", "x", "x one", "# x 1", "{a} 1", ""])
def test_what_is_no_finite_sample_is_passed_over(line: str) -> None:
    assert list(samples(line)) == []


@pytest.mark.parametrize(
    ("before", "after", "between"),
    [
        (Drafts(3, 2), Drafts(30_000, 25_922), Drafts(29_997, 25_920)),
        (Drafts(3, 2), Drafts(3, 2), Drafts(0, 0)),
        # Started anew in between.
        (Drafts(3000, 2000), Drafts(30, 20), None),
        (None, Drafts(3, 2), None),
        (Drafts(3, 2), None, None),
    ],
)
def test_drafts_between_two_readings(
    before: Drafts | None, after: Drafts | None, between: Drafts | None
) -> None:
    assert drafts_between(before, after) == between


def test_nothing_drafted_has_no_acceptance() -> None:
    assert Drafts(0, 0).acceptance is None


@pytest.mark.parametrize("count", ["1e30", "9.3e18"])
def test_counters_that_no_engine_has_are_not_taken(count: str) -> None:
    text = f"vllm:spec_decode_num_draft_tokens {count}\nvllm:spec_decode_num_accepted_tokens 1\n"
    assert draft_counters(text) is None

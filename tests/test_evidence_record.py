"""The file of a measurement: what it holds comes back, and every edit of it shows."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from chartgen.evidence.figures import gain_text, rate_text, share_text
from chartgen.evidence.files import MAX_BYTES
from chartgen.evidence.record import (
    Check,
    Measurement,
    Published,
    Run,
    Unsound,
    measurement_json,
    parse_measurement,
)

BENCH = Measurement(
    "bench",
    "smallapp",
    "1.2.3",
    workload="ab" * 32,
    content={"modern": "sha256:1"},
    image="vllm/vllm-openai:v0.21.0",
    engine="0.21.0",
    hardware="olares-one",
    date="2026-05-22",
    context=131072,
    users=2,
    settings={"max_tokens": 2500, "seed": None, "temperature": 0.0},
    runs=(
        Run(212.41, first_token_seconds=0.5, cold=True, accepted_tokens=1, drafted_tokens=100),
        Run(254.39, decode_tokens_per_second=256.0, completion_tokens=2500, prompt_tokens=0),
        Run(250.0, accepted_tokens=86, drafted_tokens=100),
    ),
)
SMOKE = Measurement(
    "smoke", "smallapp", "1.2.3", checks=(Check("vision", "passed", "red"), Check("x", "skipped"))
)


@pytest.mark.parametrize(
    "measurement",
    [
        BENCH,
        SMOKE,
        Measurement("bench", "smallapp", "", trial="other drafts", runs=(Run(1.0),), source="s"),
        Measurement(
            "bench", "smallapp", "", published=Published(135.97, 135.67, 136.23, 0.56, 10), note="→"
        ),
    ],
    ids=["bench", "smoke", "trial", "published"],
)
def test_what_is_written_comes_back(measurement: Measurement) -> None:
    assert parse_measurement(measurement_json(measurement)) == measurement


@pytest.mark.parametrize(
    ("was", "typed"),
    [
        (b"254.39", b"354.39"),
        (b'"1.2.3"', b'"1.2.4"'),
        (b'"olares-one"', b'"l4"'),
        (b'"seed": null', b'"seed": 1'),
        (b'   "cold": true', b'   "cold": false'),
        (b'"users": 2', b'"users": 1'),
    ],
)
def test_a_typed_in_value_breaks_the_seal(was: bytes, typed: bytes) -> None:
    data = measurement_json(BENCH)
    assert data.count(was) == 1
    found = parse_measurement(data.replace(was, typed))
    assert isinstance(found, Unsound)
    assert found.broken_seal


def test_another_layout_of_the_same_file_does_not_break_the_seal() -> None:
    data = measurement_json(BENCH)
    crlf = data.replace(b"\n", b"\r\n")
    packed = json.dumps(json.loads(data), separators=(",", ":")).encode()
    assert parse_measurement(crlf) == parse_measurement(packed) == BENCH


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"{}",
        measurement_json(BENCH)[:-40],
        measurement_json(BENCH).replace(b"254.39", b"NaN"),
        measurement_json(BENCH).replace(b'"users": 2', b'"users": 2, "users": 2'),
        b"[" * 100_000,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b" " * (MAX_BYTES + 1),
    ],
    ids=lambda data: repr(data[:20]),
)
def test_what_is_no_measurement_is_said_to_be_none(data: bytes) -> None:
    assert isinstance(parse_measurement(data), Unsound)


@pytest.mark.parametrize(
    "change",
    [
        {"runs": ()},
        {"runs": (Run(float("nan")),)},
        {"runs": (Run(float("inf")),)},
        {"runs": (Run(-1.0),)},
        {"runs": (Run(1.0, completion_tokens=-1),)},
        {"runs": (Run(1.0, completion_tokens=1_000_000_001),)},
        {"runs": (Run(1e308),)},
        {"runs": (Run(1_000_001.0),)},
        {"runs": (Run(1.0, first_token_seconds=1_000_001.0),)},
        {"runs": (Run(1.0, accepted_tokens=11, drafted_tokens=10),)},
        {"accepted_tokens": 11, "drafted_tokens": 10},
        {"version": "1.2"},
        {"version": "1.2.3\n"},
        {"app": "../up"},
        {"date": "22 May"},
        {"date": "2026-05-22T10:00:00"},
        {"date": "2026-02-30"},
        {"date": "2099-13-45"},
        {"date": "0000-01-01"},
        {"number": 0},
        {"number": 1_000_000},
        {"after": ("short",)},
        {"users": 0},
        {"context": 0},
        {"trial": "a trial of a release"},
        {"kind": "smoke"},
        {"kind": "other"},
        {"workload": "short"},
        {"settings": {"depth": float("inf")}},
    ],
    ids=lambda change: next(iter(change)) + repr(next(iter(change.values())))[:20],
)
def test_what_could_not_be_read_back_is_not_written(change: dict[str, Any]) -> None:
    told: dict[str, Any] = {"kind": "bench", "app": "smallapp", "version": "1.2.3"}
    told |= {"runs": (Run(1.0),)}
    measurement_json(Measurement(**told))
    with pytest.raises(ValueError, match=r"."):
        measurement_json(Measurement(**told | change))


def test_the_largest_numbers_that_are_believed_come_back() -> None:
    run = Run(1e6, 1e6, 1e6, completion_tokens=10**9, accepted_tokens=5, drafted_tokens=5)
    largest = Measurement("bench", "smallapp", "1.2.3", date="2028-02-29", runs=(run,) * 4)
    assert parse_measurement(measurement_json(largest)) == largest


def test_a_file_tells_its_number_and_what_was_there_before() -> None:
    first = parse_measurement(measurement_json(replace(BENCH, number=1)))
    assert isinstance(first, Measurement)
    data = measurement_json(replace(BENCH, number=2, after=(first.seal,)))
    second = parse_measurement(data)
    assert isinstance(second, Measurement)
    assert (second.number, second.after) == (2, (first.seal,))
    assert second.seal == json.loads(data)["seal"] != first.seal
    # What was read can be written again: the seal of the old file is no part of it.
    assert measurement_json(second) == data


def test_acceptance_is_that_of_the_warm_runs_or_of_all_together() -> None:
    assert BENCH.acceptance == 0.86
    known = Measurement(
        "bench", "a", "1.0.0", runs=(Run(250.35),), accepted_tokens=25_920, drafted_tokens=29_997
    )
    assert known.acceptance is not None
    assert share_text(known.acceptance) == "86.4 %"
    assert SMOKE.acceptance is None


@pytest.mark.parametrize(
    ("rate", "text"), [(250.54, "250.5"), (135.85, "135.9"), (7.0, "7.0"), (135.97, "136.0")]
)
def test_a_speed_has_one_decimal(rate: float, text: str) -> None:
    assert rate_text(rate) == text


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        # The case of the issue.
        (135.85, 250.54, "135.9 → 250.5 tokens/s, +84 %"),
        (200.0, 100.0, "200.0 → 100.0 tokens/s, \N{MINUS SIGN}50 %"),
        # Within noise nothing is said.
        (135.97, 135.85, ""),
        (0.0, 100.0, ""),
    ],
)
def test_a_change_of_speed_in_words(before: float, after: float, text: str) -> None:
    assert gain_text(before, after) == text

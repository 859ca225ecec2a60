"""The book of knowledge: its language, its entries, and that each speaks where it should."""

from __future__ import annotations

from typing import Any

import pytest

from chartgen.knowledge.book import Knowledge, knowledge_book, spoken
from chartgen.knowledge.conditions import holds
from chartgen.knowledge.releases import in_span, release_order

BOOK = knowledge_book()


def some_release(entry: Knowledge) -> str:
    """Return a release that the entry holds for, named as its engine names releases."""
    numbers = [part.strip().lstrip("<>=") for part in entry.releases.split(",") if part.strip()]
    within = [number for number in numbers if in_span(number, entry.releases)]
    below = {"vllm": "0.1.0", "llamacpp": "b1"}[entry.engine]
    return within[0] if within else below


@pytest.mark.parametrize("entry", BOOK, ids=lambda entry: entry.id)
def test_an_entry_speaks_of_its_examples_and_of_no_others(entry: Knowledge) -> None:
    release = some_release(entry)
    assert entry.speaks
    assert entry.silent
    for subjects in entry.speaks:
        assert entry.speaks_of(entry.engine, release, subjects), subjects
        said = entry.said(release, subjects)
        assert "{" not in said, said
    for subjects in entry.silent:
        assert not entry.speaks_of(entry.engine, release, subjects), subjects
    assert not entry.speaks_of("tabbyapi", release, entry.speaks[0])


@pytest.mark.parametrize("entry", [e for e in BOOK if e.releases], ids=lambda entry: entry.id)
def test_an_entry_for_some_releases_is_silent_outside_of_them(entry: Knowledge) -> None:
    outside = [r for r in ("0.0.1", "b0", "99.0", "b99999") if not in_span(r, entry.releases)]
    assert outside
    for release in (*outside, ""):
        assert not entry.speaks_of(entry.engine, release, entry.speaks[0])


def test_entries_are_complete_sentences_with_a_source() -> None:
    for entry in BOOK:
        assert entry.why.endswith("."), entry.id
        assert entry.fix.endswith("."), entry.id
        assert not entry.message.endswith("."), entry.id
        assert entry.source, entry.id


@pytest.mark.parametrize(
    ("wanted", "actual", "expected"),
    [
        ("fp8", "FP8", True),
        ("fp8", None, False),
        (4, 4, True),
        (True, 1, False),
        (["a", "b"], "b", True),
        ({"not": "a"}, "b", True),
        ({"not": "a"}, None, False),
        ({"not": ["a", "b"]}, "b", False),
        ({"given": False}, None, True),
        ({"given": True}, 0, True),
        ({"above": 4}, 4, False),
        ({"above": 4}, 4.5, True),
        ({"above": 4}, "5", False),
        ({"at-least": 4, "below": 6}, 5, True),
        ({"at-most": 4}, 5, False),
        ({"matches": "a.*"}, "ABC", True),
        ({"matches": "a"}, "ab", False),
        ({"holds": "mtp"}, "ngram, mtp", True),
        ({"holds": "mtp"}, ["ngram"], False),
        ({"holds": "mtp"}, 3, False),
        ({"keys-beyond": ["a"]}, {"a": 1, "b": 2}, True),
        ({"keys-beyond": ["a"]}, '{"b": 1}', True),
        ({"keys-beyond": ["a"]}, {"a": 1}, False),
        ({"keys-beyond": ["a"]}, "{", False),
        ({"keys-beyond": ["a"]}, "[" * 100_000, False),
        ({"keys-beyond": ["a"]}, None, False),
        ("=other", "x", True),
        ({"not": "=other"}, "x", False),
        ({"not": "=absent"}, "x", False),
    ],
)
def test_conditions(wanted: Any, actual: Any, expected: bool) -> None:
    assert holds({"it": wanted}, {"it": actual, "other": "x"}) is expected


def test_a_condition_needs_all_its_comparisons() -> None:
    assert holds({"a": 1, "b": 2}, {"a": 1, "b": 2})
    assert not holds({"a": 1, "b": 2}, {"a": 1, "b": 3})


@pytest.mark.parametrize(
    ("release", "span", "expected"),
    [
        ("0.21.0", ">=0.21", True),
        ("0.21", "==0.21.0", True),
        ("0.20.2rc1", ">=0.20, <0.21", True),
        ("0.9.1", "<0.10", True),
        ("b9101", ">=b9246", False),
        ("b9246", ">=b9246", True),
        ("anything", "", True),
    ],
)
def test_spans(release: str, span: str, expected: bool) -> None:
    assert in_span(release, span) is expected


def test_a_span_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="newest"):
        in_span("0.21.0", "newest")


def test_the_order_of_releases_is_that_of_their_numbers() -> None:
    shuffled = ["0.33.0", "0.10.1", "0.9.0", "0.21.0"]
    assert sorted(shuffled, key=release_order) == ["0.9.0", "0.10.1", "0.21.0", "0.33.0"]


def test_only_entries_that_speak_are_given() -> None:
    found = [
        entry.id for entry in spoken("vllm", "0.21.0", {"model.family": "llama", "env.A": "1"})
    ]
    assert found == []
    found = [entry.id for entry in spoken("vllm", "0.21.0", {"model.family": "gemma4"})]
    assert found == ["vllm-gemma4-kv-fp8"]

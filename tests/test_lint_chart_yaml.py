"""YAML as a device reads it."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartgen.lint.device_yaml import (
    MAX_BYTES,
    MAX_VALUES,
    plain_value,
    read_device_yaml,
    scalar_as_text,
)

helm_python = pytest.importorskip("helm_python")


def read(text: str) -> Any:
    document, _ = read_device_yaml(text.encode(), "a.yaml")
    assert document is not None
    return document.value


def problem(text: str) -> tuple[int, str]:
    document, findings = read_device_yaml(text.encode(), "a.yaml")
    assert document is None
    assert [f.rule for f in findings] == ["chart-yaml-unreadable"]
    return findings[0].place.line, findings[0].message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True),
        ("On", True),
        ("y", True),
        ("NO", False),
        ("off", False),
        ("~", None),
        ("", None),
        ("017", 15),
        ("0o17", 15),
        ("0x1F", 31),
        ("-0b11", -3),
        ("1_000", 1000),
        ("08", 8.0),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("12:30", "12:30"),
        ("2026-08-21", "2026-08-21"),
        ("1.2.3", "1.2.3"),
        ("0x", "0x"),
        ("=", "="),
    ],
)
def test_plain_scalars_are_those_of_yaml_1_1_in_go(text: str, value: Any) -> None:
    assert plain_value(text) == value
    assert type(plain_value(text)) is type(value)


@given(st.text(alphabet="01789+-._xobeEyYnNtruefals~", min_size=1, max_size=8))
def test_plain_scalars_mean_what_helm_reads(text: str) -> None:
    try:
        value = helm_python.values_from_yaml(f"a: {text}")["a"]
    except helm_python.HelmError:
        return  # no scalar at all, such as `-`, or no number that JSON has
    mine = plain_value(text)
    if isinstance(mine, float) and not math.isfinite(mine):
        return
    assert mine == value


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (False, "false"), (0.1, "0.1"), (1.0, "1"), (12, "12"), ("a", "a")],
)
def test_scalars_in_text_fields(value: Any, text: str) -> None:
    assert scalar_as_text(value) == text


def test_quotes_and_blocks_keep_text_as_it_is() -> None:
    text = "a: 'yes'\nb: \"017\"\nc: |\n  on\nd: !!str 1\n"
    assert read(text) == {"a": "yes", "b": "017", "c": "on\n", "d": "1"}


def test_keys_are_texts() -> None:
    assert read("1: a\ntrue: b\n0.5: c\n") == {"1": "a", "true": "b", "0.5": "c"}


def test_anchors_and_merges_are_resolved() -> None:
    text = "a: &x {b: 1, c: 2}\nd: *x\ne:\n  <<: *x\n  c: 3\n"
    assert read(text) == {"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 2}, "e": {"b": 1, "c": 3}}


def test_earlier_of_two_merged_mappings_wins() -> None:
    assert read("a: &a {k: 1}\nb: &b {k: 2}\nc: {<<: [*a, *b]}\n")["c"] == {"k": 1}


def test_last_of_two_keys_wins_and_is_reported() -> None:
    document, findings = read_device_yaml(b"a:\n  b: 1\n  b: 2\n", "a.yaml")
    assert document is not None
    assert document.value == {"a": {"b": 2}}
    assert [(f.rule, f.place.line, f.place.path) for f in findings] == [
        ("chart-duplicate-key", 3, "a.b")
    ]


def test_only_the_first_document_is_read() -> None:
    assert read("a: 1\n---\nb: [\n") == {"a": 1}


def test_empty_file_is_empty() -> None:
    assert read("# nothing\n") is None


def test_byte_order_mark_is_skipped() -> None:
    assert read("\ufeffa: 1\n") == {"a": 1}


def test_places_are_those_of_values_and_keys() -> None:
    document, _ = read_device_yaml(b"a:\n  - b: c\n", "x/a.yaml")
    assert document is not None
    place = document.place(("a", 0, "b"))
    assert (place.file, place.line, place.column, place.path) == ("x/a.yaml", 2, 8, "a[0].b")
    assert document.place(("a", 0, "missing")).line == 2


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: [\n", 3, "not YAML"),
        ("a: 1\n\tb: 2\n", 2, "not YAML"),
        ("a: 1\n}\n", 2, "not YAML"),
        ("a: *b\n", 1, "anchored"),
        ("a: &a [*a]\n", 1, "anchored"),
        ("? [a]\n: b\n", 1, "key"),
        ("null: a\n", 1, "key"),
        ("a: \x01\n", 1, "control character"),
        ("[" * 100 + "]" * 100, 1, "nests"),
    ],
)
def test_what_a_device_cannot_read(text: str, line: int, words: str) -> None:
    where, message = problem(text)
    assert words in message
    assert where == line


def test_many_aliases_do_not_grow_without_end() -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    for number in range(1, 10):
        item = f"*a{number - 1}"
        lines.append(f"a{number}: &a{number} [{', '.join([item] * 10)}]")
    line, message = problem("\n".join(lines))
    # Line n holds ten to the power of n values, and 100,000 are the most.
    assert line == 5
    assert f"{MAX_VALUES:,}" in message


def test_large_file_is_not_read() -> None:
    assert "bytes" in problem("a" * (MAX_BYTES + 1))[1]


def test_bytes_that_are_no_utf8_have_a_line() -> None:
    document, findings = read_device_yaml(b"a: 1\nb: \xe4\n", "a.yaml")
    assert document is None
    assert findings[0].place.line == 2

"""Text on a terminal: nothing that steers it, and the right number of cells."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartgen.terminal import display_width, one_line, printable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain\n\ttext", "plain\n\ttext"),
        ("Größe 日本 \U0001f469\u200d\U0001f467", "Größe 日本 \U0001f469\u200d\U0001f467"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x9b31mred", "red"),
        ("\x1b]0;new title\x07text", "text"),
        ("\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;never closed", "]0;never closed"),
        ("\x1bcreset", "creset"),
        ("\x1b\x1b[31mred", "red"),
        ("over\rwritten\b\b\x7f\x00", "overwritten"),
        ("user\u202etxt.exe", "usertxt.exe"),
        ("a\u2066b\u2069c\u200fd", "abcd"),
        ("two\u2028lines", "twolines"),
        ("half\ud800", "half"),
    ],
)
def test_what_steers_a_terminal_is_stripped(text: str, expected: str) -> None:
    assert printable(text) == expected


@given(st.text(st.sampled_from("\x1b\x9b\x9d[]0;m\\\x07\n\tA\u202e")))
def test_nothing_is_left_to_strip(text: str) -> None:
    once = printable(text)
    assert printable(once) == once
    assert not [c for c in once if unicodedata.category(c) == "Cc" and c not in "\n\t"]


def test_one_line_has_no_breaks() -> None:
    assert one_line(" a\n\n::error::b\t\x1b[1mc\x0b ") == "a ::error::b c"


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("", 0),
        ("abc", 3),
        ("é", 1),
        ("e\u0301", 1),
        ("日本", 4),
        ("\uff21", 2),
        ("🙂", 2),
        ("…", 1),
    ],
)
def test_width_counts_cells(text: str, cells: int) -> None:
    assert display_width(text) == cells

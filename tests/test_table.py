"""Tables for a terminal: what gives way where there is no room, and what never does."""

from __future__ import annotations

import pytest

from chartgen.cli.table import named_table, table
from chartgen.terminal import display_width

NUMBERS = ("222 / 72*", "1.0.10+", "262,144", "23.3 GiB", "0.33 GB", "128K", "2026-11-20", "+84 %")


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("width", [1, 16, 20])
def test_a_number_is_never_cut(number: str, width: int) -> None:
    rows = [("Gemma 4 26B Vision One", number), ("Another", "-")]
    lines = table(("APP", "NUMBERS PER SECOND"), rows, width=width, right=(1,)).splitlines()
    assert lines[1].endswith(f"  {number}")
    # All other cells have given way, and a head has no more room than its numbers.
    least = 8 + 2 + max(8, display_width(number))
    assert max(map(display_width, lines)) <= max(width, least)


@pytest.mark.parametrize("word", ["rtx-pro-6000-server", "does not fit at all", "7 wonders of it"])
def test_words_give_way_also_beside_numbers(word: str) -> None:
    lines = table(("A", "B"), [("context", "131,072*"), ("card", word)], width=18).splitlines()
    assert lines[1] == "context  131,072*"
    assert lines[2] == f"card     {word[:8]}…"


HEAD = ("APP", "N")
ROWS = [("Gemma 4 Vision One", "1.0.5+"), ("Gemma 4 Vision GGUF", "12")]


def test_only_the_names_give_way_and_stay_apart() -> None:
    wide = named_table(HEAD, ROWS, width=80, right=(1,))
    assert wide is not None
    assert wide.splitlines() == [
        "APP                       N",
        "Gemma 4 Vision One   1.0.5+",
        "Gemma 4 Vision GGUF      12",
    ]
    # 16 cells are the least in which the names differ, and 2 + 6 are the rest.
    tight = named_table(HEAD, ROWS, width=25, right=(1,))
    assert tight is not None
    assert tight.splitlines() == [
        "APP                     N",
        "Gemma 4 Vision O…  1.0.5+",
        "Gemma 4 Vision G…      12",
    ]
    assert named_table(HEAD, ROWS, width=24, right=(1,)) is None


def test_a_table_that_has_no_room_for_names_is_none() -> None:
    assert named_table(("APP", "N"), [("Alphabetical", "1"), ("Bet", "2")], width=9) is None
    found = named_table(("APP", "N"), [("Alphabetical", "1"), ("Bet", "2")], width=11)
    assert found is not None
    assert "Alphabe…" in found
    # Short names need no more room than they have.
    assert named_table(("A", "N"), [("a", "1")], width=4) == "A  N\na  1\n"


def test_wide_characters_count_twice() -> None:
    rows = [("宽" * 10, "1"), ("宽" * 9 + "窄", "2")]
    # Nine are the same, so the name needs all of its 20 cells.
    assert named_table(("A", "N"), rows, width=22) is None
    assert named_table(("A", "N"), rows, width=23) is not None

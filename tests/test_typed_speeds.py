"""Speeds that are typed into texts: what is one, in which language, and what it claims."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from chartgen.evidence.record import Run
from chartgen.findings import Severity
from chartgen.lint.speed_words import TypedSpeed, is_of_something_else, typed_speeds
from tests.test_evidence_checks import bench, findings, rules

TEXTS: dict[str, Any] = yaml.safe_load(
    Path(__file__).with_name("typed_speeds.yaml").read_text("utf-8")
)


@pytest.mark.parametrize("text", [text for texts in TEXTS["speeds"].values() for text in texts])
def test_a_speed_is_found(text: str) -> None:
    (found,) = typed_speeds(text)
    assert [float(number) for number in found.numbers] == [250.0]
    assert found.unit == "tokens/s"
    assert not (found.least or found.most or found.roughly)
    assert text[found.offset :].startswith(found.numbers[0])


@pytest.mark.parametrize("text", TEXTS["others"])
def test_what_is_no_speed_is_left_alone(text: str) -> None:
    assert typed_speeds(text) == ()


@pytest.mark.parametrize(
    ("text", "speed", "holds"),
    [
        # Thousands and decimals, as far as one can tell them apart.
        ("1,234 tok/s", 1234, True),
        ("1 234 tok/s", 1234, True),
        ("1 234 tok/s", 235, False),
        ("1\u202f234,5 tok/s", 1234.5, True),
        ("1'234 tok/s", 1234, True),
        ("1.234 Token/s", 1234, True),
        ("1.234.567 Token/s", 1_234_567, True),
        ("1,234.5 tok/s", 1234.5, True),
        ("1,234.5 tok/s", 1235.5, False),
        ("250.548 tok/s", 250.548, True),
        ("250.548 tok/s", 250.55, False),
        ("135,9 Token/s", 135.9, True),
        ("Gemma 4 250 tok/s", 250, True),
        ("Gemma 4 250 tok/s", 251.5, False),
        # Rounded or cut off at the last digit.
        ("251 tok/s", 250.2, True),
        ("250 tok/s", 251.4, False),
        ("1.2k tok/s", 1234, True),
        ("1.2k tok/s", 1340, False),
        ("2K tokens/s", 2091.7, True),
        ("0.25k tok/s", 250.5, True),
        ("1.2 千 tokens/秒", 1200, True),
        # Other units.
        ("15000 tokens/min", 250, True),
        ("12k tokens per minute", 200, True),
        ("60 tokens/min", 250, False),
        ("4 ms per token", 250, True),
        ("4.00 ms/token", 250.3, True),
        ("15 ms pro Token", 250, False),
        ("4 毫秒/token", 250, True),
        ("4 ms per output token", 0, False),
        # Bounds.
        ("over 200 tok/s", 250, True),
        ("over 300 tok/s", 250, False),
        ("200+ tok/s", 250, True),
        ("> 200 tok/s", 250, True),
        ("**over 200** tok/s", 250, True),
        ("200 tok/s or more", 250, True),
        ("每秒超过 200 个词元", 250, True),
        ("at most 300 tok/s", 250, True),
        ("at most 100 tok/s", 250, False),
        ("under 3000 tok/s", 2091.7, True),
        ("<3000 tok/s", 2091.7, True),
        ("höchstens 300 Token/s", 250, True),
        ("under 5 ms per token", 250, True),
        ("under 3 ms per token", 250, False),
        # That a number is reached is more than that none is higher.
        ("up to 250 tok/s", 252.97, True),
        ("up to 253 tok/s", 252.97, True),
        ("up to 300 tok/s", 252.97, False),
        ("bis zu 250 Token/s", 252.97, True),
        ("每秒可达 250 个词元", 252.97, True),
        # Within 5 %.
        ("about 250 tok/s", 252.97, True),
        ("~250 tok/s", 240, True),
        ("~250 tok/s", 230, False),
        ("每秒约 250 tokens", 252.97, True),
        ("250 トークン/秒前後", 252.97, True),
        ("up to about 260 tok/s", 252.97, True),
        # No sign of its own.
        ("<b>250</b> tok/s", 252.97, False),
        ("thunder 300 tok/s", 250, False),
    ],
)
def test_what_a_speed_claims(text: str, speed: float, holds: bool) -> None:
    (found,) = typed_speeds(text)
    assert [found.is_one_of({speed}, number) for number in found.bounds] == [holds]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("200-250 tok/s", ("200", "250")),
        ("200 ~ 250 tok/s", ("200", "250")),
        ("200\uff5e250 词元/秒", ("200", "250")),
        ("136.0 → 251.4 tokens/s, +85 %", ("136.0", "251.4")),
        ("between 200 and 250 t/s", ("200", "250")),
        ("1.2k\u20131.5k tok/s", ("1.2k", "1.5k")),
        ("60 to 100 t/s", ("60", "100")),
    ],
)
def test_a_range_has_all_its_numbers(text: str, numbers: tuple[str, ...]) -> None:
    (found,) = typed_speeds(text)
    assert found.numbers == numbers


def test_two_speeds_of_one_text_are_two() -> None:
    found = typed_speeds("200 tok/s, later 250 t/s; 每秒 300 个词元/秒")
    assert [item.numbers for item in found] == [("200",), ("250",), ("300",)]


@pytest.mark.parametrize(
    "part",
    [
        *("1", " ", "1 ", "1 234 ", "1-", "1.1,", "1 to ", "1k ", "111 ", "1\n"),
        *(
            "250 tokens ",
            "250 ms per token ",
            "每秒",
            "| ",
            "|tok/s",
            "*",
            "(",
            "tok/s: ",
            "t/s = ",
        ),
        *("250 tokens a second model ", "about ", "> ", "<b>", "&nbsp;", "250**", "每秒 2"),
    ],
)
def test_the_time_grows_with_the_length_alone(part: str) -> None:
    """A quadratic search takes minutes for 100 KB, this one some tenths of a second."""
    text = part * (100_000 // len(part.encode())) + " tok/s"
    before = time.process_time()
    typed_speeds(text)
    assert time.process_time() - before < 5


@pytest.mark.parametrize("part", ["250 tok/s ", "250 tok/s\n", "prompt 250 tok/s more users: "])
def test_the_time_to_tell_what_a_speed_is_of_grows_with_the_length_alone(part: str) -> None:
    text = part * (50_000 // len(part))
    before = time.process_time()
    found = [is_of_something_else(text, typed) for typed in typed_speeds(text)]
    assert time.process_time() - before < 10
    assert len(found) == 50_000 // len(part)


# The places


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "Small at 300 tok/s"},
        {"summary": "A small app, 300 tok/s"},
        {"about": "Text\n\nWrites 300 tok/s."},
        {"about": "Text of lines: it writes 300\ntokens/s."},
        {"i18n": {"de-DE": {"title": "Klein, 300 Token/s"}}},
        {"i18n": {"de-DE": {"summary": "Klein, 300 Token/s"}}},
        {"i18n": {"de-DE": {"about": "Es schreibt 300 Token/s"}}},
        {"entrances": [{"title": "Chat, 300 tok/s"}]},
        {"manifest": {"metadata": {"description": "A small app, 300 tok/s"}}},
        {"manifest": {"spec": {"fullDescription": "Writes 300 tok/s"}}},
        {"manifest": {"spec": {"upgradeDescription": "Now 300 tok/s"}}},
        {"manifest": {"entrances": [{"title": "300 tok/s"}]}},
    ],
    ids=str,
)
def test_all_texts_that_are_shown_are_looked_at(changes: dict[str, Any], tmp_path: Path) -> None:
    (found,) = findings(tmp_path, changes)
    assert (found.rule, found.severity) == ("speed-unproven", Severity.WARNING)
    assert "300" in found.message
    bench(tmp_path)
    (found,) = findings(tmp_path, changes)
    # Design 7.10: a claim comes from evidence, never from typing. A full text has room to say how
    # a number is meant, and what it says may be beyond this check.
    full = any(word in str(changes) for word in ("about", "fullDescr", "upgradeDescr"))
    severity = Severity.WARNING if full else Severity.ERROR
    assert (found.rule, found.severity) == ("speed-contradicted", severity)


@pytest.mark.parametrize("key", ["title", "summary"])
def test_a_peak_is_no_headline(key: str, tmp_path: Path) -> None:
    bench(tmp_path, runs=(Run(250.0), Run(251.0), Run(250.0), Run(253.0)))
    assert rules(tmp_path, {key: "Small, 251 tok/s"}) == []
    assert rules(tmp_path, {key: "Small, 253 tok/s"}) == ["speed-contradicted"]
    assert rules(tmp_path, {key: "Small, under 300 tok/s"}) == []
    assert rules(tmp_path, {"about": "253 tok/s in one of four runs"}) == []


@pytest.mark.parametrize("text", TEXTS["of something else"])
def test_a_speed_of_something_else_is_left_alone(text: str, tmp_path: Path) -> None:
    assert typed_speeds(text)
    bench(tmp_path)
    assert rules(tmp_path, {"summary": text, "about": text}) == []


@pytest.mark.parametrize("text", TEXTS["of the app"])
def test_a_speed_of_the_app_beside_such_words_is_not(text: str, tmp_path: Path) -> None:
    bench(tmp_path)
    assert rules(tmp_path, {"summary": text}) == ["speed-contradicted"]


def test_a_typed_speed_says_how_it_is_meant() -> None:
    assert typed_speeds("up to about **250** tok/s, at most 300 tok/s") == (
        TypedSpeed(("250",), "250** tok/s", 14, 25, least=True, roughly=True),
        TypedSpeed(("300",), "300 tok/s", 35, 44, most=True),
    )

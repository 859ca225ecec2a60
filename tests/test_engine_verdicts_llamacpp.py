"""Our verdicts on llama.cpp's arguments against those of the real server, and its own help."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chartgen.engines.command_line import judge
from chartgen.engines.llamacpp_words import judge_variables
from chartgen.engines.problem import Problem
from chartgen.engines.table import EngineTable, engine_table

FOLDER = Path(__file__).parent / "engines"
VERDICTS: list[dict[str, Any]] = json.loads(
    (FOLDER / "verdicts-llamacpp-b11434.json").read_text("utf-8")
)


@pytest.fixture(scope="module")
def table() -> EngineTable:
    return engine_table("llamacpp", "11434")


def refusals(table: EngineTable, item: dict[str, Any]) -> list[Problem]:
    """Return what we hold against a list, in the order of the words, variables first."""
    said = (*judge_variables(table, item.get("env", {})), *judge(table, item["words"]))
    return [problem for problem in said if problem.refused]


@pytest.mark.parametrize("item", VERDICTS, ids=lambda item: " ".join(item["words"]) or "env")
def test_the_server_says_the_same(table: EngineTable, item: dict[str, Any]) -> None:
    found = refusals(table, item)
    assert bool(found) == item["refused"]


def test_the_server_stops_at_the_first_word_that_we_refuse(table: EngineTable) -> None:
    for item in VERDICTS:
        if item["refused"]:
            first = refusals(table, item)[0]
            word = first.spelling or first.value
            word = word.replace("_", "-") if word.startswith("--") else word
            assert word == item["at"], item["words"]


def test_there_is_a_verdict_of_either_kind_for_most_options(table: EngineTable) -> None:
    kinds: dict[bool, set[str]] = {True: set(), False: set()}
    for item in VERDICTS:
        for word in item["words"]:
            option = table.options.get(word.replace("_", "-"))
            if option is not None:
                kinds[item["refused"]].add(option.name)
    names = {option.name for option in table.options.values()}
    assert len(kinds[True]) > len(names) / 2
    assert len(kinds[False]) > len(names) / 2


def test_the_table_has_exactly_the_flags_and_variables_of_the_help(table: EngineTable) -> None:
    own = json.loads((FOLDER / "flags-llamacpp-b11434.json").read_text("utf-8"))
    assert sorted(table.options) == own["flags"]
    assert sorted({option.env for option in table.options.values() if option.env}) == own["env"]


@pytest.mark.parametrize(
    ("words", "kind", "spelling", "detail"),
    [
        (["--ctx-size", "128K"], "misread", "--ctx-size", "128"),
        (["--temp", "0,6"], "misread", "--temp", "0"),
        (["--alias", "--jinja"], "misread", "--alias", "--jinja as the value of --alias"),
        (["-c", "4096", "--ctx-size", "8192"], "repeated", "--ctx-size", "-c"),
    ],
)
def test_what_the_server_takes_but_reads_otherwise_is_told(
    table: EngineTable, words: list[str], kind: str, spelling: str, detail: str
) -> None:
    (problem,) = judge(table, words)
    assert (problem.kind, problem.spelling, problem.detail) == (kind, spelling, detail)
    assert not problem.refused


@pytest.mark.parametrize(
    ("words", "kind", "hint"),
    [
        (["--mlock"], "unknown", "--load-mode mlock"),
        (["--no-mmap"], "unknown", "--load-mode none"),
        (["--draft-max", "8"], "removed", "--spec-draft-n-max or --spec-ngram-mod-n-max"),
        (["--spec-type", "mtp"], "value-choice", "draft-mtp"),
        (["--ctx-size=4096"], "unknown", "--ctx-size VALUE"),
    ],
)
def test_a_refusal_names_what_took_its_place(
    table: EngineTable, words: list[str], kind: str, hint: str
) -> None:
    (problem,) = judge(table, words)
    assert (problem.kind, problem.successor) == (kind, hint)


def test_a_misspelt_flag_has_its_neighbour(table: EngineTable) -> None:
    (problem,) = judge(table, ["--ctx-sise", "4096"])[:1]
    assert (problem.kind, problem.nearest) == ("unknown", "--ctx-size")


@pytest.mark.parametrize(
    ("build", "words", "fine"),
    [
        ("8740", ["--mlock"], True),
        ("10816", ["--mlock"], True),
        ("10917", ["--mlock"], False),
        ("8740", ["--load-mode", "none"], False),
        ("8740", ["--draft-max", "8"], True),
        ("9093", ["--draft-max", "8"], False),
        ("9101", ["--spec-type", "draft-mtp"], False),
        ("9261", ["--spec-type", "draft-mtp"], True),
    ],
)
def test_builds_differ(build: str, words: list[str], fine: bool) -> None:
    found = judge(engine_table("llamacpp", build), words)
    assert any(problem.refused for problem in found) is not fine


def test_deprecated_is_no_refusal() -> None:
    (problem,) = judge(engine_table("llamacpp", "10423"), ["--mlock"])
    assert (problem.kind, problem.successor) == ("deprecated", "--load-mode mlock")

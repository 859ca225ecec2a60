"""Forks: what they add to the table of their base, and the apps that run on them."""

from __future__ import annotations

from pathlib import Path

import pytest

from chartgen.engines import engine_start
from chartgen.engines.command_line import judge
from chartgen.engines.forks import (
    KV_TYPE_OPTIONS,
    KvBlock,
    fork_of_spec,
    shipped_fork,
    shipped_forks,
    with_fork,
)
from chartgen.engines.llamacpp_words import judge_variables
from chartgen.engines.release import engine_release
from chartgen.engines.table import EngineTable, engine_table
from chartgen.spec.app import AppSpec
from chartgen.spec.fork import Fork as SpecFork
from chartgen.spec.load import load_spec

ROOT = Path(__file__).parents[1]


def app_spec(path: Path) -> AppSpec:
    """Return the spec of one of the repository's apps."""
    loaded, _ = load_spec(path)
    assert loaded is not None
    return loaded.spec


LLAMACPP_APPS = sorted(
    path for path in ROOT.glob("apps/*.yaml") if "kind: llamacpp" in path.read_text("utf-8")
)
ATOMIC = "aamsellem/llamacpp-atomic-mtp:0.1.0"
BEELLAMA = "aamsellem/beellama-cpp:0.1.3-rc3"


def table_of(image: str) -> EngineTable:
    """Return the table that the arguments of an image are judged by."""
    found = engine_release("llamacpp", image)
    return with_fork(engine_table("llamacpp", found.table), found.fork)


@pytest.mark.parametrize("path", LLAMACPP_APPS, ids=lambda path: path.stem)
def test_the_apps_start_with_words_that_their_fork_knows(path: Path) -> None:
    spec = app_spec(path)
    table = table_of(spec.engine.image)
    assert judge(table, engine_start(spec).args) == ()
    variables = {name: str(entry.value) for name, entry in spec.env.items()}
    assert list(judge_variables(table, variables)) == []
    assert {name for name in variables if name.startswith("LLAMA")} <= table.env


@pytest.mark.parametrize("path", LLAMACPP_APPS, ids=lambda path: path.stem)
def test_without_the_fork_the_words_of_two_apps_are_refused(path: Path) -> None:
    spec = app_spec(path)
    base = engine_table("llamacpp", engine_release("llamacpp", spec.engine.image).table)
    refused = any(problem.refused for problem in judge(base, engine_start(spec).args))
    assert refused is (path.stem in {"gemma4-mtp-llamacpp", "qwen36-27b-beellama"})


@pytest.mark.parametrize(
    ("image", "words", "fine"),
    [
        (ATOMIC, ["--mtp-head", "head.gguf", "--spec-type", "mtp"], True),
        (ATOMIC, ["--spec-type", "dflash"], False),
        (ATOMIC, ["--draft-block-size", "33"], False),
        (ATOMIC, ["-ctk", "turbo3_tcq"], False),
        (BEELLAMA, ["--spec-type", "dflash", "--no-spec-dm-adaptive"], True),
        (BEELLAMA, ["--draft-topk", "3", "-ctvd", "turbo3_tcq"], True),
        (BEELLAMA, ["--mtp-head", "head.gguf"], False),
        (BEELLAMA, ["--spec-dm-controller", "greedy"], False),
    ],
)
def test_what_one_fork_knows_another_does_not(image: str, words: list[str], fine: bool) -> None:
    assert any(problem.refused for problem in judge(table_of(image), words)) is not fine


def test_cache_types_have_the_layout_of_their_fork() -> None:
    # static_asserts of ggml-common.h: a half per block of 128, and the packed indices.
    atomic, beellama = shipped_fork("llamacpp", ATOMIC), shipped_fork("llamacpp", BEELLAMA)
    assert atomic is not None
    assert beellama is not None
    assert atomic.kv_types["turbo3"] == beellama.kv_types["turbo3"] == KvBlock(128, 2 + 32 + 16)
    assert beellama.kv_types["turbo4"] == KvBlock(128, 2 + 64)
    assert atomic.kv_types["turbo4"] == KvBlock(128, 2 + 2 + 64)


def test_the_cache_types_are_choices_of_all_four_options() -> None:
    table = table_of(ATOMIC)
    for spelling in KV_TYPE_OPTIONS:
        assert "turbo3" in table.options[spelling].choices
        assert "q8_0" in table.options[spelling].choices
    assert "turbo3" in table.names["kv-cache-type"]


def test_a_base_table_stays_as_it_is() -> None:
    before = dict(engine_table("llamacpp", "8807").options)
    table_of(ATOMIC)
    assert dict(engine_table("llamacpp", "8807").options) == before


def test_a_fork_of_the_spec_adds_its_options_and_words() -> None:
    part = SpecFork.model_validate(
        {
            "base": "b9101",
            "options": {"mtp-head": "text", "fast": "switch", "depth": {"value": "int"}},
            "values": {"spec-type": ["mtp"], "alias": ["any"], "no-such-option": ["x"]},
            "kv_types": {"tq3_0": {"block": 32, "bytes": 14}},
            "env": ["LLAMA_FAST"],
        }
    )
    table = with_fork(engine_table("llamacpp", "9101"), fork_of_spec(part))
    words = ["--mtp-head", "x", "--no-fast", "--depth", "3", "--spec-type", "mtp", "-ctk", "tq3_0"]
    assert judge(table, words) == ()
    assert judge(table, ["--alias", "text"]) == ()
    assert [problem.kind for problem in judge(table, ["--depth", "deep"])] == ["value-type"]
    assert "LLAMA_FAST" in table.env


@pytest.mark.parametrize(
    ("image", "name"),
    [
        (ATOMIC, "atomic-mtp"),
        ("docker.io/" + BEELLAMA, "beellama"),
        (BEELLAMA + "@sha256:" + "0" * 64, "beellama"),
        ("aamsellem/beellama-cpp:9.9", ""),
        ("somebody/llamacpp-atomic-mtp:0.1.0", ""),
        ("aamsellem/llamacpp-atomic-mtp", ""),
    ],
)
def test_a_fork_is_known_by_repository_and_tag(image: str, name: str) -> None:
    found = shipped_fork("llamacpp", image)
    assert (found.name if found else "") == name


def test_every_shipped_fork_tells_its_source_and_fits_its_base() -> None:
    for fork in shipped_forks():
        assert fork.source
        assert not fork.title.startswith(" ")


def test_the_spec_part_takes_a_short_form() -> None:
    part = SpecFork.model_validate({"base": 9101, "options": {"omni": "none"}})
    assert part.base == "9101"
    assert part.options["omni"].value == "none"

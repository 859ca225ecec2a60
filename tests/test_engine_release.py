"""The release in an image: tags, pre-releases, nightlies, forks, and what is nearest."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartgen.engines.forks import fork_of_spec
from chartgen.engines.release import engine_release, nearest_table
from chartgen.engines.table import table_releases
from chartgen.spec.app import AppSpec
from chartgen.spec.fork import Fork as SpecFork
from chartgen.spec.load import load_spec

ROOT = Path(__file__).parents[1]


def app_spec(path: Path) -> AppSpec:
    """Return the spec of one of the repository's apps."""
    loaded, _ = load_spec(path)
    assert loaded is not None
    return loaded.spec


OFFICIAL = "ghcr.io/ggml-org/llama.cpp"


@pytest.mark.parametrize(
    ("kind", "image", "number"),
    [
        ("vllm", "vllm/vllm-openai:v0.21.0", "0.21.0"),
        ("vllm", "vllm/vllm-openai:v0.21.0-cu129", "0.21.0"),
        ("vllm", "vllm/vllm-openai:v0.22.1-x86_64-cu129-ubuntu2404", "0.22.1"),
        ("vllm", "docker.io/vllm/vllm-openai:v0.27.1-aarch64", "0.27.1"),
        ("vllm", "registry:5000/vllm:v0.21.0@sha256:" + "0" * 64, "0.21.0"),
        ("llamacpp", f"{OFFICIAL}:server-cuda13-b8740", "8740"),
        ("llamacpp", f"{OFFICIAL}:full-b9101", "9101"),
        ("llamacpp", "aamsellem/llama-cpp-mtp:master-ad27757", "9261"),
    ],
)
def test_a_tag_that_tells_its_release_is_exact(kind: str, image: str, number: str) -> None:
    found = engine_release(kind, image)
    assert (found.number, found.table, found.exact) == (number, number, True)


@pytest.mark.parametrize(
    ("kind", "image"),
    [
        ("vllm", "vllm/vllm-openai:nightly"),
        ("vllm", "vllm/vllm-openai:cu130-nightly"),
        ("vllm", "vllm/vllm-openai:nightly-1acd67a795ebccdf9b9db7697ae9082058301657"),
        ("vllm", "vllm/vllm-openai:latest-cu129"),
        ("vllm", "vllm/vllm-openai"),
        ("vllm", "vllm/vllm-openai@sha256:" + "0" * 64),
        ("vllm", "somebody/engine:mine"),
        ("llamacpp", f"{OFFICIAL}:server-cuda13"),
        ("llamacpp", f"{OFFICIAL}:server-cuda12-b"),
        ("sglang", "lmsysorg/sglang:latest"),
    ],
)
def test_a_tag_that_tells_nothing_is_judged_by_the_newest_table(kind: str, image: str) -> None:
    found = engine_release(kind, image)
    assert (found.number, found.exact) == ("", False)
    assert found.table == table_releases(kind)[-1]


@pytest.mark.parametrize(
    ("kind", "number", "table"),
    [
        ("vllm", "0.20.2rc1", "0.20.2"),
        ("vllm", "0.21.0.dev5", "0.21.0"),
        ("vllm", "0.21.7", "0.21.0"),
        ("vllm", "0.21.0.post2", "0.21.0"),
        ("vllm", "0.1.0", "0.11.0"),
        ("llamacpp", "8741", "8740"),
        ("llamacpp", "8800", "8807"),
        ("llamacpp", "5000", "8000"),
        ("llamacpp", "99999", "11434"),
    ],
)
def test_the_nearest_table(kind: str, number: str, table: str) -> None:
    assert nearest_table(kind, number) == table


def test_a_release_newer_than_all_tables_gets_the_newest_and_is_not_exact() -> None:
    found = engine_release("vllm", "vllm/vllm-openai:v9.0.0")
    assert (found.number, found.table, found.exact) == ("9.0.0", table_releases("vllm")[-1], False)


def test_the_spec_wins_over_the_tag() -> None:
    found = engine_release("llamacpp", f"{OFFICIAL}:server-b8740", "b9101")
    assert (found.number, found.exact, found.told_by) == ("9101", True, "engine.release b9101")


def test_a_release_in_the_spec_that_is_none_is_said() -> None:
    found = engine_release("llamacpp", f"{OFFICIAL}:server", "newest")
    assert (found.number, found.exact) == ("", False)
    assert found.told_by == "engine.release 'newest'"


def test_a_tag_of_somebody_else_s_build_is_not_exact() -> None:
    found = engine_release("vllm", "aamsellem/vllm-qwen36-blackwell:0.20.0-genesis-v3")
    assert (found.number, found.exact) == ("0.20.0", False)


def test_a_build_between_two_with_the_same_options_is_exact() -> None:
    # 9093 and 9101 have the same common/arg.cpp (the same bytes in both source packages).
    assert engine_release("llamacpp", f"{OFFICIAL}:server-b9097").exact
    # 9246 renamed the kinds of speculative decoding.
    assert not engine_release("llamacpp", f"{OFFICIAL}:server-b9150").exact


def test_an_engine_without_tables_has_none() -> None:
    found = engine_release("app", "python:3.12")
    assert (found.table, found.exact) == ("", False)


def test_sglang_is_told_by_its_tag() -> None:
    found = engine_release("sglang", "lmsysorg/sglang:v0.5.17-cu130")
    assert found.number == "0.5.17"


def test_a_fork_of_the_spec_wins_over_everything() -> None:
    fork = fork_of_spec(SpecFork.model_validate({"base": "b9101", "options": {"mtp": "none"}}))
    found = engine_release("llamacpp", f"{OFFICIAL}:server-b8740", "b9246", fork)
    assert (found.number, found.exact, found.fork) == ("9101", True, fork)


@pytest.mark.parametrize("path", sorted(ROOT.glob("apps/*.yaml")), ids=lambda path: path.stem)
def test_every_app_has_a_release_where_its_engine_has_tables(path: Path) -> None:
    engine = app_spec(path).engine
    found = engine_release(engine.kind, engine.image, engine.release)
    assert (found.number != "") is (engine.kind in ("vllm", "llamacpp"))


@given(
    kind=st.sampled_from(["vllm", "llamacpp", "sglang", "tabbyapi", "app"]),
    image=st.text() | st.from_regex(r"[a-z./]{1,9}:v?[0-9.]{0,9}(rc|\.post|\.dev|b)?[0-9-]{0,9}"),
    release=st.none() | st.text() | st.from_regex(r"[vb]?[0-9.]{0,12}(rc|\.post)?[0-9]{0,4}"),
)
def test_no_image_and_no_release_raises(kind: str, image: str, release: str | None) -> None:
    found = engine_release(kind, image, release)
    assert found.table in {"", *table_releases(kind)}
    assert found.told_by

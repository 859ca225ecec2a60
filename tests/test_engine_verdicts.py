"""Our judgement of argument lists against that of the real vLLM (tools/oracle/vllm_verdicts.py)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chartgen.engines import engine_start
from chartgen.engines.command_line import judge
from chartgen.engines.table import engine_table
from chartgen.spec.load import load_spec

ROOT = Path(__file__).parent.parent
RELEASES = ("0.11.2", "0.16.0", "0.19.1", "0.21.0", "0.25.1", "0.28.0", "0.33.0")
MODEL = "owner/model"
# Options whose value vLLM checks in code, which no table can hold, and why.
CODE = {
    "--show-hidden-metrics-for-version": "compared with the release's own number",
    "--numa-bind-cpus": "the syntax of numactl",
    "--collect-detailed-traces": "a comma-separated list of its own",
    "--data-parallel-multi-port-external-lb": "needs a number of replicas above 1 beside it",
    "--grpc-port": "needs VLLM_USE_RUST_FRONTEND in the environment",
    "--cudagraph-capture-sizes": "an empty word is no number, though the parser takes it",
    "--otlp-traces-endpoint": "needs a package that the oracle's environment lacks",
    "--watermark-config": "needs keys that depend on its method",
}


def verdicts(release: str) -> list[tuple[list[str], str, str]]:
    path = ROOT / "tests" / "engines" / f"verdicts-vllm-{release}.json"
    return [tuple(item) for item in json.loads(path.read_text(encoding="utf-8"))]


def in_code(words: list[str]) -> set[str]:
    """The options of a list whose value only code can judge."""
    return {word.partition("=")[0].replace("_", "-") for word in words} & set(CODE)


def different(release: str) -> list[tuple[list[str], str, str]]:
    table = engine_table("vllm", release)
    return [
        (words, stage, reason)
        for words, stage, reason in verdicts(release)
        if any(problem.refused for problem in judge(table, [MODEL, *words])) != bool(stage)
    ]


@pytest.mark.parametrize("release", RELEASES)
def test_agrees_with_the_real_vllm(release: str) -> None:
    # What vLLM takes, we never refuse; what it refuses in code of its own, we may let pass.
    assert [item for item in different(release) if not (item[1] and in_code(item[0]))] == []


def test_every_exception_is_one() -> None:
    words = [
        word for release in RELEASES for item in different(release) for word in in_code(item[0])
    ]
    assert set(words) == set(CODE)


@pytest.mark.parametrize("release", RELEASES)
def test_the_golden_lists_hold_both_verdicts(release: str) -> None:
    stages = [stage for _, stage, _ in verdicts(release)]
    assert len(stages) > 300
    assert {"", "parse", "checks", "config", "lookup"} <= set(stages)


@pytest.mark.parametrize("name", ["gemma4-vision", "nemotron-elastic-nvfp4"])
def test_the_words_of_our_apps_are_accepted_by_their_release(name: str) -> None:
    loaded, _ = load_spec(ROOT / "apps" / f"{name}.yaml")
    assert loaded is not None
    release = loaded.spec.engine.image.rpartition(":")[2].partition("-")[0].removeprefix("v")
    start = engine_start(loaded.spec)
    problems = judge(engine_table("vllm", release), [*start.command[2:], *start.args])
    assert [p for p in problems if p.refused] == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--max-num-seq", "4"], [("abbreviation", "--max-num-seqs")]),
        (["--max-num-seqz", "4"], [("unknown", "--max-num-seqs")]),
        (["--attention-backend", "triton_attm"], [("name-unknown", "TRITON_ATTN")]),
        (["--speculative-config", '{"methd":"mtp"}'], [("json-key", "method")]),
        (["--speculative-config", '{"method":"gemma4_mtp"}'], [("deprecated", "")]),
        (["--speculative-config", '{"method":"mtp"'], [("json-broken", "")]),
        (["--max-num-seqs", "4", "--max_num_seqs", "5"], [("repeated", "")]),
        (["--sc.method", "mtp", "-sc", "{}"], [("unknown", "-sc")]),
        (["-sc.method", "mtp", "-sc", "{}"], [("repeated", "")]),
        (["--enable-auto-tool-choice"], [("requires", "")]),
        (["--kv-cache-dtype", "q8_0"], [("value-choice", "")]),
        (["--max-num-seqs", "0"], [("value-range", "")]),
        (["--limit-mm-per-prompt", "image=1"], [("json-broken", "")]),
        (["--max-num-seqs"], [("value-missing", "")]),
        (["--enable-prefix-caching=false"], [("value-unexpected", "")]),
    ],
)
def test_problems_name_the_nearest(words: list[str], expected: list[tuple[str, str]]) -> None:
    found = judge(engine_table("vllm", "0.21.0"), [MODEL, *words])
    assert [(problem.kind, problem.nearest) for problem in found] == expected


def test_successors_are_named() -> None:
    table = engine_table("vllm", "0.21.0")
    (removed,) = judge(table, [MODEL, "--task", "generate"])
    assert (removed.kind, removed.successor) == ("unknown", "--runner")
    (old,) = judge(table, [MODEL, "-sc", '{"method":"gemma4_mtp","num_speculative_tokens":3}'])
    assert (old.kind, old.path, old.value, old.successor, old.refused) == (
        "deprecated",
        "method",
        "gemma4_mtp",
        "mtp",
        False,
    )


def test_a_broken_value_is_shown_at_its_place_in_the_object() -> None:
    words = [MODEL, "--compilation-config.pass_config.nope", "1"]
    (problem,) = judge(engine_table("vllm", "0.21.0"), words)
    assert (problem.kind, problem.spelling, problem.path) == (
        "json-key",
        "--compilation-config",
        "pass_config.nope",
    )

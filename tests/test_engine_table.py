"""The shipped argument tables: their form, and facts that were read in the engines' sources."""

from __future__ import annotations

import dataclasses
import json
import typing
from importlib.resources import files
from typing import Any

import pytest

from chartgen.engines.table import (
    Option,
    State,
    Syntax,
    Value,
    engine_table,
    skipped_releases,
    spelling_around,
    table_releases,
)
from tests.table_spans import env_history, history, name_history
from tools.engine_tables import vllm as vllm_tables
from tools.engine_tables.spans import write_table

FOLDER = files("chartgen.engines").joinpath("tables")
KINDS = sorted(path.name.removesuffix(".json") for path in FOLDER.iterdir())
FIELDS = {field.name for field in dataclasses.fields(Option)}


def content(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FOLDER.joinpath(f"{kind}.json").read_bytes())
    return found


def all_spans(kind: str) -> list[list[list[Any]]]:
    """Every run of spans that exclude each other."""
    data = content(kind)
    found = [*data["options"].values(), *data.get("requires", {}).values()]
    for group in ("schemas", "successors"):
        for by_name in data.get(group, {}).values():
            found += by_name.values()
    return found


def test_all_tables_together_stay_below_a_megabyte() -> None:
    assert sum(len(FOLDER.joinpath(f"{kind}.json").read_bytes()) for kind in KINDS) < 1_000_000


@pytest.mark.parametrize("kind", KINDS)
def test_spans_ascend_and_do_not_overlap(kind: str) -> None:
    newest = len(table_releases(kind)) - 1
    for spans in all_spans(kind):
        before = -1
        for first, last, _ in spans:
            end = newest if last == -1 else last
            assert before < first <= end <= newest
            before = end


@pytest.mark.parametrize("kind", KINDS)
def test_facts_stay_within_the_closed_sets(kind: str) -> None:
    data = content(kind)
    assert data["syntax"] in typing.get_args(Syntax)
    for spans in data["options"].values():
        for _, _, facts in spans:
            assert set(facts) <= FIELDS - {"name"}
            assert facts.get("value", "text") in typing.get_args(Value)
            assert facts.get("state", "current") in typing.get_args(State)


@pytest.mark.parametrize("kind", KINDS)
def test_the_newest_and_the_oldest_table_can_be_read(kind: str) -> None:
    for release in (table_releases(kind)[0], table_releases(kind)[-1]):
        table = engine_table(kind, release)
        assert (table.kind, table.release) == (kind, release)
        assert len(table.options) > 100
        for option in table.options.values():
            assert all(table.options[s] is option for s in option.spellings + option.negations)
            assert not option.schema or option.schema in table.schemas
            assert not option.names or option.names in table.names


@pytest.mark.parametrize("release", ["0.11.2", "0.21.0", "0.33.0"])
def test_schemas_name_only_schemas_of_the_same_release(release: str) -> None:
    schemas = engine_table("vllm", release).schemas

    def refs(part: Any) -> list[str]:
        if isinstance(part, dict):
            own = [part["ref"]] if isinstance(part.get("ref"), str) else []
            return own + [name for value in part.values() for name in refs(value)]
        return [name for item in part for name in refs(item)] if isinstance(part, list) else []

    assert {name for fields in schemas.values() for name in refs(dict(fields))} <= set(schemas)


def test_a_release_without_a_table_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        engine_table("vllm", "0.0.1")
    with pytest.raises(KeyError):
        engine_table("tabbyapi", "1")
    assert table_releases("tabbyapi") == ()
    assert history("tabbyapi", "--model") == (None, None)


def test_every_vllm_release_of_the_span_has_a_table_or_a_reason() -> None:
    releases = table_releases("vllm")
    assert (releases[0], releases[-1]) == ("0.11.0", "0.33.0")
    assert len(releases) + len(skipped_releases("vllm")) == 35
    assert all(skipped_releases("vllm").values())


# Counted in vllm's own parsers: actions without -h and the positional model, environment variables.
@pytest.mark.parametrize(
    ("release", "actions", "variables"),
    [("0.11.2", 200, 209), ("0.21.0", 247, 253), ("0.33.0", 320, 318)],
)
def test_vllm_tables_have_every_option_of_the_parser(
    release: str, actions: int, variables: int
) -> None:
    table = engine_table("vllm", release)
    assert len({option.name for option in table.options.values()}) == actions
    assert len(table.env) == variables


@pytest.mark.parametrize(
    ("release", "spelling", "expected"),
    [
        ("0.11.2", "--gpu-memory-utilization", {"default": 0.9, "value": "float"}),
        ("0.21.0", "--gpu-memory-utilization", {"default": 0.92}),
        ("0.21.0", "--max-model-len", {"value": "human-int-auto"}),
        ("0.11.2", "--max-model-len", {"value": "human-int"}),
        ("0.21.0", "-sc", {"name": "speculative-config", "schema": "SpeculativeConfig"}),
        ("0.21.0", "--limit-mm-per-prompt", {"schema": "limit-mm-per-prompt", "value": "json"}),
        ("0.21.0", "--served-model-name", {"least": 1, "most": None}),
        ("0.21.0", "--middleware", {"appends": True}),
        ("0.11.2", "--task", {"state": "deprecated"}),
        ("0.11.2", "--cuda-graph-sizes", {"replaced_by": "--cudagraph-capture-sizes"}),
        ("0.33.0", "--mamba-cache-mode", {"state": "deprecated"}),
        ("0.33.0", "--no-enable-prefix-caching", {"name": "enable-prefix-caching"}),
        ("0.33.0", "--disable-prefix-caching", {"name": "enable-prefix-caching"}),
        ("0.33.0", "--device-memory-utilization", {"name": "gpu-memory-utilization"}),
    ],
)
def test_vllm_options(release: str, spelling: str, expected: dict[str, Any]) -> None:
    option = engine_table("vllm", release).options[spelling]
    assert {name: getattr(option, name) for name in expected} == expected


def test_vllm_names() -> None:
    table = engine_table("vllm", "0.21.0")
    assert len(table.names["tool-call-parser"]) == 41
    assert len(table.names["reasoning-parser"]) == 25
    assert len(table.names["quantization"]) == 29
    assert {"gemma4", "qwen3_coder", "hermes"} <= table.names["tool-call-parser"]
    assert {"TRITON_ATTN", "FLASHINFER"} <= table.names["attention-backend"]
    assert table.names["kv-cache-dtype"] == {
        *("auto", "float16", "bfloat16", "fp8", "fp8_e4m3", "fp8_e5m2", "fp8_inc", "fp8_ds_mla"),
        *("turboquant_k8v4", "turboquant_4bit_nc", "turboquant_k3v4_nc", "turboquant_3bit_nc"),
        *("int8_per_token_head", "fp8_per_token_head", "nvfp4"),
    }
    assert table.successors["speculative-method"]["gemma4_mtp"] == "mtp"
    assert table.requires == {
        "enable-auto-tool-choice": "tool-call-parser",
        "enable-log-outputs": "enable-log-requests",
    }


def test_vllm_histories() -> None:
    assert history("vllm", "--max-model-len") == ("0.11.0", "0.33.0")
    assert history("vllm", "--task")[0] == "0.11.0"
    assert history("vllm", "--task")[1] < "0.21.0"  # type: ignore[operator]  # it was there
    assert history("vllm", "--no-such-option") == (None, None)
    assert env_history("vllm", "VLLM_ATTENTION_BACKEND") == ("0.11.0", "0.14.1")
    assert name_history("vllm", "speculative-method", "medusa")[0] == "0.11.0"
    assert name_history("vllm", "tool-call-parser", "no-such-parser") == (None, None)


def test_the_vllm_table_follows_from_the_facts_of_each_release(tmp_path: Any) -> None:
    table = content("vllm")
    again = vllm_tables.merged(vllm_tables.unmerged(table), table["skipped"])
    write_table(tmp_path / "vllm.json", again)
    shipped = FOLDER.joinpath("vllm.json").read_bytes()
    assert (tmp_path / "vllm.json").read_bytes() == shipped


@pytest.mark.parametrize(
    ("spelling", "release", "expected"),
    [
        ("--swap-space", "0.21.0", ("0.17.1", None)),
        ("--spec-method", "0.21.0", (None, "0.22.0")),
        ("--max-model-len", "0.21.0", ("0.20.2", "0.22.0")),
        ("--max-model-len", "0.11.0", (None, "0.11.1")),
        ("--no-such-option", "0.21.0", (None, None)),
    ],
)
def test_the_releases_around_one(
    spelling: str, release: str, expected: tuple[str | None, str | None]
) -> None:
    assert spelling_around("vllm", spelling, release) == expected

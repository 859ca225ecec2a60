"""llama.cpp's cache: against what a real server printed, and against tables worked out by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chartgen.engines.forks import shipped_fork
from chartgen.memory.layers import llama_layers
from chartgen.memory.llamacpp_kv import (
    CacheRefusal,
    CacheType,
    LlamaCache,
    LlamaLayer,
    LlamaSettings,
    cache_types,
    llama_cache,
    longest_context,
)
from chartgen.models.facts import Layer, State
from tests.planning import GEMMA_LAYERS

GOLDEN = json.loads(
    (Path(__file__).parent / "engines" / "kv-llamacpp-b11434.json").read_text(encoding="utf-8")
)
MIB = 2**20
GIB = 2**30
TYPES = cache_types()
F16 = TYPES["f16"]
GEMMA = llama_layers(GEMMA_LAYERS)
ONE_SLOT = LlamaSettings(131072, F16, F16, slots=1, unified=False)


def cache(layers: Any, settings: LlamaSettings) -> LlamaCache:
    found = llama_cache(layers, settings)
    assert isinstance(found, LlamaCache), found
    return found


def golden_layers(name: str, part: str) -> list[LlamaLayer]:
    return [LlamaLayer(**layer) for layer in GOLDEN["geometries"][name][part]]


def golden_settings(changes: dict[str, Any]) -> LlamaSettings:
    named = {key: TYPES[changes.get(key, "f16")] for key in ("type_k", "type_v")}
    return LlamaSettings(**(changes | named))


def case_name(case: dict[str, Any]) -> str:
    return f"{case['geometry']} {case['settings']}"


# What the real server printed (tools/oracle/llamacpp_kv.py)


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=case_name)
def test_as_a_real_server(case: dict[str, Any]) -> None:
    settings = golden_settings(case["settings"])
    ours = llama_cache(golden_layers(case["geometry"], "layers"), settings)
    said = case["printed"]
    if "refused" in said:
        assert isinstance(ours, CacheRefusal)
        return
    assert isinstance(ours, LlamaCache)
    attention = [ours.attention_bytes] if ours.attention_bytes else []
    windows = [ours.window_bytes] if ours.window_bytes else []
    expected = attention + windows
    drafts = golden_layers(case["geometry"], "draft_layers") if settings.rollback else []
    if drafts:
        draft = cache(drafts, replace(settings, type_k=F16, type_v=F16, rollback=0))
        expected.append(draft.attention_bytes)
    assert [part["mib"] for part in said["caches"]] == pytest.approx(
        [size / MIB for size in expected], abs=0.006
    )
    assert sum(part["mib"] for part in said["states"]) == pytest.approx(
        ours.state_bytes / MIB, abs=0.006
    )
    assert said["per_slot"] == ours.per_slot
    cells = [ours.cells] * len(attention) + [ours.window_cells] * len(windows)
    assert [part["cells"] for part in said["caches"]][: len(cells)] == cells
    assert {part["streams"] for part in said["caches"]} == {ours.streams}


def test_the_golden_file_has_what_matters() -> None:
    shapes = {case["geometry"] for case in GOLDEN["cases"]}
    assert shapes == {"plain", "small-heads", "sliding", "unequal", "hybrid", "latent"}
    assert sum("refused" in case["printed"] for case in GOLDEN["cases"]) == 3
    assert not any("failed" in case["printed"] for case in GOLDEN["cases"])


# Gemma 4 26B-A4B: 5 x (5 layers of 8 x 256, 1 of 2 x 512), window 1024 (engines 3.3)


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [
        ("f16", (0.605, 1.543, 2.793, 4.043, 5.293)),
        ("q8_0", (0.322, 0.820, 1.484, 2.148, 2.812)),
        ("q4_0", (0.170, 0.434, 0.786, 1.137, 1.489)),
    ],
)
def test_gemma_4(kind: str, sizes: tuple[float, ...]) -> None:
    lengths = (16384, 65536, 131072, 196608, 262144)
    settings = replace(ONE_SLOT, type_k=TYPES[kind], type_v=TYPES[kind])
    found = [cache(GEMMA, replace(settings, context=length)).total_bytes for length in lengths]
    assert [size / GIB for size in found] == pytest.approx(sizes, abs=0.0006)


def test_full_windows_take_ten_times_as_much() -> None:
    whole = cache(GEMMA, replace(ONE_SLOT, full_windows=True))
    # 131072 cells x 2 bytes x 2 x (25 x 2048 + 5 x 1024)
    assert whole.total_bytes == 131072 * 4 * 56320
    assert whole.total_bytes / GIB == 27.5


@pytest.mark.parametrize(
    ("slots", "unified", "streams", "cells", "window_cells"),
    [(1, False, 1, 131072, 1536), (4, False, 4, 32768, 1536), (4, True, 1, 131072, 4608)],
)
def test_slots(slots: int, unified: bool, streams: int, cells: int, window_cells: int) -> None:
    found = cache(GEMMA, replace(ONE_SLOT, slots=slots, unified=unified))
    assert (found.streams, found.cells, found.window_cells) == (streams, cells, window_cells)


def test_a_context_is_rounded_up_in_each_slot() -> None:
    found = cache(GEMMA, replace(ONE_SLOT, context=10000, slots=3))
    # 10000 -> 10240; a third is 3413 -> 3584; three of them are 10752.
    assert (found.per_slot, found.context) == (3584, 10752)


# Types


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        ("f32", 32),
        ("f16", 16),
        ("q8_0", 8.5),
        ("q5_1", 6),
        ("q5_0", 5.5),
        ("q4_1", 5),
        ("q4_0", 4.5),
    ],
)
def test_bits_of_a_type(name: str, bits: float) -> None:
    assert TYPES[name].bytes_of(1024) * 8 / 1024 == bits


def test_a_name_has_another_layout_in_another_fork() -> None:
    images = ("aamsellem/llamacpp-atomic-mtp:0.1.0", "aamsellem/beellama-cpp:0.1.3-rc3")
    sizes = []
    for image in images:
        fork = shipped_fork("llamacpp", image)
        assert fork is not None
        layout = fork.kv_types["turbo4"]
        kind = CacheType("turbo4", layout.elements, layout.bytes)
        found = cache(GEMMA, replace(ONE_SLOT, type_k=kind, type_v=kind))
        sizes.append(found.attention_bytes)
    # 5 layers x 2 x 1024 numbers x 131072 cells, in blocks of 128.
    assert sizes == [5 * 2 * 8 * block * 131072 for block in (68, 66)]


def test_a_head_that_is_no_whole_block_is_refused() -> None:
    layers = [LlamaLayer("attention", heads=2, keys=80, values=80)]
    found = llama_cache(layers, replace(ONE_SLOT, type_k=TYPES["q8_0"]))
    assert isinstance(found, CacheRefusal)
    assert "32" in found.reason
    assert "80" in found.reason


def test_quantised_values_need_flash_attention() -> None:
    settings = replace(ONE_SLOT, type_v=TYPES["q8_0"], flash_attention=False)
    assert isinstance(llama_cache(GEMMA, settings), CacheRefusal)


# Layers from facts


def test_layers_from_facts() -> None:
    # Qwen3.6-27B: 4 key-value heads of 256; gated delta of 16 keys and 48 values of 128.
    delta = State(conv_channels=2 * 2048 + 6144, conv_kernel=4, shape=(48, 128, 128))
    found = llama_layers(
        (
            Layer("gated-delta", state=delta),
            Layer("full", 4, 256, 256),
            Layer("none"),
            Layer("mla", 1, 576, 512),
            Layer("chunked", 8, 128, 128, 8192),
        )
    )
    assert found == (
        LlamaLayer("recurrent", state=3 * 10240 + 48 * 128 * 128),
        LlamaLayer("attention", 4, 256, 256),
        LlamaLayer("attention", 1, 576, 0),
        LlamaLayer("windowed", 8, 128, 128, 8192),
    )


def test_states_are_kept_for_each_slot_and_draft() -> None:
    layers = [LlamaLayer("recurrent", state=1000)]
    settings = replace(ONE_SLOT, slots=2, rollback=3)
    assert cache(layers, settings).state_bytes == 2 * (1 + 3) * 1000 * 4


# The longest context


def test_the_longest_context_is_the_last_that_fits() -> None:
    available = cache(GEMMA, replace(ONE_SLOT, context=65536)).total_bytes
    assert longest_context(GEMMA, ONE_SLOT, available, 262144) == 65536
    assert longest_context(GEMMA, ONE_SLOT, available - 1, 262144) == 65536 - 256
    assert longest_context(GEMMA, ONE_SLOT, 100 * GIB, 262144) == 262144
    assert longest_context(GEMMA, ONE_SLOT, 0, 262144) == 0

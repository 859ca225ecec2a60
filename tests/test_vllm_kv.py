"""vLLM's KV cache: equal to vLLM's own functions, and to what was published about Gemma 4."""

from __future__ import annotations

from pathlib import Path

import pytest

from chartgen.memory.vllm_kv import (
    GIB,
    KvCache,
    gib_text,
    judge,
    kv_cache,
    longest_context,
    need_bytes,
    request_blocks,
    used_bytes,
)
from chartgen.memory.vllm_kv_family import kv_changes, kv_family, release_key
from chartgen.memory.vllm_kv_layer import (
    KvLayer,
    KvState,
    gated_delta_states,
    mamba2_states,
    token_bytes,
)
from chartgen.memory.vllm_kv_settings import KvSettings
from tests.vllm_kv_golden import FILES, asked, load

SLIDING = KvLayer("sliding", 8, 256, 256, 1024)
FULL = KvLayer("full", 2, 512, 512)
GEMMA4_26B = [*[SLIDING] * 5, FULL] * 5
GEMMA4_31B = [*[KvLayer("sliding", 16, 256, 256, 1024)] * 5, KvLayer("full", 4, 512, 512)] * 10

# One block of all groups of Gemma 4 26B in fp8: five layers of 16 tokens, 8 heads, 2 x 256 bytes.
BLOCK = 5 * 16 * 8 * 512
# 2.82 GiB as published, to the byte: 9247 blocks (engines 2.2).
PUBLISHED = 9247 * BLOCK


def gemma4(
    length: int = 262144, batch: int = 8192, release: str = "0.21.0", kv_type: str = "fp8"
) -> KvCache:
    """Return the cache of Gemma 4 26B-A4B."""
    return kv_cache(GEMMA4_26B, KvSettings(release, length, batch, kv_type=kv_type))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_equal_to_vllms_own_functions(file: Path) -> None:
    golden = load(file)
    different = [row for row in golden["cases"] if asked(golden, row) != row]
    assert different == []


# Traits that decide how large a cache is; the others are defaults and texts.
ARITHMETIC = (
    "cache_tokens",
    "full_fallback",
    "gib",
    "group_slack",
    "hybrid_block",
    "in_flight",
    "int4_windows",
    "layouts",
    "mla_compare",
    "mla_scales",
    "need",
    "null_block",
    "promotion",
    "retained",
    "stages",
    "states",
    "unequal_pages",
    "window_block",
)


@pytest.mark.parametrize("trait", ARITHMETIC)
def test_golden_files_hold_every_way_to_calculate(trait: str) -> None:
    known = {
        getattr(kv_family(change.since), trait)
        for change in kv_changes("0.11.0", "0.33.0")
        if change.trait == trait
    }
    kept = {getattr(kv_family(load(file)["release"]), trait) for file in FILES}
    assert known <= kept


def test_golden_files_ask_enough() -> None:
    assert len(FILES) >= 12
    for file in FILES:
        golden = load(file)
        refused = [row for row in golden["cases"] if isinstance(row[2], str)]
        assert len(golden["cases"]) > 250
        assert len(refused) < 60


def test_gemma4_needs_the_published_bytes() -> None:
    cache = gemma4()
    assert [(group.kind, group.block, len(group.members)) for group in cache.groups] == [
        *[("sliding", 16, 5)] * 5,
        ("full", 32, 5),
    ]
    assert cache.padding_layers == 0
    assert cache.block_bytes == BLOCK
    assert need_bytes(cache, 262144) == 3_629_711_360
    assert gib_text(cache.family, 3_629_711_360) == "3.38"


def test_gemma4_says_what_vllm_said() -> None:
    verdict = judge(gemma4(), PUBLISHED)
    assert not verdict.fits
    assert verdict.sentence == (
        "To serve at least one request with the models's max seq len (262144), (3.38 GiB KV cache "
        "is needed, which is larger than the available KV cache memory (2.82 GiB). Based on the "
        "available memory, the estimated maximum model length is 203584. Try increasing "
        "`gpu_memory_utilization` or decreasing `max_model_len` when initializing the engine. See "
        "https://docs.vllm.ai/en/latest/configuration/conserving_memory/ for more details."
    )
    assert judge(gemma4(131072), PUBLISHED).sentence == ""
    assert judge(gemma4(203584), PUBLISHED).fits
    assert not judge(gemma4(203585), PUBLISHED).fits


def test_gemma4_needs_more_from_0_26_and_a_block_more_from_0_29() -> None:
    assert need_bytes(gemma4(release="0.33.0"), 262144) == 4_468_572_160
    assert longest_context(gemma4(release="0.25.1"), PUBLISHED) == 203584
    assert longest_context(gemma4(release="0.26.0"), PUBLISHED) == 121664
    assert longest_context(gemma4(release="0.33.0"), PUBLISHED) == 121664 - 32
    assert longest_context(gemma4(release="0.33.0"), PUBLISHED + BLOCK) == 121664
    sentence = judge(gemma4(release="0.33.0"), PUBLISHED + BLOCK).sentence
    assert "(4.16 GiB KV cache is needed" in sentence
    assert "memory (2.82 GiB). Based on the available memory, the estimated maximum" in sentence


@pytest.mark.parametrize(
    ("length", "batch", "gib"),
    [
        *[(16384, b, g) for b, g in ((2048, 0.451), (2560, 0.5), (4096, 0.646), (8192, 1.037))],
        *[(65536, b, g) for b, g in ((2048, 0.919), (2560, 0.968), (4096, 1.115), (8192, 1.505))],
        *[(131072, b, g) for b, g in ((2048, 1.544), (2560, 1.593), (4096, 1.74), (8192, 2.13))],
        *[(196608, b, g) for b, g in ((2048, 2.169), (2560, 2.218), (4096, 2.365), (8192, 2.755))],
        *[(262144, b, g) for b, g in ((2048, 2.794), (2560, 2.843), (4096, 2.99), (8192, 3.38))],
    ],
)
def test_table_of_gemma4(length: int, batch: int, gib: float) -> None:
    assert round(need_bytes(gemma4(length, batch), length) / GIB, 3) == gib


@pytest.mark.parametrize(
    ("length", "two_in_flight", "bf16"),
    [
        (16384, 1.720, 2.073),
        (65536, 2.287, 3.011),
        (131072, 2.912, 4.261),
        (196608, 3.537, 5.511),
        (262144, 4.162, 6.761),
    ],
)
def test_table_of_gemma4_with_two_batches_and_in_bf16(
    length: int, two_in_flight: float, bf16: float
) -> None:
    later = gemma4(length, release="0.26.0")
    assert round(need_bytes(later, length) / GIB, 3) == two_in_flight
    wide = gemma4(length, kv_type="auto")
    assert round(need_bytes(wide, length) / GIB, 3) == bf16


@pytest.mark.parametrize(
    ("release", "batch", "longest"),
    [
        ("0.21.0", 2048, 262144),
        ("0.21.0", 2337, 262144),
        ("0.21.0", 2338, 262144 - 5 * 32),
        ("0.21.0", 2496, 260544),
        ("0.21.0", 2560, 259904),
        ("0.21.0", 4096, 244544),
        ("0.21.0", 8192, 203584),
        ("0.26.0", 2048, 244544),
        ("0.26.0", 4096, 203584),
        ("0.26.0", 8192, 121664),
    ],
)
def test_longest_context_of_gemma4(release: str, batch: int, longest: int) -> None:
    assert longest_context(gemma4(batch=batch, release=release), PUBLISHED) == longest


@pytest.mark.parametrize(
    ("length", "gib"), [(16384, 4.147), (65536, 6.022), (131072, 8.522), (262144, 13.522)]
)
def test_table_of_gemma4_31b(length: int, gib: float) -> None:
    cache = kv_cache(GEMMA4_31B, KvSettings("0.21.0", length, 8192, kv_type="fp8"))
    assert round(need_bytes(cache, length) / GIB, 3) == gib


def test_without_the_hybrid_manager_every_layer_is_full() -> None:
    settings = KvSettings("0.21.0", 262144, 8192, kv_type="fp8", disable_hybrid=True)
    assert round(need_bytes(kv_cache(GEMMA4_26B, settings), 262144) / GIB, 1) == 27.5


def test_the_real_engine_on_a_cpu() -> None:
    """vLLM 0.32.0 was run with a model of this geometry, one batch in flight (engines 2.2)."""
    settings = KvSettings("0.32.0", 262144, 8192, block_size=128, async_scheduling=False)
    cache = kv_cache(GEMMA4_26B, settings)
    assert gib_text(cache.family, need_bytes(cache, 262144)) == "6.78"
    assert longest_context(cache, 2 * GIB) == 11008
    smaller = kv_cache(
        GEMMA4_26B,
        KvSettings("0.32.0", 262144, 8192, block_size=32, async_scheduling=False),
    )
    assert need_bytes(smaller, 262144) == 7_262_699_520
    assert longest_context(smaller, 6 * GIB) == 222016


def test_a_block_outermost_layout_packs_other_groups() -> None:
    settings = KvSettings(
        "0.33.0", 262144, 8192, kv_type="fp8", layout="BLHNC", async_scheduling=False
    )
    cache = kv_cache(GEMMA4_26B, settings)
    assert len(cache.groups) == 14
    assert round(need_bytes(cache, 262144) / GIB, 2) == 3.64


@pytest.mark.parametrize(
    ("kv_type", "state_dtype", "speculative", "block"),
    [
        ("auto", "bfloat16", 0, 400),
        ("fp8", "bfloat16", 0, 800),
        ("auto", "float32", 0, 784),
        ("fp8", "float32", 0, 1568),
        ("auto", "bfloat16", 3, 416),
        ("fp8", "bfloat16", 3, 832),
    ],
)
def test_blocks_of_qwen3_6_27b(
    kv_type: str, state_dtype: str, speculative: int, block: int
) -> None:
    states = gated_delta_states(
        16, 48, 128, 128, 4, state_dtype=state_dtype, speculative_tokens=speculative
    )
    layers = [*[KvLayer("gated-delta", states=states)] * 3, KvLayer("full", 4, 256, 256)] * 16
    settings = KvSettings("0.21.0", 131072, 8192, kv_type=kv_type, speculative_tokens=speculative)
    cache = kv_cache(layers, settings)
    assert [group.block for group in cache.groups if group.kind == "full"] == [block]
    assert len(cache.groups) == 4


def test_an_mtp_layer_pads_the_groups_of_qwen3_6() -> None:
    states = gated_delta_states(16, 48, 128, 128, 4, speculative_tokens=3)
    attention = KvLayer("full", 4, 256, 256)
    layers = [*[*[KvLayer("gated-delta", states=states)] * 3, attention] * 16, attention]
    cache = kv_cache(layers, KvSettings("0.21.0", 131072, 8192, speculative_tokens=3))
    assert [len(group.members) for group in cache.groups] == [16, 16, 16, 17]
    assert cache.padding_layers == 3


def test_layers_that_share_a_cache_take_none() -> None:
    shared = kv_cache([*GEMMA4_26B, *[KvLayer("none")] * 4], KvSettings("0.21.0", 4096, 2048))
    assert shared.block_bytes == gemma4(4096, 2048, kv_type="auto").block_bytes


def test_a_model_without_a_cache() -> None:
    cache = kv_cache([KvLayer("none")], KvSettings("0.21.0", 4096, 2048))
    verdict = judge(cache, GIB)
    assert (verdict.fits, verdict.need_bytes, verdict.blocks) == (True, 0, 1)


def test_no_memory_at_all() -> None:
    verdict = judge(gemma4(), -1)
    assert verdict.sentence.startswith("No available memory for the cache blocks.")
    assert (verdict.fits, verdict.longest, verdict.blocks) == (False, 0, 0)


def test_before_0_19_a_hybrid_model_passed_the_check_without_fitting() -> None:
    """0.14 to 0.18 counted the first group only."""
    cache = gemma4(release="0.18.1")
    assert need_bytes(cache, 262144) == 577 * BLOCK
    assert request_blocks(cache, 262144) == 5 * 577 + 8192
    assert used_bytes(cache, 262144) == 3_629_711_360
    assert judge(cache, PUBLISHED).fits
    assert judge(cache, PUBLISHED).concurrency < 1


def test_pages_that_do_not_divide() -> None:
    layers = [KvLayer("full", 8, 128, 128), KvLayer("sliding", 8, 96, 96, 1024)]
    refused = kv_cache(layers, KvSettings("0.23.0", 4096, 2048))
    assert refused.refusal.startswith("The page size of the layer is not divisible")
    assert judge(refused, GIB).sentence == refused.refusal
    flex = kv_cache(layers, KvSettings("0.24.0", 4096, 2048, backend="FLEX_ATTENTION"))
    assert flex.refusal.startswith("page size is not divisible")
    padded = kv_cache(layers, KvSettings("0.24.0", 4096, 2048))
    assert [group.page_bytes for group in padded.groups] == [16 * 8 * 256 * 2] * 2
    assert kv_cache(layers, KvSettings("0.11.2", 4096, 2048)).refusal == "NotImplementedError"


@pytest.mark.parametrize(
    ("kv_type", "release", "expected"),
    [
        ("auto", "0.21.0", 8 * 2 * 128 * 2),
        ("fp8", "0.21.0", 8 * 2 * 128),
        ("int8_per_token_head", "0.21.0", 8 * (2 * 128 + 8)),
        ("int4_per_token_head", "0.25.0", 8 * (2 * 64 + 8)),
        ("nvfp4", "0.21.0", 8 * 2 * (64 + 8)),
        ("turboquant_k8v4", "0.21.0", 8 * (128 + 64 + 4)),
        ("turboquant_4bit_nc", "0.21.0", 8 * (64 + 2 + 64 + 4)),
        ("turboquant_k3v4_nc", "0.21.0", 8 * (48 + 2 + 64 + 4)),
        ("turboquant_3bit_nc", "0.21.0", 8 * (48 + 2 + 48 + 4)),
        ("ultraquant_4bit", "0.32.0", 8 * 136),
    ],
)
def test_bytes_of_a_token(kv_type: str, release: str, expected: int) -> None:
    layer = KvLayer("full", 8, 128, 128)
    assert token_bytes(kv_family(release), layer, kv_type, "bfloat16", 1) == expected


@pytest.mark.parametrize(
    ("kv_type", "release", "says"),
    [
        ("q8_0", "0.21.0", 'vLLM 0.21.0 has no KV type "q8_0"'),
        ("nvfp4", "0.19.1", 'vLLM 0.19.1 has no KV type "nvfp4"'),
        ("octave_k3v4", "0.33.0", 'the size of the KV type "octave_k3v4" is not known here'),
    ],
)
def test_kv_types_that_cannot_be(kv_type: str, release: str, says: str) -> None:
    cache = kv_cache(GEMMA4_26B, KvSettings(release, 4096, 2048, kv_type=kv_type))
    assert cache.refusal == says
    assert judge(cache, GIB).fits is False


def test_states_are_split_among_gpus() -> None:
    conv, state = gated_delta_states(16, 48, 128, 128, 4, tensor_parallel=2)
    assert conv == KvState((2 * 128 * 16 + 128 * 48) // 2 * 3, "bfloat16")
    assert state == KvState(24 * 128 * 128, "bfloat16")
    # One group for each GPU where the groups do not divide.
    conv, _ = mamba2_states(4096, 1, 64, 64, 128, 4, tensor_parallel=4)
    assert conv.elements == (4096 + 2 * 4 * 128) // 4 * 3


def test_changes_between_releases_are_told() -> None:
    changes = kv_changes("0.21.0", "0.33.0")
    assert [change.since for change in changes if change.trait == "in_flight"] == ["0.26.0"]
    assert [change.since for change in changes if change.trait == "null_block"] == ["0.29.0"]
    assert all(change.note and change.source for change in changes)
    assert list(changes) == sorted(changes, key=lambda change: release_key(change.since))
    assert kv_changes("0.33.0", "0.33.0") == ()


@pytest.mark.parametrize(
    ("release", "utilization", "graphs"),
    [("0.17.1", 0.9, "absent"), ("0.19.1", 0.9, "off"), ("0.20.0", 0.92, "on")],
)
def test_defaults_of_memory(release: str, utilization: float, graphs: str) -> None:
    family = kv_family(release)
    assert (family.gpu_memory_utilization, family.graph_estimate) == (utilization, graphs)


def test_releases_that_are_none() -> None:
    assert kv_family("v0.21.0-cu129").need == "groups"
    assert kv_family("0.99").null_block
    with pytest.raises(ValueError, match="no release"):
        kv_family("nightly")
    with pytest.raises(ValueError, match="older"):
        kv_family("0.10.2")

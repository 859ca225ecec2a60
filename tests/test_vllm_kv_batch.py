"""vLLM's batches: default sizes, batches in flight, and the rules that a batch has to keep."""

from __future__ import annotations

from typing import Any

import pytest

from chartgen.memory.vllm_kv_batch import (
    GEMMA4_ITEM_TOKENS,
    BatchDefaults,
    batch_faults,
    batches_in_flight,
    default_batch,
    largest_item,
    uses_async_scheduling,
)
from chartgen.memory.vllm_kv_settings import KvSettings

GIB = 1 << 30


def settings(release: str, **more: Any) -> KvSettings:
    """Return settings of which only the release and `more` matter."""
    return KvSettings(release, 131072, 2048, **more)


@pytest.mark.parametrize(
    ("release", "gib", "gpu", "expected"),
    [
        ("0.21.0", 24, "NVIDIA GeForce RTX 5090 Laptop GPU", BatchDefaults(2048, 256)),
        ("0.21.0", 80, "NVIDIA H100", BatchDefaults(8192, 1024)),
        ("0.21.0", 80, "NVIDIA A100-SXM4-80GB", BatchDefaults(2048, 256)),
        ("0.27.1", 180, "NVIDIA B200", BatchDefaults(8192, 1024)),
        ("0.28.0", 180, "NVIDIA B200", BatchDefaults(16384, 1024)),
        ("0.32.0", 119, "NVIDIA GB10", BatchDefaults(8192, 1024)),
        ("0.33.0", 119, "NVIDIA GB10", BatchDefaults(2048, 256)),
    ],
)
def test_default_batch_by_gpu(release: str, gib: int, gpu: str, expected: BatchDefaults) -> None:
    found = default_batch(release, gpu_memory_bytes=gib * GIB, gpu=gpu, max_model_len=131072)
    assert found == expected


@pytest.mark.parametrize(
    ("release", "more", "tokens"),
    [
        ("0.21.0", {"chunked_prefill": False}, 131072),
        ("0.11.0", {"chunked_prefill": False}, 131072),
        ("0.16.0", {"throughput_mode": True}, 2048),
        ("0.17.0", {"throughput_mode": True}, 4096),
        ("0.21.0", {"prefix_lm_item_tokens": 2496}, 2048),
        ("0.22.0", {"prefix_lm_item_tokens": 2496}, 2496),
        ("0.22.0", {"prefix_lm_item_tokens": 280}, 2048),
    ],
)
def test_what_changes_the_default_batch(release: str, more: dict[str, Any], tokens: int) -> None:
    found = default_batch(release, gpu_memory_bytes=24 * GIB, max_model_len=131072, **more)
    assert found.batched_tokens == tokens


def test_few_short_sequences_make_a_small_default_batch() -> None:
    few = default_batch("0.21.0", gpu_memory_bytes=24 * GIB, max_model_len=512, sequences=2)
    assert few == BatchDefaults(1024, 2)


@pytest.mark.parametrize(
    ("release", "method", "expected"),
    [
        ("0.11.2", "", False),
        ("0.13.0", "", False),
        ("0.14.0", "", True),
        ("0.14.0", "qwen3_next_mtp", True),
        ("0.14.0", "ngram", False),
        ("0.17.1", "ngram_gpu", False),
        ("0.18.0", "ngram_gpu", True),
        ("0.19.1", "dflash", False),
        ("0.20.0", "dflash", True),
        ("0.21.0", "gemma4_mtp", True),
        ("0.21.0", "draft_model", False),
        ("0.28.0", "draft_model", True),
        ("0.32.0", "ngram", False),
        ("0.33.0", "ngram", True),
        ("0.33.0", "suffix", False),
    ],
)
def test_async_scheduling_by_default(release: str, method: str, expected: bool) -> None:
    assert uses_async_scheduling(settings(release, speculative_method=method)) is expected


def test_async_scheduling_as_given() -> None:
    assert uses_async_scheduling(settings("0.11.2", async_scheduling=True))
    assert not uses_async_scheduling(settings("0.33.0", async_scheduling=False))


@pytest.mark.parametrize(
    ("release", "more", "expected"),
    [
        ("0.26.0", {}, 2),
        ("0.26.0", {"async_scheduling": False}, 1),
        ("0.26.0", {"speculative_method": "ngram"}, 1),
        ("0.14.0", {"pipeline_parallel": 4}, 4),
        ("0.22.0", {"pipeline_parallel": 4}, 2),
        ("0.26.0", {"pipeline_parallel": 4}, 4),
        ("0.26.0", {"pipeline_parallel": 4, "runner_v2": True}, 5),
        ("0.33.0", {"pipeline_parallel": 4}, 5),
        ("0.33.0", {"pipeline_parallel": 4, "runner_v2": False}, 4),
    ],
)
def test_batches_in_flight(release: str, more: dict[str, Any], expected: int) -> None:
    assert batches_in_flight(settings(release, **more)) == expected


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, ("video", 2496)),
        ({"image": 1}, ("video", 2496)),
        ({"image": 1, "video": 0}, ("image", 280)),
        ({"image": 0, "video": 0}, ("", 0)),
    ],
)
def test_largest_item_of_gemma4(limits: dict[str, int], expected: tuple[str, int]) -> None:
    assert largest_item(GEMMA4_ITEM_TOKENS, limits) == expected


def faults(release: str, batch: int, limits: dict[str, int], **more: Any) -> list[tuple[str, int]]:
    """Return the broken rules for Gemma 4 with a batch."""
    found = batch_faults(
        release,
        batched_tokens=batch,
        max_model_len=131072,
        item_tokens=GEMMA4_ITEM_TOKENS,
        limits=limits,
        prefix_lm=True,
        **more,
    )
    return [(fault.rule, fault.least_batched_tokens) for fault in found]


def test_an_item_must_fit_into_a_batch() -> None:
    assert faults("0.21.0", 2048, {"image": 1}) == [("multimodal-item", 2496)]
    assert faults("0.21.0", 2048, {"image": 1, "video": 0}) == []
    assert faults("0.21.0", 2496, {"image": 1}) == []
    assert faults("0.12.0", 2048, {"image": 1}) == []
    assert faults("0.12.0", 2048, {"image": 1}, disable_chunked_items=True) == [
        ("multimodal-item", 2496)
    ]


def test_the_sentence_about_items_is_vllms() -> None:
    (fault,) = batch_faults(
        "0.21.0",
        batched_tokens=2048,
        max_model_len=8192,
        item_tokens=GEMMA4_ITEM_TOKENS,
        prefix_lm=True,
    )
    assert fault.sentence == (
        "Chunked MM input disabled but max_tokens_per_mm_item (2496) is larger than "
        "max_num_batched_tokens (2048). Please increase max_num_batched_tokens."
    )


def test_without_chunked_prefill_the_context_must_fit_into_a_batch() -> None:
    assert faults("0.21.0", 8192, {}, chunked_prefill=False) == [("chunked-prefill", 131072)]
    assert faults("0.21.0", 131072, {}, chunked_prefill=False) == []


def test_a_batch_holds_a_token_of_each_sequence() -> None:
    assert faults("0.21.0", 100, {"image": 0, "video": 0}, sequences=256) == [("sequences", 256)]

"""Batches: default sizes, how many are in flight, and the rules that a batch has to keep.

Sources: vllm 0.11.0 to 0.33.0, engine/arg_utils.py, config/vllm.py, config/scheduler.py,
v1/core/encoder_cache_manager.py; which release does what stands in `vllm_kv_families.yaml`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chartgen.memory.vllm_kv_family import KvFamily, kv_family
from chartgen.memory.vllm_kv_settings import KvSettings

# multimodal/config: a modality that --limit-mm-per-prompt does not name.
UNLISTED_ITEMS = 999
# gemma4_mm.py (0.21.0): 32 frames of 70 soft tokens, two delimiters and six of a time stamp.
GEMMA4_ITEM_TOKENS: Mapping[str, int] = {"image": 280, "video": 32 * (70 + 2 + 6)}


@dataclass(frozen=True, slots=True)
class BatchDefaults:
    """What `vllm serve` takes without --max-num-batched-tokens and --max-num-seqs."""

    batched_tokens: int
    sequences: int


@dataclass(frozen=True, slots=True)
class BatchFault:
    """A rule of vLLM that a batch breaks: the rule's name, its sentence, and the least batch."""

    rule: str
    sentence: str
    least_batched_tokens: int


def default_batch(
    release: str,
    *,
    gpu_memory_bytes: int,
    gpu: str = "",
    max_model_len: int,
    sequences: int | None = None,
    chunked_prefill: bool = True,
    throughput_mode: bool = False,
    prefix_lm_item_tokens: int = 0,
) -> BatchDefaults:
    """Return the default batch of a release on a GPU whose name is `gpu`.

    `sequences` is a given --max-num-seqs. `prefix_lm_item_tokens` is the largest multimodal item
    of a model with bidirectional attention on images, limits ignored (0: another model). Source:
    engine/arg_utils.py _set_default_max_num_seqs_and_batched_tokens_args.
    """
    family = kv_family(release)
    tokens, seqs = _row(family, gpu_memory_bytes, gpu.lower())
    if throughput_mode and family.throughput_mode:
        tokens, seqs = 2 * tokens, 2 * seqs
    if sequences is not None:
        seqs = sequences
    if family.batch_cap == "unchunked-exact":
        tokens = tokens if chunked_prefill else max_model_len
    else:
        if not chunked_prefill:
            tokens = max(max_model_len, tokens)
        if family.raise_for_items:
            tokens = max(tokens, prefix_lm_item_tokens)
        tokens = min(seqs * max_model_len, tokens)
    return BatchDefaults(tokens, seqs if sequences is not None else min(seqs, tokens))


def _row(family: KvFamily, gpu_memory_bytes: int, gpu: str) -> tuple[int, int]:
    """Return the first row of the release's defaults that fits a GPU."""
    for row in family.batch_defaults:
        excepted = any(name in gpu for name in row["except"])
        if gpu_memory_bytes >= row["gib"] << 30 and not excepted:
            return row["tokens"], row["sequences"]
    raise AssertionError("the last row holds for every GPU")


def batches_in_flight(settings: KvSettings) -> int:
    """Return how many batches may be scheduled and not yet settled: vllm max_concurrent_batches."""
    family = kv_family(settings.release)
    stages = settings.pipeline_parallel
    if not uses_async_scheduling(settings):
        return stages
    if family.pipeline_batches == "two":
        return 2
    if _uses_runner_v2(family, settings):
        return stages + 1
    return 2 if stages <= 1 else stages


def uses_async_scheduling(settings: KvSettings) -> bool:
    """Return whether scheduling is asynchronous, as given or by the release's default.

    Source: config/vllm.py __post_init__.
    """
    if settings.async_scheduling is not None:
        return settings.async_scheduling
    family = kv_family(settings.release)
    rule = family.async_scheduling
    if not rule["default"]:
        return False
    runner_v2 = _uses_runner_v2(family, settings)
    if settings.pipeline_parallel > 1 and not (
        rule["pipeline"] == "on" or (rule["pipeline"] == "v2" and runner_v2)
    ):
        return False
    method = settings.speculative_method
    if not method or (rule["every_method"] and runner_v2):
        return True
    return ("mtp" if method.endswith("_mtp") else method) in rule["methods"]


def _uses_runner_v2(family: KvFamily, settings: KvSettings) -> bool:
    """Return whether model runner V2 runs the model, as given or by the release's default."""
    if settings.runner_v2 is not None:
        return settings.runner_v2
    rule = family.runner_v2
    return bool(rule["default"]) and settings.speculative_method not in rule["without"]


def largest_item(item_tokens: Mapping[str, int], limits: Mapping[str, int]) -> tuple[str, int]:
    """Return the modality and tokens of the largest item that a request may hold.

    `limits` is --limit-mm-per-prompt by modality; one of 0 removes the modality, an unlisted one
    allows 999. ("", 0) where nothing is left. Source: encoder_cache_manager.py
    compute_mm_encoder_budget.
    """
    allowed = [
        (tokens, modality)
        for modality, tokens in sorted(item_tokens.items())
        if limits.get(modality, UNLISTED_ITEMS) > 0
    ]
    tokens, modality = max(allowed, key=lambda item: item[0], default=(0, ""))
    return modality, tokens


def batch_faults(
    release: str,
    *,
    batched_tokens: int,
    max_model_len: int,
    sequences: int = 1,
    chunked_prefill: bool = True,
    item_tokens: Mapping[str, int] | None = None,
    limits: Mapping[str, int] | None = None,
    prefix_lm: bool = False,
    disable_chunked_items: bool = False,
) -> tuple[BatchFault, ...]:
    """Return the rules about batches that vLLM would refuse to start for.

    `prefix_lm` says that the model has bidirectional attention on images, which forces whole items
    from 0.13 on; `disable_chunked_items` is --disable-chunked-mm-input.
    """
    faults: list[BatchFault] = []
    if not chunked_prefill and batched_tokens < max_model_len:
        faults.append(
            BatchFault(
                "chunked-prefill",
                f"max_num_batched_tokens ({batched_tokens}) is smaller than max_model_len "
                f"({max_model_len}). This effectively limits the maximum sequence length to "
                "max_num_batched_tokens and makes vLLM reject longer sequences. Please increase "
                "max_num_batched_tokens or decrease max_model_len.",
                max_model_len,
            )
        )
    if batched_tokens < sequences:
        faults.append(
            BatchFault(
                "sequences",
                f"max_num_batched_tokens ({batched_tokens}) must be greater than or equal to "
                f"max_num_seqs ({sequences}).",
                sequences,
            )
        )
    whole = disable_chunked_items or (prefix_lm and kv_family(release).whole_items)
    _, item = largest_item(item_tokens or {}, limits or {})
    if whole and item > batched_tokens:
        faults.append(
            BatchFault(
                "multimodal-item",
                f"Chunked MM input disabled but max_tokens_per_mm_item ({item}) is larger than "
                f"max_num_batched_tokens ({batched_tokens}). Please increase "
                "max_num_batched_tokens.",
                item,
            )
        )
    return tuple(faults)

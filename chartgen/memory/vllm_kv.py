"""vLLM's KV cache, exact to the byte: what a context needs, what fits, and what vLLM says of it.

The arithmetic is vLLM's own, by release; `tools/oracle/vllm_kv.py` runs the functions of the
released wheels over a grid of models, and the tests compare each result with these.
Sources: vllm 0.11.0 to 0.32.0, v1/core/kv_cache_utils.py; 0.33.0, v1/core/kv_cache_planning.py
(`get_kv_cache_configs` and what it calls).

What is not calculated: DeepSeek V4 and GLM-5-Next (their own packing), HiSparse, cross-attention,
hidden-state layers, context parallelism, the CPU and ROCm back ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chartgen.memory.vllm_kv_block import cache_mode
from chartgen.memory.vllm_kv_family import KvFamily, kv_family
from chartgen.memory.vllm_kv_groups import KvGroup, bytes_per_block, kv_groups, padding_layers
from chartgen.memory.vllm_kv_layer import KvLayer, KvRefusedError
from chartgen.memory.vllm_kv_settings import KvSettings
from chartgen.memory.vllm_kv_spec import KvDemand, KvSpec, blocks_for, kv_demand, kv_specs

GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class KvStage:
    """The cache of one pipeline stage: its groups and the bytes of one block of the pool."""

    layers: tuple[KvSpec, ...]
    groups: tuple[KvGroup, ...]
    block_bytes: int


@dataclass(frozen=True, slots=True)
class KvCache:
    """How one engine lays out its KV cache.

    `groups` are those of all stages together, `padding_layers` the pages per block that no layer
    uses, `refusal` what vLLM says where it does not start ("" otherwise; then there are no
    stages).
    """

    family: KvFamily
    settings: KvSettings
    groups: tuple[KvGroup, ...]
    padding_layers: int
    stages: tuple[KvStage, ...]
    demand: KvDemand
    block_bytes: int
    refusal: str


@dataclass(frozen=True, slots=True)
class KvVerdict:
    """What vLLM makes of the memory that is left for the cache.

    `need_bytes` is what one request of full length needs by vLLM's own check, `checked_bytes` the
    memory that it compares with, `longest` the longest context that fits (its own estimate, at
    most max_model_len, 0 for none), `sentence` the error with which it stops ("" where it starts).
    The rest is what it logs after that: blocks, concurrency and tokens of the cache.
    """

    fits: bool
    need_bytes: int
    checked_bytes: int
    longest: int
    sentence: str
    blocks: int
    concurrency: float
    cache_tokens: int


def kv_cache(layers: Sequence[KvLayer], settings: KvSettings) -> KvCache:
    """Return how a release lays out the cache of a model's layers.

    Raises ValueError for a release that is none or older than 0.11.
    """
    family = kv_family(settings.release)
    demand = kv_demand(family, settings, cache_mode(family, settings))
    try:
        specs = kv_specs(family, settings, layers)
        groups = kv_groups(family, settings, specs)
    except KvRefusedError as refused:
        return KvCache(family, settings, (), 0, (), demand, 0, str(refused))
    stages = tuple(
        _stage(layers, specs, groups, number)
        for number in sorted({layers[member].stage for member, _ in specs})
    )
    return KvCache(
        family=family,
        settings=settings,
        groups=groups,
        padding_layers=padding_layers(groups),
        stages=stages,
        demand=demand,
        block_bytes=bytes_per_block(groups) if groups else 0,
        refusal="",
    )


def _stage(
    layers: Sequence[KvLayer],
    specs: Sequence[tuple[int, KvSpec]],
    groups: Sequence[KvGroup],
    number: int,
) -> KvStage:
    """Return the part of the cache that one pipeline stage holds."""
    own = frozenset(member for member, _ in specs if layers[member].stage == number)
    parts = tuple(group.on(own) for group in groups)
    return KvStage(
        layers=tuple(spec for member, spec in specs if member in own),
        groups=parts,
        block_bytes=bytes_per_block(parts),
    )


def need_bytes(cache: KvCache, length: int) -> int:
    """Return the bytes that vLLM says one request of `length` tokens needs, on the worst stage."""
    if cache.family.stages == "whole" and cache.groups:
        return _need_of_groups(cache, cache.groups, cache.block_bytes, length)
    return max((_need(cache, stage, length) for stage in cache.stages), default=0)


def used_bytes(cache: KvCache, length: int) -> int:
    """Return the bytes of the pool that one request of `length` tokens really holds.

    It is what `need_bytes` says from 0.19 on; earlier releases said less or more.
    """
    return max(
        (stage.block_bytes * request_blocks(cache, length) for stage in cache.stages), default=0
    )


def _need(cache: KvCache, stage: KvStage, length: int) -> int:
    """Return the bytes that vLLM says a request needs on one stage."""
    if cache.family.need == "layers":
        return sum(spec.page * blocks_for(spec, cache.demand, length) for spec in stage.layers)
    return _need_of_groups(cache, stage.groups, stage.block_bytes, length)


def _need_of_groups(
    cache: KvCache, groups: Sequence[KvGroup], block_bytes: int, length: int
) -> int:
    """Return the bytes that vLLM says a request needs in groups."""
    counted = groups[:1] if cache.family.need == "first-group" else groups
    return block_bytes * sum(_group_blocks(cache, group, length) for group in counted)


def _group_blocks(cache: KvCache, group: KvGroup, length: int) -> int:
    """Return the blocks that a request holds in a group."""
    specs = group.specs if group.mixed else group.specs[:1]
    return max(blocks_for(spec, cache.demand, length) for spec in specs)


def request_blocks(cache: KvCache, length: int) -> int:
    """Return the blocks of the pool that a request of `length` tokens holds in all groups."""
    return sum(_group_blocks(cache, group, length) for group in cache.groups)


def longest_context(cache: KvCache, available_bytes: int) -> int:
    """Return the longest context that fits by vLLM's own search, at most max_model_len, 0 for none.

    `available_bytes` is the memory for the cache on the smallest GPU, before vLLM takes off the
    block that it never hands out. Source: _estimate_max_model_len_from_groups.
    """
    memory = _checked(cache, available_bytes)
    if need_bytes(cache, 1) > memory:
        return 0
    low, high, found = 1, cache.settings.max_model_len, 1
    while low <= high:
        middle = (low + high) // 2
        if need_bytes(cache, middle) <= memory:
            found, low = middle, middle + 1
        else:
            high = middle - 1
    return found


def judge(cache: KvCache, available_bytes: int) -> KvVerdict:
    """Return what vLLM makes of the memory for the cache on each GPU, in bytes."""
    length = cache.settings.max_model_len
    if cache.refusal:
        return KvVerdict(False, 0, available_bytes, 0, cache.refusal, 0, 0.0, 0)
    checked = _checked(cache, available_bytes)
    need = need_bytes(cache, length)
    longest = longest_context(cache, available_bytes)
    sentence = _sentence(cache, checked, need, longest)
    blocks = _blocks(cache, available_bytes)
    held = request_blocks(cache, length)
    concurrency = blocks / held if held else 0.0
    return KvVerdict(
        fits=not sentence,
        need_bytes=need,
        checked_bytes=checked,
        longest=longest,
        sentence=sentence,
        blocks=blocks,
        concurrency=concurrency,
        cache_tokens=_cache_tokens(cache, blocks, concurrency),
    )


def _checked(cache: KvCache, available_bytes: int) -> int:
    """Return the memory that vLLM compares a need with."""
    block = max((stage.block_bytes for stage in cache.stages), default=0)
    override = cache.settings.blocks_override
    if override is not None and cache.family.override_counts:
        available_bytes = override * block
    return available_bytes - block if cache.family.null_block else available_bytes


def _blocks(cache: KvCache, available_bytes: int) -> int:
    """Return the blocks of the pool: the fewest of all stages, or as given."""
    if cache.settings.blocks_override is not None:
        return cache.settings.blocks_override
    if not cache.stages:
        # BlockPool needs one block even where no layer has a cache.
        return 1
    return min(max(0, available_bytes) // stage.block_bytes for stage in cache.stages)


def _cache_tokens(cache: KvCache, blocks: int, concurrency: float) -> int:
    """Return the number in the log line "GPU KV cache size: N tokens"."""
    if not cache.groups:
        return 0
    if cache.family.cache_tokens == "concurrency":
        return int(concurrency * cache.settings.max_model_len)
    return blocks // len(cache.groups) * min(group.block for group in cache.groups)


def _sentence(cache: KvCache, checked: int, need: int, longest: int) -> str:
    """Return the error of _check_enough_kv_cache_memory, "" where the memory is enough."""
    family = cache.family
    if not cache.stages:
        return ""
    if checked <= 0:
        return family.no_memory_text
    if need <= checked:
        return ""
    estimate = ""
    if longest:
        estimate = (
            f"Based on the available memory, the estimated maximum model length is {longest}."
        )
    return family.too_long_text.format(
        length=cache.settings.max_model_len,
        need=gib_text(family, need),
        available=gib_text(family, checked),
        estimate=estimate,
        estimate_and_space=f"{estimate} " if estimate else "",
    )


def gib_text(family: KvFamily, size: int) -> str:
    """Return bytes as the release prints GiB: "2.00" up to 0.13, "2.0" later."""
    if family.gib == "two-digits":
        return f"{size / GIB:.2f}"
    return str(round(size / GIB, 2))

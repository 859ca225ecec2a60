"""How many tokens a block holds: --block-size, the backend's default, and hybrid models.

Sources: vllm 0.11.0 to 0.19.1, platforms/cuda.py and model_executor/models/config.py; from 0.18.0
and 0.20.0 on platforms/interface.py (`update_block_size_for_backend`, `_align_hybrid_block_size`,
`_align_heterogeneous_kv_block_size`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from chartgen.memory.vllm_kv_family import KvFamily
from chartgen.memory.vllm_kv_layer import KvLayer, platform_token_bytes, state_bytes
from chartgen.memory.vllm_kv_settings import KvSettings

# CacheConfig.DEFAULT_BLOCK_SIZE, and the base of most kernels: MultipleOf(16).
DEFAULT_BLOCK = 16


@dataclass(frozen=True, slots=True)
class KvBlocks:
    """Tokens of a block, and what recurrent layers get: their block, page bytes and cache mode.

    `window_page` is the page in bytes that windowed layers share with layers in another KV type,
    0 where there are none.
    """

    block: int
    state_block: int
    state_page: int | None
    mode: str
    window_page: int


def kv_blocks(family: KvFamily, settings: KvSettings, layers: Sequence[KvLayer]) -> KvBlocks:
    """Return the block sizes of a model; raises KvRefusedError for an impossible KV type."""
    attention = [layer for layer in layers if layer.kind not in {"mamba", "gated-delta", "none"}]
    states = max((state_bytes(layer) for layer in layers), default=0)
    block = _base_block(family, settings, attention)
    mode = cache_mode(family, settings)
    blocks = KvBlocks(block, settings.max_model_len, None, mode, 0)
    if states and not attention and mode != "none" and family.state_block == "block":
        blocks = replace(blocks, state_block=settings.mamba_block_size or block)
    if states and attention:
        blocks = _hybrid(family, settings, attention, states, blocks)
    if family.mixed_types != "plain" and any(layer.kv_type for layer in attention):
        blocks = _aligned_types(family, settings, attention, blocks)
    return blocks


def cache_mode(family: KvFamily, settings: KvSettings) -> str:
    """Return the mode of the cache of recurrent states: none, align or all.

    Source: model_executor/models/config.py MambaModelConfig.
    """
    caching = settings.prefix_caching
    if caching is None:
        caching = family.hybrid_prefix_caching == "on"
    if not caching or family.hybrid_prefix_caching == "never":
        return "none"
    if family.states == "by-length":
        return "all" if settings.state_prefix_mode_all else "none"
    if family.states == "resident":
        return "align"
    wanted = settings.mamba_cache_mode
    if wanted in {"", "none"}:
        wanted = "align" if family.hybrid_prefix_caching == "on" else "all"
    return wanted if settings.state_prefix_mode_all else "align"


def kernel_blocks(family: KvFamily, backend: str) -> tuple[int, ...]:
    """Return the fixed block sizes of a backend's kernels, none where it takes multiples of 16."""
    return tuple(family.kernel_blocks.get(backend, ()))


def _base_block(family: KvFamily, settings: KvSettings, attention: Sequence[KvLayer]) -> int:
    """Return the block size before hybrid models are aligned."""
    sizes = kernel_blocks(family, settings.backend)
    given = settings.block_size
    mla = any(layer.kind == "mla" for layer in attention)
    if family.mla_default_block == "forced":
        block = given or DEFAULT_BLOCK
        if mla and sizes and block not in sizes and block % max(sizes):
            return max(sizes)
        return block
    if given is not None:
        return given
    if not sizes or DEFAULT_BLOCK in sizes:
        return DEFAULT_BLOCK
    return min(sizes)


def _token(
    family: KvFamily, settings: KvSettings, layer: KvLayer, kv_type: str, *, packed: bool
) -> int:
    """Return the bytes of one token as the platform counts them."""
    return platform_token_bytes(
        family,
        layer,
        kv_type,
        settings.model_dtype,
        settings.tensor_parallel,
        packed=packed,
    )


def _hybrid(
    family: KvFamily,
    settings: KvSettings,
    attention: Sequence[KvLayer],
    state: int,
    blocks: KvBlocks,
) -> KvBlocks:
    """Return blocks whose attention page holds a recurrent state."""
    packed = family.hybrid_turboquant
    token = _token(family, settings, attention[0], settings.kv_type, packed=packed)
    if settings.kv_type.startswith("turboquant_") and any(layer.kv_type for layer in attention):
        plain = _token(family, settings, attention[0], "auto", packed=packed)
        token = math.lcm(token, plain)
    step = _hybrid_step(family, settings, attention, blocks.block)
    mode = blocks.mode
    if mode == "all" and family.states != "resident":
        chunk = math.lcm(settings.mamba_block_size or settings.state_chunk or step, step)
        tokens = -(-state // token)
        aligned = chunk * -(-tokens // chunk)
    else:
        aligned = step * -(-state // (step * token))
    block = max(blocks.block, aligned)
    state_block = {"all": aligned, "align": block}.get(mode, settings.max_model_len)
    page = block * token
    return replace(
        blocks, block=block, state_block=state_block, state_page=None if page == state else page
    )


def _hybrid_step(
    family: KvFamily, settings: KvSettings, attention: Sequence[KvLayer], block: int
) -> int:
    """Return the tokens of which the blocks of a hybrid model are multiples."""
    mla = any(layer.kind == "mla" for layer in attention)
    if family.hybrid_block == "sixteen":
        return DEFAULT_BLOCK
    if family.hybrid_block == "fixed":
        if not mla:
            return DEFAULT_BLOCK
        return 128 if settings.backend == "CUTLASS_MLA" else 64
    sizes = kernel_blocks(family, settings.backend) or (DEFAULT_BLOCK,)
    step = max(min(sizes), block)
    if mla and family.hybrid_block == "block-mla-128":
        step = max(step, 128)
    return step


def _aligned_types(
    family: KvFamily, settings: KvSettings, attention: Sequence[KvLayer], blocks: KvBlocks
) -> KvBlocks:
    """Return blocks large enough that a page in the server's KV type covers the layers in another.

    Source: platforms/interface.py _align_heterogeneous_kv_block_size.
    """
    packed = family.mixed_types == "aligned"
    token = _token(family, settings, attention[0], settings.kv_type, packed=packed)
    larger = _token(family, settings, attention[0], "auto", packed=packed)
    if larger <= token:
        return blocks
    smallest = min(kernel_blocks(family, settings.backend) or (DEFAULT_BLOCK,))
    step = max(smallest, blocks.block)
    required = max(larger * smallest, blocks.state_page or 0)
    block = max(blocks.block, step * -(-required // (step * token)))
    page = block * token
    state_page = None if blocks.state_page is None else page
    return replace(blocks, block=block, window_page=page, state_page=state_page)

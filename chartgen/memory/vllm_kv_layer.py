"""The layers whose cache vLLM keeps, in the field's terms, and the bytes that a token of one takes.

Sources: vllm 0.11.0 to 0.33.0, v1/kv_cache_interface.py (`page_size_bytes` of each layer class),
model_executor/layers/mamba/mamba_utils.py, model_executor/layers/quantization/turboquant/config.py,
v1/attention/backends/*.py (`customize_spec`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from chartgen.memory.vllm_kv_family import KvFamily

KvKind = Literal["full", "sliding", "chunked", "mla", "mamba", "gated-delta", "none"]

# Bytes of one element, by the names that --dtype, --kv-cache-dtype and --mamba-*-cache-dtype take.
ELEMENT_BYTES = {
    "float32": 4,
    "float": 4,
    "float16": 2,
    "half": 2,
    "bfloat16": 2,
    "fp8": 1,
    "fp8_e4m3": 1,
    "fp8_e5m2": 1,
    "fp8_inc": 1,
    "fp8_per_token_head": 1,
    "int8_per_token_head": 1,
}
# Bits of a key and of a value: turboquant/config.py TQ_PRESETS (8: fp8 without a norm).
_TURBOQUANT_BITS = {
    "turboquant_k8v4": (8, 4),
    "turboquant_4bit_nc": (4, 4),
    "turboquant_k3v4_nc": (3, 4),
    "turboquant_3bit_nc": (3, 3),
}
# Opaque bytes of one token of a DeepSeek-style MLA layer: mla_attention.py get_kv_cache_spec.
_OPAQUE_MLA_BYTES = {"fp8_ds_mla": 656, "nvfp4_ds_mla": 352}
# Two scales of four bytes, one for the key and one for the value of a token and head.
_SCALE_BYTES = 2 * 4


class KvRefusedError(ValueError):
    """vLLM does not start with these layers and settings; the text is its own where it has one."""


@dataclass(frozen=True, slots=True)
class KvState:
    """One recurrent state of a layer on one GPU: its elements and the name of their type."""

    elements: int
    dtype: str


@dataclass(frozen=True, slots=True)
class KvLayer:
    """One layer of the model or of its drafter, in the order in which vLLM registers them.

    `kv_heads` before tensor parallelism; `key_dim` of an MLA layer is what it stores per token
    (kv_lora_rank + qk_rope_head_dim), its `value_dim` is unused. `window` is the sliding window or
    the chunk in tokens. `states` are those of one GPU. `kv_type` overrides the KV type of the
    server for this layer ("auto" in a skipped layer), `token_bytes` the bytes of one token on one
    GPU (the indexer of a sparse MLA layer). `stage` is the pipeline stage that runs the layer. A
    layer of kind "none" reads the cache of another layer.
    """

    kind: KvKind
    kv_heads: int = 0
    key_dim: int = 0
    value_dim: int = 0
    window: int = 0
    states: tuple[KvState, ...] = ()
    kv_type: str = ""
    token_bytes: int = 0
    stage: int = 0


def gated_delta_states(
    key_heads: int,
    value_heads: int,
    key_dim: int,
    value_dim: int,
    conv_kernel: int,
    *,
    conv_dtype: str = "bfloat16",
    state_dtype: str = "bfloat16",
    speculative_tokens: int = 0,
    tensor_parallel: int = 1,
) -> tuple[KvState, KvState]:
    """Return the states of a gated-delta layer (Qwen3-Next, 3.5, 3.6) on one GPU.

    Source: mamba_utils.py gated_delta_net_state_shape.
    """
    width = 2 * key_dim * key_heads + value_dim * value_heads
    return (
        KvState((width // tensor_parallel) * (conv_kernel - 1 + speculative_tokens), conv_dtype),
        KvState((value_heads // tensor_parallel) * key_dim * value_dim, state_dtype),
    )


def mamba2_states(
    inner: int,
    groups: int,
    heads: int,
    head_dim: int,
    state_size: int,
    conv_kernel: int,
    *,
    conv_dtype: str = "bfloat16",
    state_dtype: str = "bfloat16",
    speculative_tokens: int = 0,
    tensor_parallel: int = 1,
) -> tuple[KvState, KvState]:
    """Return the states of a Mamba-2 layer on one GPU.

    Groups that do not divide among the GPUs are repeated, one for each. Source: mamba_utils.py
    mamba2_state_shape and extra_groups_for_head_shards.
    """
    if groups % tensor_parallel:
        groups = tensor_parallel
    width = inner + 2 * groups * state_size
    return (
        KvState((width // tensor_parallel) * (conv_kernel - 1 + speculative_tokens), conv_dtype),
        KvState((heads // tensor_parallel) * head_dim * state_size, state_dtype),
    )


def state_bytes(layer: KvLayer) -> int:
    """Return the bytes of one block of a layer's recurrent states."""
    return sum(state.elements * ELEMENT_BYTES[state.dtype] for state in layer.states)


def token_bytes(
    family: KvFamily, layer: KvLayer, kv_type: str, model_dtype: str, tensor_parallel: int
) -> int:
    """Return the bytes that one token of an attention layer takes on one GPU.

    `kv_type` is a name of --kv-cache-dtype. Raises KvRefusedError for a KV type that the release
    does not have, that the layer cannot have, or whose size is not known here.
    """
    if layer.token_bytes:
        return layer.token_bytes
    name = layer.kv_type or kv_type
    if name not in family.kv_types:
        raise KvRefusedError(f'vLLM {family.release} has no KV type "{name}"')
    if name == "auto":
        name = model_dtype
    if layer.kind == "mla":
        return _mla_token_bytes(family, layer, name)
    heads = max(1, layer.kv_heads // tensor_parallel)
    return heads * _head_bytes(family, layer, name)


def platform_token_bytes(
    family: KvFamily,
    layer: KvLayer,
    kv_type: str,
    model_dtype: str,
    tensor_parallel: int,
    *,
    packed: bool,
) -> int:
    """Return the bytes of one token as the platform counts them when it aligns blocks.

    The key size stands for the value size, too, and packed MLA formats are not known to it;
    `packed` says whether turboquant's format is. Source: platforms/interface.py
    _align_hybrid_block_size. Raises as `token_bytes` does.
    """
    if kv_type in _TURBOQUANT_BITS and not packed:
        return max(1, layer.kv_heads // tensor_parallel) * 2 * layer.key_dim
    if layer.kind != "mla":
        plain = replace(layer, kind="full", value_dim=layer.key_dim, kv_type="", token_bytes=0)
        return token_bytes(family, plain, kv_type, model_dtype, tensor_parallel)
    name = model_dtype if kv_type == "auto" else kv_type
    if not name.endswith("_per_token_head") or not family.hybrid_scales:
        return layer.key_dim * ELEMENT_BYTES.get(name, 1)
    key = layer.key_dim // 2 if name.startswith("int4") else layer.key_dim
    return key + _SCALE_BYTES


def _mla_token_bytes(family: KvFamily, layer: KvLayer, name: str) -> int:
    """Return the bytes of one token of an MLA layer, which stores one vector for all heads."""
    if name in _OPAQUE_MLA_BYTES:
        return _OPAQUE_MLA_BYTES[name]
    if name == "int4_per_token_head":
        return layer.key_dim // 2 + _SCALE_BYTES if family.mla_scales else layer.key_dim
    if name not in ELEMENT_BYTES:
        raise KvRefusedError(f'MLA layers cannot have the KV type "{name}"')
    scales = _SCALE_BYTES if name.endswith("_per_token_head") and family.mla_scales else 0
    return layer.key_dim * ELEMENT_BYTES[name] + scales


def _head_bytes(family: KvFamily, layer: KvLayer, name: str) -> int:
    """Return the bytes of the key and the value of one token and one head."""
    key, value = dims(family, layer)
    windowed = layer.kind in {"sliding", "chunked"}
    if name in _OPAQUE_MLA_BYTES:
        # A drafter's plain layer beside MLA layers: one byte per element.
        return key + value
    if name in _TURBOQUANT_BITS:
        if windowed and not family.turboquant_windows:
            return key + value
        return _turboquant_slot(name, key)
    if name.startswith("nvfp4"):
        if windowed and not family.nvfp4_windows:
            return key + value
        if family.nvfp4_equal and key != value:
            raise KvRefusedError("nvfp4 with asymmetric K/V head sizes not yet supported")
        # Half a byte per element and one scale byte per 16: torch_utils.nvfp4_kv_cache_full_dim.
        return key // 2 + key // 16 + value // 2 + value // 16
    if name == "int4_per_token_head":
        if layer.kind == "sliding" and not family.int4_windows:
            return key + value + _SCALE_BYTES
        return key // 2 + value // 2 + _SCALE_BYTES
    if name == "ultraquant_4bit":
        # Half a byte per element and one scale byte per 32: ops/ultraquant/format.py slot_size.
        return 2 * (key // 2 + key // 32)
    if name not in ELEMENT_BYTES:
        raise KvRefusedError(f'the size of the KV type "{name}" is not known here')
    scales = _SCALE_BYTES if name.endswith("_per_token_head") else 0
    return (key + value) * ELEMENT_BYTES[name] + scales


def dims(family: KvFamily, layer: KvLayer) -> tuple[int, int]:
    """Return the key and value size that a release counts for a layer."""
    counted = {"full": family.value_dim_full, "sliding": family.value_dim_sliding}
    if counted.get(layer.kind, False) and layer.value_dim:
        return layer.key_dim, layer.value_dim
    return layer.key_dim, layer.key_dim


def _turboquant_slot(name: str, dim: int) -> int:
    """Return the bytes of one packed key and value: turboquant/config.py slot_size_aligned."""
    key_bits, value_bits = _TURBOQUANT_BITS[name]
    key = dim if key_bits == 8 else math.ceil(dim * key_bits / 8) + 2
    slot = key + math.ceil(dim * value_bits / 8) + 4
    return slot + slot % 2

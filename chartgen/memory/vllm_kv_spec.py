"""What vLLM calls a KV cache spec: how one layer stores its cache, and the blocks it needs.

Source: vllm 0.11.0 to 0.33.0, v1/kv_cache_interface.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chartgen.memory.vllm_kv_batch import batches_in_flight
from chartgen.memory.vllm_kv_block import DEFAULT_BLOCK, KvBlocks, kernel_blocks, kv_blocks
from chartgen.memory.vllm_kv_family import KvFamily
from chartgen.memory.vllm_kv_layer import (
    ELEMENT_BYTES,
    KvLayer,
    KvRefusedError,
    dims,
    state_bytes,
    token_bytes,
)
from chartgen.memory.vllm_kv_settings import KvSettings


@dataclass(frozen=True, slots=True)
class KvSpec:
    """How one layer stores its cache on one GPU.

    `kind` is full, mla, sliding, chunked or state; `block` tokens of a block, `token` bytes of one
    token (0 for states), `state` bytes of a state, `padded` the page where it is padded. `shape`
    is what else must agree for two layers to be stored alike: heads, key and value size, KV type.
    `window` is the sliding window or chunk of the layer, also where it is stored at full length.
    """

    kind: str
    block: int
    token: int
    shape: tuple[int, int, int, str]
    window: int = 0
    chunked: bool = False
    state: int = 0
    padded: int | None = None

    @property
    def page(self) -> int:
        """Bytes of one block of this layer."""
        if self.padded is not None:
            return self.padded
        return self.state if self.kind == "state" else self.block * self.token


@dataclass(frozen=True, slots=True)
class KvDemand:
    """What the blocks of a request depend on besides its length."""

    in_flight: int
    retained: int
    state_blocks: int
    states_by_length: bool
    state_block_extra: int


def kv_specs(
    family: KvFamily, settings: KvSettings, layers: Sequence[KvLayer]
) -> tuple[tuple[int, KvSpec], ...]:
    """Return the spec of each layer that has a cache, by its position in `layers`.

    Raises KvRefusedError for a KV type that the release or the layer cannot have, and for layers
    that the release does not take beside each other.
    """
    kinds = {layer.kind for layer in layers}
    if {"mla", "sliding"} <= kinds and not family.mla_windows:
        raise KvRefusedError("MLA is not supported for slidingwindow")
    blocks = kv_blocks(family, settings, layers)
    if (
        kinds & {"mamba", "gated-delta"}
        and blocks.mode == "align"
        and settings.speculative_tokens
        and not family.align_speculative
    ):
        raise KvRefusedError(
            "Mamba cache mode 'align' is currently not compatible with speculative decoding."
        )
    return tuple(
        (index, _spec(family, settings, layer, blocks))
        for index, layer in enumerate(layers)
        if layer.kind != "none"
    )


def _spec(family: KvFamily, settings: KvSettings, layer: KvLayer, blocks: KvBlocks) -> KvSpec:
    """Return how a layer stores its cache."""
    if layer.kind in {"mamba", "gated-delta"}:
        text = " ".join(f"{state.elements} {state.dtype}" for state in layer.states)
        return KvSpec(
            kind="state",
            block=blocks.state_block,
            token=0,
            shape=(0, 0, 0, text),
            state=state_bytes(layer),
            padded=blocks.state_page,
        )
    token = token_bytes(
        family, layer, settings.kv_type, settings.model_dtype, settings.tensor_parallel
    )
    heads = 1 if layer.kind == "mla" else max(1, layer.kv_heads // settings.tensor_parallel)
    key, value = (layer.key_dim, 0) if layer.kind == "mla" else dims(family, layer)
    name = layer.kv_type or settings.kv_type
    if layer.token_bytes:
        # Such a layer names no KV type: deepseek_v2.py DeepseekV32IndexerCache.
        name = ""
    block, padded = blocks.block, None
    if layer.kind == "sliding":
        block, padded = _window_block(family, settings, blocks, token)
    return KvSpec(
        kind=layer.kind,
        block=block,
        token=token,
        shape=(heads, key, value, name),
        window=layer.window if layer.kind in {"sliding", "chunked"} else 0,
        chunked=layer.kind == "chunked",
        padded=padded,
    )


def _window_block(
    family: KvFamily, settings: KvSettings, blocks: KvBlocks, token: int
) -> tuple[int, int | None]:
    """Return the block of a sliding-window layer and the page that it is padded to.

    Source: model_executor/layers/attention/attention.py _largest_kernel_block_within.
    """
    budget = blocks.window_page
    if family.window_block == "model":
        return blocks.block, budget or None
    # Windowed layers beside MLA layers have a backend of their own, which takes multiples of 16.
    sizes = kernel_blocks(family, "" if "MLA" in settings.backend else settings.backend)
    if not budget and family.window_block == "smallest":
        return min(sizes or (DEFAULT_BLOCK,)), None
    most = (budget or token * blocks.block) // token
    multiple = DEFAULT_BLOCK
    if family.window_block == "largest":
        multiple = max(DEFAULT_BLOCK, most // DEFAULT_BLOCK * DEFAULT_BLOCK)
    candidates = sizes or (multiple,)
    fitting = [size for size in candidates if size <= most]
    return (max(fitting) if fitting else min(candidates)), budget or None


def kv_demand(family: KvFamily, settings: KvSettings, mode: str) -> KvDemand:
    """Return what the blocks of a request depend on: batches, retained tokens, states."""
    in_flight = batches_in_flight(settings) if family.in_flight else 1
    speculative = settings.speculative_tokens
    retained = max(0, speculative - 1) if settings.multi_module_mtp and family.retained else 0
    by_length = mode == "all" and family.states not in {"one", "resident"}
    extra = speculative if by_length and family.states == "by-mode-speculative" else 0
    if family.states in {"one", "by-length"}:
        resident = 1
    else:
        resident = (2 if mode == "align" else 1) + speculative
        if mode == "align" and family.checkpoints:
            resident += settings.checkpoint_blocks
    return KvDemand(
        in_flight=in_flight * settings.batched_tokens,
        retained=retained,
        state_blocks=resident,
        states_by_length=by_length,
        state_block_extra=extra,
    )


def blocks_for(spec: KvSpec, demand: KvDemand, length: int) -> int:
    """Return the blocks that one request of `length` tokens holds in a layer.

    Sources: `max_memory_usage_bytes` and `max_admission_blocks_per_request` of each layer class.
    """
    if spec.kind == "state":
        if demand.states_by_length:
            return -(-length // spec.block) + demand.state_block_extra
        return demand.state_blocks
    if spec.kind == "sliding":
        held = min(spec.window - 1 + demand.retained + demand.in_flight, length)
        # A window may begin inside a block.
        return -(-held // spec.block) + 1
    if spec.kind == "chunked":
        return -(-min(spec.window + demand.in_flight, length) // spec.block)
    return -(-length // spec.block)


def full_length(family: KvFamily, spec: KvSpec, full_block: int | None, *, strided: bool) -> KvSpec:
    """Return a windowed layer stored at full length (--disable-hybrid-kv-cache-manager).

    Releases before 0.28 lose parts of the format on the way (`promotion` in the family file), among
    them that the backend reads pages by stride (`strided`).
    """
    exact = family.promotion == "exact" or (
        spec.kind == "sliding" and family.promotion in {"sliding", "sliding-block"}
    )
    heads, key, value, name = spec.shape
    token = spec.token
    if not exact:
        # One byte per element is what every quantised KV type is stored in.
        token = 2 * heads * key * ELEMENT_BYTES.get(_element(name, spec, key, value), 1)
        value = key
        if family.quantisation_kept and _is_quantised(name):
            name = f"{name} unquantised"
    if strided and family.promotion != "exact" and family.unequal_pages == "pad-by-stride":
        name = f"{name} unstrided"
    block = spec.block
    if family.promotion in {"sliding-block", "exact"}:
        block = full_block or spec.block
    return replace(
        spec, kind="full", block=block, token=token, shape=(heads, key, value, name), padded=None
    )


def _is_quantised(name: str) -> bool:
    """Return whether vLLM's spec keeps a quantisation mode for a KV type."""
    return name.startswith(("fp8", "nvfp4")) or "per_token_head" in name


def _element(name: str, spec: KvSpec, key: int, value: int) -> str:
    """Return the name of a type that has the element size of a layer's cache."""
    if name == "auto":
        heads = spec.shape[0]
        return "float32" if spec.token == heads * (key + value) * 4 else "bfloat16"
    return name

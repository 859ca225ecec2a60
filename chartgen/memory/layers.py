"""From the facts of a model to the layers whose cache an engine keeps."""

from __future__ import annotations

import math
from collections.abc import Iterable

from chartgen.memory.llamacpp_kv import LlamaLayer
from chartgen.memory.vllm_kv_layer import ELEMENT_BYTES, KvLayer, KvState
from chartgen.memory.vllm_kv_settings import KvSettings
from chartgen.models.facts import Layer, ModelFacts

# --speculative-config methods that draft without layers of their own.
_LAYERLESS = frozenset({"", "ngram", "ngram_gpu", "suffix"})


def vllm_layers(
    target: ModelFacts, draft: ModelFacts | None, settings: KvSettings
) -> tuple[KvLayer, ...]:
    """Return the layers of a target and of what drafts for it, in vLLM's order.

    `draft` is None where the target's own layers draft, or nothing does.
    """
    drafts = _draft_layers(target, draft, settings.speculative_method)
    return tuple(_vllm_layer(layer, settings) for layer in (*target.layers, *drafts))


def _draft_layers(target: ModelFacts, draft: ModelFacts | None, method: str) -> tuple[Layer, ...]:
    if method in _LAYERLESS:
        return ()
    if draft is None:
        return target.mtp_layers if method == "mtp" or method.endswith("_mtp") else ()
    shares = draft.drafter is not None and draft.drafter.shares_target_cache
    return () if shares else draft.layers or draft.mtp_layers


def _vllm_layer(layer: Layer, settings: KvSettings) -> KvLayer:
    if layer.state is None:
        return KvLayer(
            layer.kind,
            kv_heads=layer.kv_heads,
            key_dim=layer.key_dim,
            value_dim=layer.value_dim,
            window=layer.window,
        )
    state, shards = layer.state, settings.tensor_parallel
    own = settings.model_dtype
    dtype = state.dtype if state.dtype in ELEMENT_BYTES else own
    # Drafted tokens lengthen the history of the convolution (mamba_utils.py, num_spec).
    history = state.conv_kernel - 1 + settings.speculative_tokens
    return KvLayer(
        layer.kind,
        states=(
            KvState(state.conv_channels // shards * history, own),
            KvState(math.prod(state.shape) // shards, dtype),
        ),
    )


def llama_layers(layers: Iterable[Layer]) -> tuple[LlamaLayer, ...]:
    """Return the layers that llama.cpp keeps a cache for, in the model's order."""
    found = []
    for layer in layers:
        if layer.state is not None:
            history = (layer.state.conv_kernel - 1) * layer.state.conv_channels
            found.append(LlamaLayer("recurrent", state=history + math.prod(layer.state.shape)))
        elif layer.kind == "mla":
            # The compressed key is all it keeps (src/llama-kv-cache.cpp, has_v).
            found.append(LlamaLayer("attention", heads=1, keys=layer.key_dim))
        elif layer.kind in ("sliding", "chunked"):
            found.append(
                LlamaLayer("windowed", layer.kv_heads, layer.key_dim, layer.value_dim, layer.window)
            )
        elif layer.kind == "full":
            found.append(LlamaLayer("attention", layer.kv_heads, layer.key_dim, layer.value_dim))
    return tuple(found)

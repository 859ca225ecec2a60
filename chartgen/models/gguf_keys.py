"""The keys of a GGUF header that matter here, and what each of them holds."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from chartgen.models.gguf import MAX_KEPT_ITEMS, Header

# The keys that matter, behind "<architecture>."; what stands in each: a count, a count or one
# for each layer, a flag or one for each layer, a number, a list of counts, a text. Meanings:
# llama.cpp b11434, src/llama-arch.cpp and src/models.
ARCHITECTURE_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "attention.head_count": "counts",
        "attention.head_count_kv": "counts",
        "attention.key_length": "count",
        "attention.key_length_swa": "count",
        "attention.kv_lora_rank": "count",
        "attention.recurrent_layers": "flags",
        "attention.shared_kv_layers": "count",
        "attention.sliding_window": "count",
        "attention.sliding_window_pattern": "flags",
        "attention.value_length": "count",
        "attention.value_length_swa": "count",
        "block_count": "count",
        "block_size": "count",
        "context_length": "count",
        "dflash.block_size": "count",
        "dflash.target_layer_ids": "counts",
        "embedding_length": "count",
        "embedding_length_out": "count",
        "expert_count": "count",
        "expert_used_count": "count",
        "feed_forward_length": "counts",
        "full_attention_interval": "count",
        "n_embd_backbone": "count",
        "nextn_predict_layers": "count",
        "rope.dimension_count": "count",
        "rope.scaling.factor": "number",
        "rope.scaling.original_context_length": "count",
        "rope.scaling.type": "text",
        "ssm.conv_kernel": "count",
        "ssm.group_count": "count",
        "ssm.inner_size": "count",
        "ssm.state_size": "count",
        "ssm.time_step_rank": "count",
        "target_layers": "counts",
        "vocab_size": "count",
    }
)
GENERAL_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "clip.has_audio_encoder": "flag",
        "clip.has_vision_encoder": "flag",
        "general.architecture": "text",
        "split.count": "count",
    }
)
ARCHITECTURE = "general.architecture"
# What a person is told that a key holds.
SHAPES: Mapping[str, str] = MappingProxyType(
    {
        "count": "a whole number of 0 or more",
        "counts": "a whole number of 0 or more, or a list of them",
        "flag": "true or false",
        "flags": "a whole number, or a list of true and false",
        "number": "a number of 0.001 or more",
        "text": "a short text",
    }
)
_MOST = 1 << 40
_LONGEST_TEXT = 200


def shape_of(key: str, architecture: object) -> str | None:
    """Return what a key holds (a name of SHAPES), None for one that does not matter."""
    if key in GENERAL_KEYS:
        return GENERAL_KEYS[key]
    if isinstance(architecture, str) and key.startswith(f"{architecture}."):
        return ARCHITECTURE_KEYS.get(key.removeprefix(f"{architecture}."))
    return None


def fits(shape: str, value: Any) -> bool:
    """Tell whether a value is of a shape, and no larger than anything sound."""
    if isinstance(value, list):
        if len(value) > MAX_KEPT_ITEMS:
            return False
        if shape == "flags":
            return all(isinstance(item, bool) for item in value)
        return shape == "counts" and all(_is_count(item) for item in value)
    if shape == "text":
        return isinstance(value, str) and 0 < len(value) <= _LONGEST_TEXT
    if shape == "flag":
        return isinstance(value, bool)
    if shape == "number":
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and 0.001 <= value <= _MOST
    return _is_count(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST


def metadata_of(header: Header) -> dict[str, Any]:
    """Return the keys of a header that matter, in the order of their names.

    A value that is not of the key's shape is left out, as if the key were not there. The size of
    the vocabulary, where no key states it, is the number of its tokens.
    """
    architecture = header.values.get(ARCHITECTURE)
    kept: dict[str, Any] = {}
    for key, found in header.values.items():
        shape = shape_of(key, architecture)
        # A 32-bit 0.1 has more digits than it means.
        value: Any = round(found, 6) if isinstance(found, float) else found
        value = list(value) if isinstance(value, tuple) else value
        if shape is not None and fits(shape, value):
            kept[key] = value
    tokens = header.lengths.get("tokenizer.ggml.tokens")
    if tokens:
        kept.setdefault(f"{architecture}.vocab_size", tokens)
    return dict(sorted(kept.items()))

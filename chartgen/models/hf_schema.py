"""The part of a Hugging Face config.json that matters here, as the configs themselves spell it.

The fields are those that decide what a model keeps in memory, read from transformers 5.23 and
vLLM 0.33.0 (transformers_utils/config.py CONFIG_FIELD_ALIASES). Everything else in a config is
left out by `reduced`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field, StrictBool, StrictFloat, StrictInt, ValidationError

from chartgen.spec.values import Part

# No number in a config is larger; products of a few of them stay sound.
_MOST = 1 << 40
# The deepest model known has some 130 layers; lists are one entry per layer or per expert.
_MOST_LAYERS = 4096

Count = Annotated[StrictInt, Field(ge=0, le=_MOST)]
# Factors of positions, from 1 to a few hundred.
Amount = Annotated[StrictInt | StrictFloat, Field(ge=0.001, le=1e6)]
Word = Annotated[str, Field(strict=True, min_length=1, max_length=500)]
LayerCount = Annotated[StrictInt, Field(ge=0, le=_MOST_LAYERS)]
# Models predict one to three steps ahead.
StepCount = Annotated[StrictInt, Field(ge=0, le=64)]
Words = Annotated[tuple[Word, ...], Field(max_length=_MOST_LAYERS)]
Counts = Annotated[tuple[Count, ...], Field(max_length=_MOST_LAYERS)]

# Fields that change what a layer keeps, in ways that nothing here computes. A config that sets
# one of them (to anything but null, 0 and false) is not fully understood.
FOREIGN = (
    "block_configs",  # Nemotron-NAS: other sizes in every layer
    "cla_share_factor",  # Hunyuan: layers share caches in groups
    "compress_ratios",  # DeepSeek V4: compressed caches
    "conv_L_cache",  # LFM2: short convolutions
    "hybrid_layer_pattern",  # MiMo V2: windows by a list of flags
    "index_topk",  # DeepSeek V3.2: a second cache for its indexer
    "indexer_head_dim",  # Qwen4: likewise
    "linear_attn_config",  # Kimi Linear: KDA layers by a list
    "swa_head_dim",  # MiMo V2: own sizes for windowed layers
    "swa_num_key_value_heads",  # MiMo V2: likewise
)


class Rope(Part):
    """Scaling of positions, in the old spelling (`type`) or the new one (`rope_type`)."""

    rope_type: Word | None = None
    type: Word | None = None
    factor: Amount | None = None
    original_max_position_embeddings: Count | None = None


class RopeParameters(Rope):
    """Scaling of positions, for all layers or for each kind of attention."""

    full_attention: Rope | None = None
    sliding_attention: Rope | None = None


class KvScheme(Part):
    """The format that a quantised checkpoint wants its cache to have."""

    num_bits: Count | None = None
    type: Word | None = None


class Algorithm(Part):
    """ModelOpt's own names of the formats of weights and cache."""

    quant_algo: Word | None = None
    kv_cache_quant_algo: Word | None = None


class Quantization(Algorithm):
    """The format of the weights."""

    quant_method: Word | None = None
    bits: Count | None = None
    format: Word | None = None
    kv_cache_scheme: KvScheme | None = None
    quantization: Algorithm | None = None


class LayerOverride(Part):
    """What one layer has otherwise than all the others (transformers 5.23, heterogeneity)."""

    head_dim: Count | None = None
    num_key_value_heads: Count | None = None
    sliding_window: Count | None = None
    attention_chunk_size: Count | None = None


class VisionConfig(Part):
    """A vision tower."""

    model_type: Word | None = None
    default_output_length: Count | None = None


class AudioConfig(Part):
    """An audio tower."""

    model_type: Word | None = None


class DflashConfig(Part):
    """What a DFlash draft model reads of its target."""

    block_size: Count | None = None
    target_layer_ids: Counts | None = None


class TextConfig(Part):
    """A language model, or the part of a larger model that is one."""

    model_type: Word | None = None
    # Sizes.
    hidden_size: Count | None = None
    num_hidden_layers: LayerCount | None = None
    num_attention_heads: Count | None = None
    num_key_value_heads: Count | None = None
    num_kv_heads: Count | None = None
    head_dim: Count | None = None
    v_head_dim: Count | None = None
    vocab_size: Count | None = None
    max_position_embeddings: Count | None = None
    dtype: Word | None = None
    torch_dtype: Word | None = None
    rope_scaling: RopeParameters | None = None
    rope_parameters: RopeParameters | None = None
    # Kinds of layers.
    layer_types: Words | None = None
    layers_block_type: Words | None = None
    hybrid_override_pattern: Word | None = None
    full_attention_interval: Count | None = None
    sliding_window_pattern: Count | Word | None = None
    attn_layer_indices: Counts | None = None
    attn_layer_period: Count | None = None
    attn_layer_offset: Count | None = None
    no_rope_layers: Counts | None = None
    no_rope_layer_interval: Count | None = None
    per_layer_config: Annotated[
        Mapping[Annotated[str, Field(pattern=r"^[0-9]{1,4}$")], LayerOverride], Field()
    ] = Field(default_factory=dict)
    num_kv_shared_layers: LayerCount | None = None
    # Attention.
    sliding_window: Count | None = None
    use_sliding_window: StrictBool | None = None
    max_window_layers: Count | None = None
    attention_chunk_size: Count | None = None
    attention_k_eq_v: StrictBool | None = None
    global_head_dim: Count | None = None
    num_global_key_value_heads: Count | None = None
    kv_lora_rank: Count | None = None
    qk_rope_head_dim: Count | None = None
    # Gated delta networks.
    linear_num_key_heads: Count | None = None
    linear_num_value_heads: Count | None = None
    linear_key_head_dim: Count | None = None
    linear_value_head_dim: Count | None = None
    linear_conv_kernel_dim: Count | None = None
    # Mamba, in the spellings of NemotronH and of Bamba, Granite and Jamba.
    mamba_num_heads: Count | None = None
    mamba_n_heads: Count | None = None
    mamba_head_dim: Count | None = None
    mamba_d_head: Count | None = None
    ssm_state_size: Count | None = None
    mamba_d_state: Count | None = None
    n_groups: Count | None = None
    mamba_n_groups: Count | None = None
    conv_kernel: Count | None = None
    mamba_d_conv: Count | None = None
    mamba_expand: Count | None = None
    mamba_ssm_dtype: Word | None = None
    mamba_ssm_cache_dtype: Word | None = None
    # Experts.
    num_experts: Count | None = None
    num_local_experts: Count | None = None
    n_routed_experts: Count | None = None
    num_experts_per_tok: Count | None = None
    top_k_experts: Count | None = None
    # Multi-token prediction.
    mtp_num_hidden_layers: StepCount | None = None
    num_nextn_predict_layers: StepCount | None = None
    mtp_hybrid_override_pattern: Word | None = None
    mtp_layers_block_type: Words | None = None


class HfConfig(TextConfig):
    """A whole config.json."""

    architectures: Words | None = None
    text_config: TextConfig | None = None
    vision_config: VisionConfig | None = None
    audio_config: AudioConfig | None = None
    mm_tokens_per_image: Count | None = None
    vision_soft_tokens_per_image: Count | None = None
    quantization_config: Quantization | None = None
    # Draft models.
    backbone_hidden_size: Count | None = None
    target_hidden_size: Count | None = None
    num_target_layers: Count | None = None
    block_size: Count | None = None
    dflash_config: DflashConfig | None = None
    eagle_aux_hidden_state_layer_ids: Counts | None = None
    aux_hidden_state_layer_ids: Counts | None = None
    speculators_model_type: Word | None = None
    transformer_layer_config: TextConfig | None = None


def reduced(raw: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the part of a config that `HfConfig` knows, and the names that were not understood.

    Those are fields that matter but hold something else than they should, and fields of
    `FOREIGN`. What is null is left out.
    """
    unread: list[str] = []
    kept = _reduced(raw, HfConfig, "config", unread)
    return kept, tuple(unread)


def _reduced(
    raw: Mapping[str, Any], model: type[BaseModel], path: str, unread: list[str]
) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name in model.model_fields:
        value = raw.get(name)
        if value is None:
            continue
        inner = _PARTS.get(name)
        if inner is not None and isinstance(value, Mapping):
            part = _reduced(value, inner, f"{path}.{name}", unread)
            if part or name in _TOWERS:
                kept[name] = part
            continue
        if name == "per_layer_config" and isinstance(value, Mapping):
            value = _overrides(value)
        try:
            model.model_validate({name: value})
        except ValidationError:
            unread.append(f"{path}.{name}")
        else:
            kept[name] = round(value, 6) if isinstance(value, float) else value
    if issubclass(model, TextConfig):
        unread += [f"{path}.{name}" for name in FOREIGN if raw.get(name)]
    return kept


def _overrides(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return what layers have otherwise, without the fields that do not matter here."""
    known = LayerOverride.model_fields
    small = {
        index: {name: value for name, value in layer.items() if name in known and value is not None}
        for index, layer in raw.items()
        if isinstance(layer, Mapping)
    }
    return {index: layer for index, layer in small.items() if layer}


# That one of these is there says something even where nothing in it matters.
_TOWERS = frozenset({"vision_config", "audio_config"})
_PARTS: Mapping[str, type[BaseModel]] = {
    "text_config": TextConfig,
    "transformer_layer_config": TextConfig,
    "vision_config": VisionConfig,
    "audio_config": AudioConfig,
    "quantization_config": Quantization,
    "quantization": Algorithm,
    "kv_cache_scheme": KvScheme,
    "rope_scaling": RopeParameters,
    "rope_parameters": RopeParameters,
    "full_attention": Rope,
    "sliding_attention": Rope,
    "dflash_config": DflashConfig,
}

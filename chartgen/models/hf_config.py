"""The facts of a model from its Hugging Face config."""

from __future__ import annotations

from chartgen.models.facts import Drafter, DraftMethod, ModelFacts, RopeScaling, Vision
from chartgen.models.hf_layers import LayerReader
from chartgen.models.hf_schema import HfConfig, Quantization, Rope, TextConfig

# Families of which the reading of layers was compared with transformers or vLLM. The layers of
# another one follow from the usual meaning of the fields, which is noted as inferred.
KNOWN_FAMILIES = frozenset(
    {
        "bamba",
        "cohere2",
        "deepseek_v2",
        "deepseek_v3",
        "exaone4",
        "gemma",
        "gemma2",
        "gemma3",
        "gemma3_text",
        "gemma3n",
        "gemma3n_text",
        "gemma4",
        "gemma4_assistant",
        "gemma4_text",
        "glm4_moe",
        "gpt_oss",
        "granitemoehybrid",
        "jamba",
        "kimi_k2",
        "llama",
        "llama4",
        "llama4_text",
        "mistral",
        "mistral3",
        "mixtral",
        "nemotron_h",
        "olmo3",
        "phi3",
        "qwen2",
        "qwen2_moe",
        "qwen3",
        "qwen3_5",
        "qwen3_5_moe",
        "qwen3_5_moe_text",
        "qwen3_5_text",
        "qwen3_moe",
        "qwen3_next",
    }
)
# One pass of Gemma 4's assistant drafts one token and is repeated: vLLM 0.21.0,
# config/speculative.py:491.
_ASSISTANT_TOKENS = 1
# Gemma 4 samples up to 32 frames of 70 tokens, each with 8 more for its time and its ends: vLLM
# 0.21.0, model_executor/models/gemma4_mm.py:249-257.
_GEMMA4_VIDEO_TOKENS = 32 * (70 + 2 + 6)


def facts_of_config(name: str, config: HfConfig) -> ModelFacts:
    """Return what a config tells; weights, sources and the like are the caller's to add."""
    text = config.text_config or config.transformer_layer_config or config
    reader = LayerReader(text)
    drafter = _drafter(config, text)
    if drafter is not None and drafter.shares_target_cache:
        # transformers 5.23, configuration_gemma4_assistant.py: all layers are shared.
        text = text.model_copy(update={"num_kv_shared_layers": text.num_hidden_layers})
        reader = LayerReader(text)
    layers = reader.layers()
    mtp_layers = reader.mtp_layers()
    missing = list(reader.missing)
    context = text.max_position_embeddings or config.max_position_embeddings
    if context is None and drafter is None:
        missing.append("max_position_embeddings")
    parts = [name for name in ("text_config", "transformer_layer_config") if getattr(config, name)]
    prefix = ".".join(["config", *parts[:1]])
    family = config.model_type or text.model_type or ""
    return ModelFacts(
        name=name,
        family=family,
        architecture=(config.architectures or ("",))[0],
        layers=layers,
        mtp_layers=mtp_layers,
        native_context=context,
        rope_scaling=_rope_scaling(text),
        hidden=text.hidden_size,
        heads=text.num_attention_heads,
        vocabulary=text.vocab_size or config.vocab_size,
        experts=text.num_experts or text.num_local_experts or text.n_routed_experts or 0,
        experts_per_token=text.num_experts_per_tok or text.top_k_experts or 0,
        vision=_vision(config),
        audio=config.audio_config is not None,
        quantisation=_quantisation(config.quantization_config),
        kv_quantisation=_kv_quantisation(config.quantization_config),
        dtype=text.dtype or text.torch_dtype or config.dtype or config.torch_dtype or "",
        drafter=drafter,
        inferred=frozenset() if family in KNOWN_FAMILIES else frozenset({"layers"}),
        missing=tuple(f"{prefix}.{one}" for one in missing),
    )


def _rope_scaling(text: TextConfig) -> RopeScaling | None:
    for parameters in (text.rope_scaling, text.rope_parameters):
        if parameters is None:
            continue
        for rope in (parameters, parameters.full_attention):
            scaling = _scaling(rope)
            if scaling is not None:
                return scaling
    return None


def _scaling(rope: Rope | None) -> RopeScaling | None:
    if rope is None or not rope.factor:
        return None
    method = rope.rope_type or rope.type or ""
    return RopeScaling(method, float(rope.factor), rope.original_max_position_embeddings or 0)


def _vision(config: HfConfig) -> Vision | None:
    tower = config.vision_config
    if tower is None:
        return None
    image = (
        tower.default_output_length
        or config.vision_soft_tokens_per_image
        or config.mm_tokens_per_image
    )
    video = _GEMMA4_VIDEO_TOKENS if config.model_type == "gemma4" else None
    return Vision(image, video)


def _quantisation(quantization: Quantization | None) -> str:
    """Name the format of the weights: method, and what it says of itself."""
    if quantization is None:
        return ""
    nested = quantization.quantization
    algorithm = quantization.quant_algo or (nested.quant_algo if nested is not None else None)
    bits = f"{quantization.bits} bits" if quantization.bits else None
    said = (quantization.quant_method, algorithm, quantization.format, bits)
    return " ".join(part for part in said if part)


def _kv_quantisation(quantization: Quantization | None) -> str:
    """Name the format that a checkpoint asks its cache to have, such as `fp8`."""
    if quantization is None:
        return ""
    nested = quantization.quantization
    algorithm = quantization.kv_cache_quant_algo or (
        nested.kv_cache_quant_algo if nested is not None else None
    )
    if algorithm:
        return algorithm.lower()
    scheme = quantization.kv_cache_scheme
    if scheme is None or not scheme.num_bits:
        return ""
    return f"{'fp' if scheme.type == 'float' else 'int'}{scheme.num_bits}"


def _drafter(config: HfConfig, text: TextConfig) -> Drafter | None:
    """Tell a draft model from any other, by its class or by fields that only drafters have."""
    architecture = (config.architectures or ("",))[0]
    if config.model_type == "gemma4_assistant" or architecture == "Gemma4AssistantForCausalLM":
        return Drafter(
            method="mtp",
            tokens_per_pass=_ASSISTANT_TOKENS,
            shares_target_cache=True,
            target_hidden=config.backbone_hidden_size,
        )
    method = _method(config, architecture)
    if method is None:
        return None
    dflash = config.dflash_config
    reads = (
        (dflash.target_layer_ids if dflash is not None else None)
        or config.eagle_aux_hidden_state_layer_ids
        or config.aux_hidden_state_layer_ids
        or ()
    )
    block = config.block_size or (dflash.block_size if dflash is not None else None)
    return Drafter(
        method=method,
        tokens_per_pass=block or 1 if method == "dflash" else 1,
        target_hidden=config.target_hidden_size or text.hidden_size,
        target_layers=config.num_target_layers,
        reads_layers=reads,
    )


def _method(config: HfConfig, architecture: str) -> DraftMethod | None:
    declared = config.speculators_model_type or ""
    if declared == "dflash" or config.dflash_config is not None:
        return "dflash"
    if declared == "eagle3" or "eagle3" in architecture.lower():
        return "eagle3"
    if declared == "eagle" or "eagle" in architecture.lower() or config.model_type == "eagle":
        return "eagle"
    return None

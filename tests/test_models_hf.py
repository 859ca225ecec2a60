"""The facts that a config.json tells. Expected values are worked out by hand from the fields."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartgen.models.facts import Drafter, Layer, ModelFacts, RopeScaling, State, Vision
from chartgen.models.hf_config import facts_of_config
from chartgen.models.hf_schema import HfConfig, reduced

SLIDING, FULL, LINEAR = "sliding_attention", "full_attention", "linear_attention"
LLAMA = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "num_hidden_layers": 2,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "hidden_size": 4096,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "torch_dtype": "bfloat16",
}
GEMMA_TEXT = {
    "model_type": "gemma4_text",
    "num_hidden_layers": 6,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "num_global_key_value_heads": 2,
    "attention_k_eq_v": True,
    "head_dim": 256,
    "global_head_dim": 512,
    "hidden_size": 2816,
    "sliding_window": 1024,
    "layer_types": [SLIDING] * 5 + [FULL],
    "max_position_embeddings": 262144,
    "num_experts": 128,
    "top_k_experts": 8,
}
QWEN = {
    "model_type": "qwen3_5_text",
    "num_hidden_layers": 4,
    "num_attention_heads": 24,
    "num_key_value_heads": 4,
    "head_dim": 256,
    "hidden_size": 5120,
    "full_attention_interval": 4,
    "linear_num_key_heads": 16,
    "linear_num_value_heads": 48,
    "linear_key_head_dim": 128,
    "linear_value_head_dim": 128,
    "linear_conv_kernel_dim": 4,
    "mamba_ssm_dtype": "float32",
    "max_position_embeddings": 262144,
    "mtp_num_hidden_layers": 1,
}
NEMOTRON = {
    "model_type": "nemotron_h",
    "hybrid_override_pattern": "ME*-",
    "num_attention_heads": 32,
    "num_key_value_heads": 2,
    "head_dim": 128,
    "hidden_size": 2688,
    "mamba_num_heads": 64,
    "mamba_head_dim": 64,
    "ssm_state_size": 128,
    "n_groups": 8,
    "conv_kernel": 4,
    "mamba_ssm_cache_dtype": "float32",
    "max_position_embeddings": 262144,
}


def facts(raw: dict[str, Any], **changes: Any) -> ModelFacts:
    kept, unread = reduced({**raw, **changes})
    assert unread == ()
    return facts_of_config("org/model", HfConfig.model_validate(kept))


def kinds(found: ModelFacts) -> str:
    """The layers in letters: Full, Sliding, Chunked, Latent, Mamba, Gated delta, - for none."""
    letters = {"mla": "L", "none": "-"}
    return "".join(letters.get(one.kind, one.kind[0].upper()) for one in found.layers)


def test_a_plain_model() -> None:
    found = facts(LLAMA)

    assert found.layers == (Layer("full", 8, 128, 128),) * 2
    assert (found.family, found.architecture) == ("llama", "LlamaForCausalLM")
    assert (found.hidden, found.heads, found.vocabulary) == (4096, 32, 128256)
    assert (found.native_context, found.dtype, found.experts) == (131072, "bfloat16", 0)
    assert found.missing == ()
    assert found.inferred == frozenset()
    assert found.drafter is None
    assert found.vision is None


def test_without_own_heads_for_the_cache_there_are_as_many_as_others() -> None:
    raw = {name: value for name, value in LLAMA.items() if name != "num_key_value_heads"}

    assert facts(raw).layers[0] == Layer("full", 32, 128, 128)


def test_gemma_4_has_layers_of_two_sizes() -> None:
    found = facts({"model_type": "gemma4", "text_config": GEMMA_TEXT})

    assert found.layers == (Layer("sliding", 8, 256, 256, 1024),) * 5 + (
        Layer("full", 2, 512, 512),
    )
    assert (found.experts, found.experts_per_token) == (128, 8)


def test_the_same_model_in_the_new_spelling() -> None:
    """transformers 5.23 writes what layers have otherwise by their padded number."""
    old = {"num_global_key_value_heads", "attention_k_eq_v", "global_head_dim"}
    text = {name: value for name, value in GEMMA_TEXT.items() if name not in old}
    text["per_layer_config"] = {"05": {"head_dim": 512, "num_key_value_heads": 2, "skip": []}}

    assert facts({"text_config": text}).layers == facts({"text_config": GEMMA_TEXT}).layers


def test_global_heads_count_only_where_keys_are_values_too() -> None:
    text = {**GEMMA_TEXT, "attention_k_eq_v": False}

    assert facts({"text_config": text}).layers[-1] == Layer("full", 8, 512, 512)


def test_the_last_layers_of_gemma_may_share_the_caches_of_others() -> None:
    assert kinds(facts(GEMMA_TEXT, num_kv_shared_layers=2)) == "SSSS--"


def test_gemma_ends_with_full_attention_whatever_it_says() -> None:
    assert kinds(facts(GEMMA_TEXT, layer_types=[SLIDING] * 6)) == "SSSSSF"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sliding_window": None}, "FFFFFF"),
        ({"sliding_window": 4096}, "SSSSSS"),
        ({"sliding_window": 4096, "use_sliding_window": False}, "FFFFFF"),
        ({"sliding_window": 4096, "use_sliding_window": True, "max_window_layers": 4}, "FFFFSS"),
        ({"sliding_window": 512, "sliding_window_pattern": 3}, "SSFSSF"),
        ({"sliding_window": 512, "sliding_window_pattern": "LLLG"}, "SSSFSS"),
        ({"sliding_window": 512, "model_type": "gemma2"}, "SFSFSF"),
        ({"sliding_window": 512, "model_type": "gemma3_text"}, "SSSSSF"),
        ({"attention_chunk_size": 8192}, "CCCFCC"),
        ({"attention_chunk_size": 8192, "no_rope_layers": [1, 0, 1, 1, 0, 1]}, "CFCCFC"),
    ],
)
def test_kinds_of_attention(changes: dict[str, Any], expected: str) -> None:
    found = facts({**LLAMA, "num_hidden_layers": 6, **changes})

    assert kinds(found) == expected
    length = changes.get("attention_chunk_size") or changes.get("sliding_window")
    assert all(one.window == (0 if one.kind == "full" else length) for one in found.layers)


def test_gated_delta_networks() -> None:
    found = facts({"model_type": "qwen3_5", "text_config": QWEN})

    # 2 * 16 * 128 + 48 * 128 channels.
    state = State(10240, 4, (48, 128, 128), "float32")
    assert found.layers == (Layer("gated-delta", state=state),) * 3 + (Layer("full", 4, 256, 256),)
    assert found.mtp_layers == (Layer("full", 4, 256, 256),)


def test_linear_attention_by_name_is_what_its_fields_are() -> None:
    types = [LINEAR, FULL]

    assert kinds(facts(QWEN, layer_types=types, num_hidden_layers=2)) == "GF"
    assert kinds(facts(NEMOTRON, layers_block_type=[LINEAR, "moe", FULL])) == "M-F"


def test_mamba_with_heads() -> None:
    found = facts(NEMOTRON)

    # 64 * 64 + 2 * 8 * 128 channels.
    state = State(6144, 4, (64, 64, 128), "float32")
    nothing = Layer("none")
    assert found.layers == (
        Layer("mamba", state=state),
        nothing,
        Layer("full", 2, 128, 128),
        nothing,
    )


def test_nemotron_predicts_by_a_pattern_of_its_own() -> None:
    found = facts(NEMOTRON, num_nextn_predict_layers=2, mtp_hybrid_override_pattern="*E")

    assert found.mtp_layers == (Layer("full", 2, 128, 128), Layer("none")) * 2


def test_mamba_without_heads() -> None:
    jamba = {
        "model_type": "jamba",
        "num_hidden_layers": 4,
        "num_attention_heads": 32,
        "hidden_size": 4096,
        "max_position_embeddings": 262144,
        "attn_layer_period": 4,
        "attn_layer_offset": 1,
        "mamba_d_state": 16,
        "mamba_d_conv": 4,
        "mamba_expand": 2,
    }

    found = facts(jamba)

    assert kinds(found) == "MFMM"
    assert found.layers[0].state == State(8192, 4, (8192, 16))


def test_latent_attention() -> None:
    deepseek = {
        **LLAMA,
        "model_type": "deepseek_v3",
        "kv_lora_rank": 512,
        "qk_rope_head_dim": 64,
        "num_nextn_predict_layers": 1,
        "n_routed_experts": 256,
    }

    found = facts(deepseek)

    assert found.layers == (Layer("mla", 1, 576, 0),) * 2
    assert found.mtp_layers == (Layer("mla", 1, 576, 0),)
    assert found.experts == 256


@pytest.mark.parametrize(
    ("quantization", "weights", "cache"),
    [
        ({"quant_method": "awq", "bits": 4}, "awq 4 bits", ""),
        ({"quant_method": "compressed-tensors", "format": "pack-quantized",
          "kv_cache_scheme": {"num_bits": 8, "type": "float", "dynamic": False}},
         "compressed-tensors pack-quantized", "fp8"),
        ({"quant_method": "compressed-tensors", "kv_cache_scheme": {"num_bits": 8, "type": "int"}},
         "compressed-tensors", "int8"),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4", "kv_cache_quant_algo": "FP8"},
         "modelopt NVFP4", "fp8"),
        ({"quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}}, "FP8", "fp8"),
    ],
)  # fmt: skip
def test_formats_of_weights_and_cache(
    quantization: dict[str, Any], weights: str, cache: str
) -> None:
    found = facts(LLAMA, quantization_config=quantization)

    assert (found.quantisation, found.kv_quantisation) == (weights, cache)


@pytest.mark.parametrize(
    "changes",
    [
        {"rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8192}},
        {"rope_parameters": {"rope_type": "yarn", "factor": 4.0, "rope_theta": 1e6,
                             "original_max_position_embeddings": 8192}},
        {"rope_parameters": {"sliding_attention": {"rope_type": "default"},
                             "full_attention": {"rope_type": "yarn", "factor": 4,
                                                "original_max_position_embeddings": 8192}}},
    ],
)  # fmt: skip
def test_scaling_of_positions_in_all_spellings(changes: dict[str, Any]) -> None:
    assert facts(LLAMA, **changes).rope_scaling == RopeScaling("yarn", 4.0, 8192)


@pytest.mark.parametrize("rope", [{"rope_type": "default", "rope_theta": 1e6}, None])
def test_positions_are_mostly_not_scaled(rope: dict[str, Any] | None) -> None:
    assert facts(LLAMA, rope_parameters=rope).rope_scaling is None


def test_images() -> None:
    tower = {"vision_config": {"default_output_length": 280, "patch_size": 16}}

    # Videos: 32 frames of 70 + 8 tokens.
    assert facts({"model_type": "gemma4", "text_config": GEMMA_TEXT, **tower}).vision == Vision(
        280, 2496
    )
    assert facts(LLAMA, vision_config={"depth": 27}).vision == Vision()


def test_the_assistant_of_gemma_4_keeps_nothing() -> None:
    found = facts(
        {
            "model_type": "gemma4_assistant",
            "backbone_hidden_size": 2816,
            "text_config": {**GEMMA_TEXT, "hidden_size": 1024, "num_hidden_layers": 4,
                            "layer_types": [SLIDING] * 3 + [FULL]},
        }
    )  # fmt: skip

    assert kinds(found) == "----"
    assert found.drafter == Drafter("mtp", 1, shares_target_cache=True, target_hidden=2816)


def test_a_dflash_drafter_has_a_cache_of_its_own() -> None:
    found = facts(
        LLAMA,
        architectures=["DFlashDraftModel"],
        block_size=16,
        num_target_layers=30,
        layer_types=[SLIDING, FULL],
        sliding_window=2048,
        dflash_config={"target_layer_ids": [1, 6, 11], "mask_token_id": 4},
    )

    assert found.layers == (Layer("sliding", 8, 128, 128, 2048), Layer("full", 8, 128, 128))
    assert found.drafter == Drafter(
        "dflash", 16, target_hidden=4096, target_layers=30, reads_layers=(1, 6, 11)
    )


@pytest.mark.parametrize(
    ("changes", "method"),
    [
        ({"architectures": ["LlamaForCausalLMEagle3"]}, "eagle3"),
        ({"architectures": ["EagleLlamaForCausalLM"]}, "eagle"),
        ({"speculators_model_type": "eagle3"}, "eagle3"),
        ({"speculators_model_type": "dflash", "block_size": 8}, "dflash"),
    ],
)
def test_other_drafters(changes: dict[str, Any], method: str) -> None:
    found = facts(LLAMA, **changes)

    assert found.drafter is not None
    assert found.drafter.method == method
    assert len(found.layers) == 2


def test_a_speculator_has_its_layers_in_a_part_of_its_own() -> None:
    found = facts({"speculators_model_type": "eagle3", "transformer_layer_config": LLAMA})

    assert kinds(found) == "FF"


def test_layers_of_a_family_that_nobody_checked_are_inferred() -> None:
    found = facts(LLAMA, model_type="brandnew")

    assert kinds(found) == "FF"
    assert found.inferred == {"layers"}


@pytest.mark.parametrize(
    ("lost", "missing"),
    [
        ("num_hidden_layers", "config.num_hidden_layers"),
        ("hidden_size", "config.head_dim"),
        ("max_position_embeddings", "config.max_position_embeddings"),
    ],
)
def test_what_lacks_is_named_as_the_config_would(lost: str, missing: str) -> None:
    found = facts({name: value for name, value in LLAMA.items() if name != lost})

    assert found.missing == (missing,)
    assert (found.layers == ()) == (lost != "max_position_embeddings")


def test_what_lacks_of_a_part_is_named_in_it() -> None:
    text = {name: value for name, value in QWEN.items() if name != "linear_key_head_dim"}

    assert facts({"text_config": text}).missing == ("config.text_config.linear_key_head_dim",)


def test_an_unknown_kind_of_layer_is_asked_for() -> None:
    found = facts(LLAMA, layer_types=[FULL, "hyperbolic_attention"])

    assert found.layers == ()
    assert found.missing == ("config.layer_types",)


def test_an_unknown_letter_in_a_pattern_is_asked_for() -> None:
    assert facts(NEMOTRON, hybrid_override_pattern="MX*").missing == (
        "config.hybrid_override_pattern",
    )


def test_layers_of_attention_may_be_listed() -> None:
    listed = {name: one for name, one in NEMOTRON.items() if name != "hybrid_override_pattern"}

    found = facts(listed, model_type="bamba", num_hidden_layers=4, attn_layer_indices=[1, 3])

    assert kinds(found) == "MFMF"


def test_a_config_of_nothing_is_no_reason_to_fail() -> None:
    found = facts({})

    assert found.layers == ()
    assert "config.num_hidden_layers" in found.missing


def test_reduced_keeps_what_matters_and_no_more() -> None:
    kept, unread = reduced({**LLAMA, "eos_token_id": 2, "head_dim": None, "auto_map": {"a": "b"}})

    assert kept == LLAMA
    assert unread == ()


@pytest.mark.parametrize(
    ("changes", "unread"),
    [
        ({"num_key_value_heads": [8, 4]}, "config.num_key_value_heads"),
        ({"num_hidden_layers": -1}, "config.num_hidden_layers"),
        ({"num_hidden_layers": 10**9}, "config.num_hidden_layers"),
        ({"head_dim": "128"}, "config.head_dim"),
        ({"head_dim": True}, "config.head_dim"),
        ({"num_hidden_layers": 2.0}, "config.num_hidden_layers"),
        ({"sliding_window": 1 << 50}, "config.sliding_window"),
        ({"text_config": "none"}, "config.text_config"),
        ({"text_config": {"head_dim": []}}, "config.text_config.head_dim"),
        ({"layer_types": ["full_attention"] * 5000}, "config.layer_types"),
        ({"compress_ratios": [4, 128]}, "config.compress_ratios"),
        ({"text_config": {"linear_attn_config": {"kda_layers": [1]}}},
         "config.text_config.linear_attn_config"),
        ({"rope_scaling": {"factor": float("nan")}}, "config.rope_scaling.factor"),
        ({"mtp_num_hidden_layers": 1000}, "config.mtp_num_hidden_layers"),
        ({"per_layer_config": {"x": {"head_dim": 1}}}, "config.per_layer_config"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_named(changes: dict[str, Any], unread: str) -> None:
    assert reduced({**LLAMA, **changes})[1] == (unread,)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 1 << 60) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
NAMES = st.sampled_from(sorted(HfConfig.model_fields))


@given(st.dictionaries(NAMES, JSON | st.dictionaries(NAMES, JSON, max_size=4), max_size=6))
def test_no_config_at_all_makes_it_fail(changes: dict[str, Any]) -> None:
    kept, unread = reduced({**LLAMA, **changes})

    found = facts_of_config("org/model", HfConfig.model_validate(kept))

    assert len(found.layers) <= 4096
    assert all(name.startswith("config.") for name in (*unread, *found.missing))


def test_fewer_kinds_of_layers_than_layers_contradict_each_other() -> None:
    found = facts(LLAMA, num_hidden_layers=3, layer_types=[FULL, FULL])
    assert found.layers == ()
    assert found.missing == ("config.layer_types",)


def test_kinds_beyond_the_layers_are_those_of_draft_layers() -> None:
    assert kinds(facts(LLAMA, layer_types=[FULL, FULL, FULL])) == "FF"

"""The facts that the keys of a GGUF tell."""

from __future__ import annotations

from typing import Any

import pytest

from chartgen.models.facts import Drafter, Layer, RopeScaling, State, Vision
from chartgen.models.gguf import Bytes, read_header
from chartgen.models.gguf_facts import facts_of_metadata
from chartgen.models.gguf_keys import SHAPES, fits, metadata_of
from tests.gguf_files import GEMMA, WEIGHTS, gguf

SLIDING, FULL = Layer("sliding", 8, 256, 256, 1024), Layer("full", 2, 512, 512)


def keys(architecture: str, **values: Any) -> dict[str, Any]:
    """Keys of an architecture; `__` stands for a dot."""
    named = {f"{architecture}.{name.replace('__', '.')}": one for name, one in values.items()}
    return {"general.architecture": architecture, **named}


LLAMA: dict[str, Any] = {
    "block_count": 4,
    "context_length": 8192,
    "embedding_length": 4096,
    "attention__head_count": 32,
    "attention__head_count_kv": 8,
}


def test_a_header_gives_the_keys_that_matter() -> None:
    metadata = metadata_of(read_header(Bytes(gguf(GEMMA, WEIGHTS)), "a.gguf"))

    tokens = {"tokenizer.ggml.tokens"}
    expected = {key: value for key, value in GEMMA.items() if key not in tokens}
    assert metadata == {**expected, "gemma4.vocab_size": 3}
    assert list(metadata) == sorted(metadata)


def test_keys_that_hold_something_else_are_as_good_as_absent() -> None:
    odd = {**GEMMA, "gemma4.block_count": "six", "gemma4.context_length": -1}

    metadata = metadata_of(read_header(Bytes(gguf(odd)), "a.gguf"))

    found = facts_of_metadata("m", metadata)
    assert found.missing == ("gemma4.block_count", "gemma4.context_length")
    assert found.layers == ()


def test_gemma_4() -> None:
    found = facts_of_metadata("m", GEMMA)

    assert found.layers == (SLIDING,) * 5 + (FULL,)
    assert (found.native_context, found.hidden, found.heads) == (262144, 2816, 16)
    assert found.missing == ()


def test_a_plain_model_divides_its_width() -> None:
    found = facts_of_metadata("m", keys("llama", **LLAMA))

    assert found.layers == (Layer("full", 8, 128, 128),) * 4


def test_layers_that_share_a_cache() -> None:
    found = facts_of_metadata("m", {**GEMMA, "gemma4.attention.shared_kv_layers": 2})

    assert found.layers == (SLIDING,) * 4 + (Layer("none"),) * 2


@pytest.mark.parametrize(
    ("architecture", "values", "kinds"),
    [
        ("gemma2", {}, "sfsf"),
        ("cohere2", {}, "sssf"),
        ("llama4", {}, "cccf"),
        ("llama", {"attention__sliding_window_pattern": 2}, "sfsf"),
        ("llama", {"attention__sliding_window_pattern": [False, True]}, "fsff"),
    ],
)
def test_windows(architecture: str, values: dict[str, Any], kinds: str) -> None:
    given = keys(architecture, **LLAMA, attention__sliding_window=512, **values)

    found = facts_of_metadata("m", given)

    assert "".join(one.kind[0] for one in found.layers) == kinds
    windows = {one.window for one in found.layers if one.window}
    assert windows == ({8192} if architecture == "llama4" else {512})


def test_windows_that_follow_no_known_pattern_are_asked_for() -> None:
    found = facts_of_metadata("m", keys("brandnew", **LLAMA, attention__sliding_window=512))

    assert found.layers == ()
    assert found.missing == ("brandnew.attention.sliding_window_pattern",)


def test_gated_delta_networks_with_a_layer_for_prediction() -> None:
    qwen = keys(
        "qwen35moe",
        block_count=5,
        context_length=262144,
        embedding_length=2048,
        attention__head_count=16,
        attention__head_count_kv=2,
        attention__key_length=256,
        attention__value_length=256,
        full_attention_interval=4,
        nextn_predict_layers=1,
        ssm__conv_kernel=4,
        ssm__group_count=16,
        ssm__inner_size=4096,
        ssm__state_size=128,
        ssm__time_step_rank=32,
    )

    found = facts_of_metadata("m", qwen)

    # 4096 + 2 * 16 * 128 channels; 32 heads of 4096 / 32 * 128.
    state = State(8192, 4, (32, 128, 128))
    full = Layer("full", 2, 256, 256)
    assert found.layers == (Layer("gated-delta", state=state),) * 3 + (full,)
    assert found.mtp_layers == (full,)


def test_blocks_without_heads_are_mamba_or_nothing() -> None:
    nemotron = keys(
        "nemotron_h_moe",
        block_count=3,
        context_length=262144,
        embedding_length=2688,
        feed_forward_length=[0, 1856, 0],
        attention__head_count=32,
        attention__head_count_kv=[0, 0, 2],
        attention__key_length=128,
        attention__value_length=128,
        ssm__conv_kernel=4,
        ssm__group_count=8,
        ssm__inner_size=4096,
        ssm__state_size=128,
        ssm__time_step_rank=64,
    )

    found = facts_of_metadata("m", nemotron)

    state = State(6144, 4, (64, 64, 128))
    assert found.layers == (
        Layer("mamba", state=state),
        Layer("none"),
        Layer("full", 2, 128, 128),
    )


def test_latent_attention() -> None:
    given = keys("deepseek2", **LLAMA, attention__kv_lora_rank=512, rope__dimension_count=64)

    assert facts_of_metadata("m", given).layers == (Layer("mla", 1, 576, 0),) * 4


@pytest.mark.parametrize("name", ["gemma4-assistant", "gemma4_assistant"])
def test_the_assistant_of_gemma_4_keeps_nothing(name: str) -> None:
    found = facts_of_metadata("m", keys(name, block_count=4, n_embd_backbone=2816))

    assert found.layers == (Layer("none"),) * 4
    assert found.drafter == Drafter("mtp", 1, shares_target_cache=True, target_hidden=2816)
    assert found.missing == ()


def test_a_dflash_drafter() -> None:
    given = keys("dflash-draft", **LLAMA, dflash__block_size=16, dflash__target_layer_ids=[1, 61])

    found = facts_of_metadata("m", given)

    assert found.drafter == Drafter("dflash", 16, target_hidden=4096, reads_layers=(1, 61))
    assert len(found.layers) == 4


def test_an_eagle_3_drafter() -> None:
    found = facts_of_metadata("m", keys("eagle3", **LLAMA))

    assert found.drafter == Drafter("eagle3", 1, target_hidden=4096)


def test_without_own_heads_for_the_cache_there_are_as_many_as_others() -> None:
    given = {name: one for name, one in LLAMA.items() if name != "attention__head_count_kv"}

    found = facts_of_metadata("m", keys("llama", **given))

    assert found.layers == (Layer("full", 32, 128, 128),) * 4


def test_recurrent_layers_may_be_listed() -> None:
    state = {"ssm__conv_kernel": 4, "ssm__inner_size": 8192, "ssm__state_size": 16}
    flags = {"attention__recurrent_layers": [True, False, True, False]}

    found = facts_of_metadata("m", keys("jamba", **LLAMA, **state, **flags))

    assert [one.kind for one in found.layers] == ["mamba", "full"] * 2
    assert found.layers[0].state == State(8192, 4, (8192, 16))


def test_a_projector_needs_nothing_but_its_weights() -> None:
    given = {"general.architecture": "clip", "clip.has_vision_encoder": True}

    found = facts_of_metadata("m", given)

    assert found.projector
    assert (found.vision, found.audio) == (Vision(), False)
    assert found.missing == ()


def test_scaling_of_positions() -> None:
    given = keys(
        "llama",
        **LLAMA,
        rope__scaling__type="yarn",
        rope__scaling__factor=4.0,
        rope__scaling__original_context_length=8192,
    )

    assert facts_of_metadata("m", given).rope_scaling == RopeScaling("yarn", 4.0, 8192)


def test_what_keeps_its_state_in_an_unknown_way_is_asked_for() -> None:
    found = facts_of_metadata("m", keys("rwkv7", **LLAMA))

    assert found.layers == ()
    assert found.missing == ("rwkv7.layers",)


def test_nothing_at_all_is_no_reason_to_fail() -> None:
    assert facts_of_metadata("m", {}).missing[0] == "general.architecture"


def test_a_count_of_layers_that_cannot_be_is_not_believed() -> None:
    found = facts_of_metadata("m", keys("llama", **{**LLAMA, "block_count": 1 << 39}))

    assert found.missing == ("llama.block_count",)


@pytest.mark.parametrize(
    ("shape", "good", "bad"),
    [
        ("count", [0, 7], [-1, True, "7", 1.0, [7], 1 << 50]),
        ("counts", [7, [7, 0]], [[-1], [True], "7", [7] * 5000]),
        ("flag", [True], [1, "true", [True]]),
        ("flags", [4, [True, False]], [True, [1]]),
        ("number", [1, 0.5], [0, -1.0, True, "1", float("nan"), float("inf")]),
        ("text", ["yarn"], ["", 1, "x" * 201]),
    ],
)
def test_shapes_of_values(shape: str, good: list[Any], bad: list[Any]) -> None:
    assert shape in SHAPES
    assert [one for one in good if not fits(shape, one)] == []
    assert [one for one in bad if fits(shape, one)] == []

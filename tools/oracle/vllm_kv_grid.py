"""The models and settings over which vLLM's own KV arithmetic is run (tools/oracle/vllm_kv.py).

Plain data: a model is a list of runs (layer kind, how many in a row); a kind holds what vLLM's
layer classes are built from. Sizes are those of public models where a name says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Kind = dict[str, Any]
Model = dict[str, Any]


def attention(kind: str, heads: int, key: int, value: int = 0, **more: Any) -> Kind:
    """Return an attention layer of `heads` KV heads."""
    return {"kind": kind, "kv_heads": heads, "key_dim": key, "value_dim": value or key, **more}


def full(heads: int, key: int, value: int = 0, **more: Any) -> Kind:
    """Return a full-attention layer."""
    return attention("full", heads, key, value, **more)


def sliding(window: int, heads: int, key: int, value: int = 0, **more: Any) -> Kind:
    """Return a sliding-window layer."""
    return attention("sliding", heads, key, value, window=window, **more)


def mla(size: int, **more: Any) -> Kind:
    """Return an MLA layer that stores `size` elements per token."""
    return attention("mla", 1, size, **more)


def delta(key_heads: int, value_heads: int, state: str = "bfloat16") -> Kind:
    """Return a gated-delta layer with heads of 128 and a convolution of 4."""
    return {
        "kind": "gated-delta",
        "shape": [key_heads, value_heads, 128, 128, 4],
        "dtypes": ["bfloat16", state],
    }


def mamba2(inner: int, groups: int, heads: int, head_dim: int, size: int) -> Kind:
    """Return a Mamba-2 layer with a convolution of 4."""
    return {
        "kind": "mamba",
        "shape": [inner, groups, heads, head_dim, size, 4],
        "dtypes": ["bfloat16", "float32"],
    }


def model(*runs: tuple[Kind, int], times: int = 1) -> Model:
    """Return a model of runs of layers, all of them repeated."""
    kinds: list[Kind] = []
    order: list[list[int]] = []
    for _ in range(times):
        for kind, count in runs:
            if kind not in kinds:
                kinds.append(kind)
            order.append([kinds.index(kind), count])
    return {"kinds": kinds, "order": order}


def joined(*models: Model) -> Model:
    """Return models one behind the other, as a target and its drafter."""
    return model(*((one["kinds"][kind], count) for one in models for kind, count in one["order"]))


GEMMA4 = model((sliding(1024, 8, 256), 5), (full(2, 512), 1), times=5)
QWEN36 = model((delta(16, 48), 3), (full(4, 256), 1), times=16)
GPT_OSS = model((sliding(128, 8, 64), 1), (full(8, 64), 1), times=12)

MODELS: dict[str, Model] = {
    "llama-8b": model((full(8, 128), 32)),
    "llama-8b-eagle": model((full(8, 128), 33)),
    "odd-heads-drafter": model((full(8, 128), 28), (full(32, 80), 1)),
    "value-size": model((full(4, 192, 128), 24)),
    "mixed-value-size": model((full(4, 128, 128), 3), (full(4, 128, 64), 5)),
    "two-widths": model((full(8, 128), 10), (full(4, 64), 6)),
    "gemma4-26b": GEMMA4,
    "gemma4-31b": model((sliding(1024, 16, 256), 5), (full(4, 512), 1), times=10),
    "gemma4-26b-dflash": joined(GEMMA4, model((full(8, 128), 5))),
    "gemma3-27b": joined(
        model((sliding(1024, 16, 128), 5), (full(16, 128), 1), times=10),
        model((sliding(1024, 16, 128), 2)),
    ),
    "gemma3n": joined(
        model((sliding(512, 2, 256), 4), (full(2, 256), 1), times=4), model(({"kind": "none"}, 10))
    ),
    "gpt-oss-20b": GPT_OSS,
    "gpt-oss-20b-eagle": joined(GPT_OSS, model((full(8, 64), 1))),
    "windows-only": model((sliding(4096, 8, 128), 32)),
    "two-windows": model((sliding(512, 8, 128), 6), (sliding(1024, 8, 128), 6), (full(8, 128), 4)),
    "window-value-size": model((sliding(1024, 4, 192, 128), 6), (full(4, 192, 128), 2)),
    "20-full-30-sliding": model((full(8, 128), 2), (sliding(2048, 8, 128), 3), times=10),
    "17-full-13-sliding": model((full(8, 128), 17), (sliding(2048, 8, 128), 13)),
    "non-dividing": model((full(8, 128), 8), (sliding(1024, 8, 96), 24)),
    "llama4-scout": model(
        (attention("chunked", 8, 128, window=8192), 3), (full(8, 128), 1), times=12
    ),
    "deepseek-v3": model((mla(576), 61)),
    "deepseek-v3.2": model((mla(576), 1), (mla(132, token_bytes=132), 1), times=61),
    "mla-two-sizes": model((mla(576), 20), (mla(320), 20)),
    "mla-sliding-drafter": model((mla(576), 27), (sliding(2048, 8, 128), 3)),
    "kimi-linear": model((delta(32, 32, "float32"), 3), (mla(576), 1), times=7),
    "qwen3.6-27b": QWEN36,
    "qwen3.6-27b-float32": model((delta(16, 48, "float32"), 3), (full(4, 256), 1), times=16),
    "qwen3.6-27b-mtp": joined(QWEN36, model((full(4, 256), 1))),
    "qwen3.6-35b-a3b": model((delta(16, 32), 3), (full(2, 256), 1), times=10),
    "qwen3.6-27b-dflash": joined(QWEN36, model((full(8, 128), 5))),
    "nemotron-h": model((mamba2(8192, 8, 128, 64, 128), 6), (full(8, 128), 1), times=5),
    "mamba2-only": model((mamba2(8192, 8, 128, 64, 128), 24)),
    "mamba-sliding": model(
        (mamba2(4096, 8, 64, 64, 128), 6), (sliding(2048, 8, 128), 5), (full(8, 128), 1), times=3
    ),
    "skipped-types": joined(
        model((full(8, 128, kv_type="auto"), 2)),
        model((full(8, 128), 32)),
        model((full(8, 128, kv_type="auto"), 2)),
    ),
    "skipped-windows": model(
        (full(8, 128), 6), (sliding(1024, 8, 128, kv_type="auto"), 6), (full(8, 128), 6)
    ),
    "two-stages": joined(
        model((sliding(1024, 8, 128, stage=0), 5), (full(8, 128, stage=0), 1), times=4),
        model((sliding(1024, 8, 128, stage=1), 5), (full(8, 128, stage=1), 1), times=3),
        model((sliding(1024, 8, 128, stage=1), 3)),
    ),
}

_HYBRID = ("qwen3.6", "nemotron", "kimi", "mamba")
_EVERY_TYPE = (
    "llama-8b",
    "value-size",
    "window-value-size",
    "gemma4-26b",
    "llama4-scout",
    "qwen3.6-27b",
    "mamba-sliding",
    "skipped-types",
    "skipped-windows",
)
_MLA = ("deepseek", "mla", "kimi")


def cases() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each model with settings, named as in chartgen's KvSettings."""
    for name in MODELS:
        yield from ((name, settings) for settings in _settings(name))
    yield from ((name, settings) for name, settings in _SINGLE)


_SHORT = {"max_model_len": 131072, "batched_tokens": 8192}
_MTP = {"speculative_method": "mtp", "speculative_tokens": 3}
_SINGLE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("llama-8b", _SHORT | {"blocks_override": 9000}),
    ("gemma4-26b", _SHORT | {"blocks_override": 3000}),
    ("gemma4-26b", _SHORT | {"kv_type": "fp8", "max_model_len": 262144}),
    ("gemma4-26b", _SHORT | {"kv_type": "fp8", "max_model_len": 262144, "async_scheduling": True}),
    ("gemma4-26b", _SHORT | {"kv_type": "fp8", "max_model_len": 262144, "batched_tokens": 2337}),
    ("gemma4-26b", _SHORT | {"kv_type": "fp8", "max_model_len": 262144, "batched_tokens": 2338}),
    ("gemma4-26b", _SHORT | {"model_dtype": "float32"}),
    ("gemma4-26b", _SHORT | _MTP | {"multi_module_mtp": True}),
    ("gpt-oss-20b", _SHORT | _MTP | {"multi_module_mtp": True}),
    ("two-windows", _SHORT | {"disable_hybrid": True}),
    ("llama4-scout", _SHORT | {"disable_hybrid": True, "kv_type": "int8_per_token_head"}),
    ("window-value-size", _SHORT | {"disable_hybrid": True, "kv_type": "int8_per_token_head"}),
    ("gemma4-26b", _SHORT | {"disable_hybrid": True, "kv_type": "nvfp4"}),
    ("gemma4-26b", _SHORT | {"layout": "BLHNC", "kv_type": "fp8", "max_model_len": 262144}),
    ("deepseek-v3.2", _SHORT | {"layout": "BLHNC", "kv_type": "fp8_ds_mla"}),
)


def _settings(name: str) -> Iterator[dict[str, Any]]:
    """Yield the settings for one model."""
    base: dict[str, Any] = {"max_model_len": 131072, "batched_tokens": 8192}
    if name == "two-stages":
        base["pipeline_parallel"] = 2
    yield base
    for length, batch in ((1000, 2048), (262144, 2048)):
        yield base | {"max_model_len": length, "batched_tokens": batch}
    yield base | {"async_scheduling": True, "max_model_len": 40000}
    if name == "two-stages":
        yield base | {"async_scheduling": True, "runner_v2": False}
        yield base | {"async_scheduling": True, "runner_v2": True}
    for kv_type in _kv_types(name):
        yield base | {"kv_type": kv_type}
    yield base | {"block_size": 64, "kv_type": "fp8", "tensor_parallel": 4}
    yield base | {"disable_hybrid": True, "block_size": 32, "kv_type": "fp8"}
    if not name.startswith(_HYBRID):
        yield base | {"layout": "BLHNC", "kv_type": "fp8"}
        return
    yield base | {"layout": "BLHNC"}
    yield from _hybrid(name, base)


def _kv_types(name: str) -> list[str]:
    """Return the KV types to try."""
    if name.startswith(_MLA):
        return ["fp8_ds_mla", "int8_per_token_head", "int4_per_token_head", "nvfp4_ds_mla"]
    if name in _EVERY_TYPE:
        return [
            "float16",
            "fp8_per_token_head",
            "int8_per_token_head",
            "int4_per_token_head",
            "nvfp4",
            "turboquant_k8v4",
            "turboquant_4bit_nc",
            "turboquant_k3v4_nc",
            "turboquant_3bit_nc",
        ]
    return ["fp8"]


def _hybrid(name: str, base: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield settings for a model with recurrent layers."""
    yield base | _MTP | {"kv_type": "fp8", "tensor_parallel": 2}
    yield base | {"prefix_caching": True}
    yield base | _MTP | {"prefix_caching": True, "kv_type": "fp8"}
    yield base | {"prefix_caching": True, "max_model_len": 16384, "mamba_cache_mode": "align"}
    if name.startswith(("nemotron", "mamba")):
        mode_all = {"prefix_caching": True, "state_prefix_mode_all": True, "state_chunk": 256}
        yield base | mode_all | {"mamba_cache_mode": "all"}
        yield base | _MTP | mode_all | {"mamba_cache_mode": "all"}

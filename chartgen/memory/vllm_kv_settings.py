"""What an engine is started with, as far as the size of its KV cache depends on it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KvSettings:
    """The settings of one engine; a field left at its default is what vLLM does without the option.

    `release` is the release of vLLM, `max_model_len` and `batched_tokens` are tokens
    (--max-model-len, --max-num-batched-tokens). `kv_type` is --kv-cache-dtype, `model_dtype` the
    type that "auto" stands for. `block_size` is --block-size in tokens, `backend` the attention
    backend in capitals. `async_scheduling` None is the release's default. `speculative_method` and
    `speculative_tokens` are of --speculative-config; `multi_module_mtp` says that several MTP
    modules draft. `state_prefix_mode_all` says that the model's recurrent layers can keep states
    at every block (Mamba-2 can, gated-delta cannot), `state_chunk` is their chunk in tokens,
    `checkpoint_blocks` the blocks that their prefill kernel writes checkpoints to. `layout` is
    VLLM_KV_CACHE_LAYOUT. `disable_hybrid` is --disable-hybrid-kv-cache-manager, `blocks_override`
    --num-gpu-blocks-override.
    """

    release: str
    max_model_len: int
    batched_tokens: int
    kv_type: str = "auto"
    model_dtype: str = "bfloat16"
    block_size: int | None = None
    backend: str = ""
    async_scheduling: bool | None = None
    runner_v2: bool | None = None
    speculative_method: str = ""
    speculative_tokens: int = 0
    multi_module_mtp: bool = False
    prefix_caching: bool | None = None
    mamba_cache_mode: str = ""
    mamba_block_size: int | None = None
    state_prefix_mode_all: bool = False
    state_chunk: int = 0
    checkpoint_blocks: int = 0
    layout: str = ""
    disable_hybrid: bool = False
    blocks_override: int | None = None
    tensor_parallel: int = 1
    pipeline_parallel: int = 1

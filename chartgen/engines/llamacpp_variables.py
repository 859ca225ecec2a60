"""Variables of llama.cpp's server that stand for arguments; arguments win over them.

Source: common/arg.cpp of b8000 to b11434 (`set_env`, and common_params_parse_ex, which reads the
variables before the words).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chartgen.engines.llamacpp_words import NO, YES

# Those of which the plan and the knowledge rules speak, with their arguments.
_ARGUMENTS: Mapping[str, str] = {
    "LLAMA_ARG_BATCH": "batch-size",
    "LLAMA_ARG_CACHE_TYPE_K": "cache-type-k",
    "LLAMA_ARG_CACHE_TYPE_V": "cache-type-v",
    "LLAMA_ARG_CTX_SIZE": "ctx-size",
    "LLAMA_ARG_FLASH_ATTN": "flash-attn",
    "LLAMA_ARG_KV_OFFLOAD": "kv-offload",
    "LLAMA_ARG_KV_UNIFIED": "kv-unified",
    "LLAMA_ARG_KV_UNIFIED_PER_SLOT": "kv-unified-per-slot",
    "LLAMA_ARG_MMPROJ_OFFLOAD": "mmproj-offload",
    "LLAMA_ARG_N_PARALLEL": "parallel",
    "LLAMA_ARG_SPEC_DRAFT_CACHE_TYPE_K": "spec-draft-type-k",
    "LLAMA_ARG_SPEC_DRAFT_CACHE_TYPE_V": "spec-draft-type-v",
    "LLAMA_ARG_SPEC_DRAFT_N_MAX": "spec-draft-n-max",
    "LLAMA_ARG_SPEC_TYPE": "spec-type",
    "LLAMA_ARG_SWA_FULL": "swa-full",
    "LLAMA_ARG_UBATCH": "ubatch-size",
}
_SWITCHES = frozenset({"kv-offload", "kv-unified", "mmproj-offload", "swa-full"})


def arguments_of_variables(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments that variables stand for, with values as a spec would write them."""
    return {
        name: _value(name, environment[variable])
        for variable, name in _ARGUMENTS.items()
        if variable in environment
    }


def variable_of(argument: str) -> str:
    """Return the variable that stands for an argument, empty where none does."""
    return next((variable for variable, name in _ARGUMENTS.items() if name == argument), "")


def _value(name: str, text: str) -> Any:
    if name in _SWITCHES and text in YES | NO:
        return text in YES
    return int(text) if text.removeprefix("-").isdecimal() and text.isascii() else text

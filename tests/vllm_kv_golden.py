"""What vLLM's own functions said (tests/engines/kv-vllm-*.json), and the same asked of chartgen.

`tools/oracle/vllm_kv.py` writes the files and describes their form.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from chartgen.memory.vllm_kv import KvCache, judge, kv_cache, need_bytes
from chartgen.memory.vllm_kv_family import release_key
from chartgen.memory.vllm_kv_layer import KvLayer, KvState, gated_delta_states, mamba2_states
from chartgen.memory.vllm_kv_settings import KvSettings

FOLDER = Path(__file__).parent / "engines"
FILES = sorted(
    FOLDER.glob("kv-vllm-*.json"), key=lambda file: release_key(file.stem.removeprefix("kv-vllm-"))
)


def layers_of(model: Mapping[str, Any], settings: Mapping[str, Any]) -> list[KvLayer]:
    """Return the layers of a golden model."""
    return [
        layer
        for kind, count in model["order"]
        for layer in [_layer(model["kinds"][kind], settings)] * count
    ]


def _layer(kind: Mapping[str, Any], settings: Mapping[str, Any]) -> KvLayer:
    """Return one layer of a golden model."""
    if "shape" not in kind:
        return KvLayer(**kind)
    return KvLayer(kind["kind"], states=_states(kind, settings), stage=kind.get("stage", 0))


def _states(kind: Mapping[str, Any], settings: Mapping[str, Any]) -> tuple[KvState, ...]:
    """Return the states of a recurrent layer on one GPU."""
    make = gated_delta_states if kind["kind"] == "gated-delta" else mamba2_states
    conv, state = kind["dtypes"]
    return make(
        *kind["shape"],
        conv_dtype=conv,
        state_dtype=state,
        speculative_tokens=settings.get("speculative_tokens", 0),
        tensor_parallel=settings.get("tensor_parallel", 1),
    )


def settings_of(release: str, model: Mapping[str, Any], settings: Mapping[str, Any]) -> KvSettings:
    """Return the settings of a golden point; the oracle turns off what these do not name."""
    kv_type = settings.get("kv_type", "auto")
    backend = "TRITON_ATTN"
    if kv_type.startswith("turboquant"):
        backend = "TURBOQUANT"
    if kv_type.startswith("nvfp4") and release_key(release) >= (0, 28, 0):
        backend = "FLASHINFER"
    if any(kind["kind"] == "mla" for kind in model["kinds"]):
        backend = "FLASHMLA"
    off = {"async_scheduling": False, "runner_v2": False, "prefix_caching": False}
    return KvSettings(release=release, backend=backend, **(off | dict(settings)))


def asked(golden: Mapping[str, Any], row: Sequence[Any]) -> list[Any]:
    """Return what chartgen says of a golden point, in the form of the file."""
    name, kept = row[:2]
    model = golden["models"][name]
    settings = golden["common"] | kept
    cache = kv_cache(layers_of(model, settings), settings_of(golden["release"], model, settings))
    if cache.refusal:
        # The file has the class of the error, chartgen its sentence.
        return [name, kept, row[2] if isinstance(row[2], str) else cache.refusal]
    need = need_bytes(cache, settings["max_model_len"])
    extra = max(stage.block_bytes for stage in cache.stages) if cache.family.null_block else 0
    runs = [
        attempt(cache, need * up // down + extra * (up > 0) + more)
        for up, down, more in golden["parts"]
    ]
    return [name, kept, need, _groups(cache), extra, runs]


def attempt(cache: KvCache, memory: int) -> list[Any]:
    """Return [longest, error] where vLLM stops, else [blocks, tokens, concurrency]."""
    verdict = judge(cache, memory)
    if verdict.fits:
        return [verdict.blocks, verdict.cache_tokens, verdict.concurrency]
    error = hashlib.sha256(verdict.sentence.encode()).hexdigest()[:12]
    return [verdict.longest if verdict.checked_bytes > 0 else 0, error]


def _groups(cache: KvCache) -> list[list[Any]]:
    """Return the groups with the number of equal ones in a row."""
    rows = [
        [group.kind, group.block, group.page_bytes, len(group.members)] for group in cache.groups
    ]
    return [[*row, len(list(same))] for row, same in groupby(rows)]


def load(file: Path) -> dict[str, Any]:
    """Return a golden file."""
    golden: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return golden

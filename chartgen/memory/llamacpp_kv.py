"""The KV cache of llama.cpp's server, to the byte of what it prints at its start.

Source: llama.cpp b11434: src/llama-context.cpp:236-312 (context, batches, slots),
src/llama-kv-cache-iswa.cpp:74 (cells of windowed layers), src/llama-kv-cache.cpp:169-233 (tensors
of a layer), src/llama-memory-recurrent.cpp:97-101 (rows of recurrent state), src/llama-context.cpp:
3836-3874 (types that are refused), tools/server/server.cpp:168-185 (slots by default).
`tools/oracle/llamacpp_kv.py` compares it with a real server.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from chartgen.resources import shipped_data

# Contexts and windowed caches are rounded up to this (src/llama-context.cpp:292).
CELL_STEP = 256
# Slots without --parallel; the cache is unified then (tools/server/server.cpp:168).
DEFAULT_SLOTS = 4
# --batch-size and --ubatch-size (common/common.h:456).
DEFAULT_BATCH = 2048
DEFAULT_UBATCH = 512
# Recurrent state is kept in f32 whatever the cache types are (src/llama-model.cpp).
_STATE_BYTES = 4


@dataclass(frozen=True, slots=True)
class CacheType:
    """A type of cache elements: `block` elements take `size` bytes."""

    name: str
    block: int
    size: int

    @property
    def quantised(self) -> bool:
        """Tell whether elements come in blocks."""
        return self.block > 1

    def bytes_of(self, elements: int) -> int:
        """Return the bytes of a row; a row is whole blocks wherever the type is accepted."""
        return -(-elements // self.block) * self.size


@cache
def cache_types() -> Mapping[str, CacheType]:
    """Return the cache types of llama.cpp itself by name, from `llamacpp_types.yaml`."""
    data = shipped_data("chartgen.memory", "llamacpp_types.yaml")
    return {name: CacheType(name, facts["block"], facts["bytes"]) for name, facts in data.items()}


@dataclass(frozen=True, slots=True)
class LlamaLayer:
    """What one layer keeps.

    `attention`: keys and values of all tokens; `windowed`: of the window alone (sliding and
    chunked layers alike); `recurrent`: `state` numbers per sequence instead. A layer that reuses
    another's cache is left out. `values` is 0 for MLA, which keeps keys only.
    """

    kind: Literal["attention", "windowed", "recurrent"]
    heads: int = 0
    keys: int = 0
    values: int = 0
    window: int = 0
    state: int = 0


@dataclass(frozen=True, slots=True)
class LlamaSettings:
    """The arguments that decide the cache.

    `context` is --ctx-size, at least 1 (0 means the model's own, which the caller knows). `slots`
    is --parallel; without `unified` each slot has its own share of the context. `rollback`: states
    kept per sequence besides the current one, for drafts that may be rejected.
    """

    context: int
    type_k: CacheType
    type_v: CacheType
    slots: int = DEFAULT_SLOTS
    unified: bool = True
    batch: int = DEFAULT_BATCH
    ubatch: int = DEFAULT_UBATCH
    full_windows: bool = False
    flash_attention: bool = True
    rollback: int = 0


@dataclass(frozen=True, slots=True)
class LlamaCache:
    """What the server allocates.

    `context` is that of all slots after rounding, `per_slot` what one request may fill. `cells` and
    `window_cells` are per stream. The bytes are the sums of the tensors, as the log's lines
    "size =" give them; a backend may round each buffer up by less than 1 KiB a tensor.
    """

    context: int
    per_slot: int
    streams: int
    cells: int
    window_cells: int
    attention_bytes: int
    window_bytes: int
    state_bytes: int

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return self.attention_bytes + self.window_bytes + self.state_bytes


@dataclass(frozen=True, slots=True)
class CacheRefusal:
    """Why the server would not start with these settings."""

    reason: str


def llama_cache(layers: Sequence[LlamaLayer], settings: LlamaSettings) -> LlamaCache | CacheRefusal:
    """Return what the cache of a model takes, or why the server refuses the settings."""
    refusal = _refusal(layers, settings)
    if refusal is not None:
        return refusal
    context, per_slot = contexts_of(settings)
    streams = 1 if settings.unified else settings.slots
    batch = min(settings.context, settings.batch)
    ubatch = min(batch, settings.ubatch or batch)
    kept = [layer for layer in layers if layer.kind != "recurrent"]
    windows = {layer.window for layer in kept if layer.kind == "windowed"}
    # llama.cpp keeps one window for all windowed layers of a model.
    window = max(windows, default=0)
    together = settings.slots if settings.unified else 1
    window_cells = _rounded(min(per_slot, window * together + ubatch))
    if settings.full_windows:
        window_cells = per_slot
    # Without flash attention values lie transposed, and all layers get the widest row.
    widest = max((layer.heads * layer.values for layer in kept), default=0)

    def tensors(kind: str, cells: int) -> int:
        total = 0
        for layer in kept:
            if layer.kind == kind:
                width = layer.heads * layer.values
                width = widest if width and not settings.flash_attention else width
                row = settings.type_k.bytes_of(layer.heads * layer.keys)
                total += streams * cells * (row + settings.type_v.bytes_of(width))
        return total

    rows = settings.slots * (1 + settings.rollback)
    state = sum(layer.state for layer in layers if layer.kind == "recurrent")
    return LlamaCache(
        context=context,
        per_slot=per_slot,
        streams=streams,
        cells=per_slot,
        window_cells=window_cells if windows else 0,
        attention_bytes=tensors("attention", per_slot),
        window_bytes=tensors("windowed", window_cells),
        state_bytes=rows * state * _STATE_BYTES,
    )


def longest_context(
    layers: Sequence[LlamaLayer], settings: LlamaSettings, available: int, most: int
) -> int:
    """Return the largest --ctx-size up to `most` whose cache takes at most `available` bytes.

    0 where not even the smallest fits, or where the server refuses the settings. Contexts move in
    steps of 256 cells a slot.
    """

    def fits(context: int) -> bool:
        found = llama_cache(layers, replace(settings, context=context))
        return isinstance(found, LlamaCache) and found.total_bytes <= available

    if fits(most):
        return most
    step = CELL_STEP if settings.unified else CELL_STEP * settings.slots
    low, high = 0, most // step
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle * step) else (low, middle - 1)
    return low * step


def _rounded(cells: int) -> int:
    return -(-cells // CELL_STEP) * CELL_STEP


def contexts_of(settings: LlamaSettings) -> tuple[int, int]:
    """Return the context of all slots, as the server rounds it up, and that of one (tokens)."""
    context = _rounded(settings.context)
    if settings.unified:
        return context, context
    per_slot = _rounded(context // settings.slots)
    return per_slot * settings.slots, per_slot


def _refusal(layers: Iterable[LlamaLayer], settings: LlamaSettings) -> CacheRefusal | None:
    if settings.type_v.quantised and not settings.flash_attention:
        return CacheRefusal(
            f"values in {settings.type_v.name} need flash attention, which is switched off"
        )
    for layer in layers:
        if layer.kind == "recurrent":
            continue
        for what, kind, size in (
            ("keys", settings.type_k, layer.keys),
            ("values", settings.type_v, layer.values),
        ):
            width = size if settings.flash_attention else size * layer.heads
            if kind.quantised and width % kind.block:
                return CacheRefusal(
                    f"{kind.name} stores {kind.block} numbers in a block, and the {what} of a head "
                    f"are {size}"
                )
    return None

"""The facts of a model that decide how much memory it takes: layers, weights, draft layers.

They come from a model's own `config.json` (`chartgen.models.hf_config`) or from the header of a
GGUF (`chartgen.models.gguf_facts`). A number that is not known is None, never a guess, and its
name, as the model's own file spells it, stands in `ModelFacts.missing`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

LayerKind = Literal["full", "sliding", "chunked", "mla", "mamba", "gated-delta", "none"]
DraftMethod = Literal["mtp", "dflash", "eagle", "eagle3", "draft-model"]


@dataclass(frozen=True, slots=True)
class State:
    """The recurrent state of one layer for one sequence, on one GPU.

    `conv_channels` values are kept for each of the last `conv_kernel` - 1 tokens. `shape` is that
    of the other part, in values. `dtype` is what the model asks for that part ("float32"), empty
    where it asks for nothing and the engine takes its own. Sources of the shapes: vLLM 0.21.0,
    model_executor/layers/mamba/mamba_utils.py; llama.cpp b11434, src/llama-hparams.cpp:208.
    """

    conv_channels: int
    conv_kernel: int
    shape: tuple[int, ...]
    dtype: str = ""


@dataclass(frozen=True, slots=True)
class Layer:
    """What one layer keeps of the tokens it has seen.

    `full`, `sliding` and `chunked` keep, for each of `kv_heads` heads, `key_dim` + `value_dim`
    values per token; the latter two only of the last `window` tokens, or of the current chunk of
    that length. `mla` keeps `key_dim` values per token in all (latent and rotary part). `mamba`
    and `gated-delta` keep a `state` of fixed size. `none` keeps nothing of its own: it reads
    another layer's cache, or is no attention at all.
    """

    kind: LayerKind
    kv_heads: int = 0
    key_dim: int = 0
    value_dim: int = 0
    window: int = 0
    state: State | None = None


@dataclass(frozen=True, slots=True)
class RopeScaling:
    """How positions beyond the trained length are mapped: `yarn`, `linear`, `llama3` and others.

    `original_context` is the trained length in tokens, 0 where the model does not state it.
    """

    method: str
    factor: float
    original_context: int = 0


@dataclass(frozen=True, slots=True)
class Vision:
    """A vision tower. Tokens are those that one item takes of the context, at most.

    None where it depends on the size of the image, or is not known.
    """

    image_tokens: int | None = None
    video_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Drafter:
    """What makes a model a draft model.

    `tokens_per_pass` is what one pass of it proposes (vLLM's n_predict, DFlash's block). With
    `shares_target_cache` its layers read the target's cache and keep none. `target_hidden` and
    `target_layers` are the width and the depth of the model it was made for, None where unknown;
    `reads_layers` are the layers of the target whose output it is given.
    """

    method: DraftMethod
    tokens_per_pass: int
    shares_target_cache: bool = False
    target_hidden: int | None = None
    target_layers: int | None = None
    reads_layers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Everything known of one model.

    `family` is the `model_type` of a config or the architecture of a GGUF, `architecture` the
    class or the architecture. `layers` are in the model's order and empty where they cannot be
    told; `mtp_layers` are the checkpoint's own layers for multi-token prediction, which count
    only where speculation uses them. `experts` is 0 for a dense model. `quantisation` names the
    format of the weights; `kv_quantisation` is the format that the checkpoint asks the cache to
    have ("fp8"), empty where it asks for none. `weight_bytes` is the size of the weights, and
    `weight_types` splits it by type where a GGUF told; `embedding_bytes` is the part in the
    table of input embeddings. `projector` marks a file with only a vision or audio encoder.

    `sources` maps the name of a field of the model's file (`weight_bytes`, `config.hidden_size`)
    or of a group of them (`config`) to where it was read; `inferred` names those that nobody has
    read but that follow from others. `missing` names what would be needed and is not known.
    """

    name: str
    family: str
    architecture: str
    layers: tuple[Layer, ...] = ()
    mtp_layers: tuple[Layer, ...] = ()
    native_context: int | None = None
    rope_scaling: RopeScaling | None = None
    hidden: int | None = None
    heads: int | None = None
    vocabulary: int | None = None
    experts: int | None = None
    experts_per_token: int | None = None
    vision: Vision | None = None
    audio: bool = False
    projector: bool = False
    quantisation: str = ""
    kv_quantisation: str = ""
    dtype: str = ""
    drafter: Drafter | None = None
    weight_bytes: int | None = None
    weight_types: Mapping[str, int] = field(default_factory=dict)
    embedding_bytes: int | None = None
    commit: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)
    inferred: frozenset[str] = frozenset()
    missing: tuple[str, ...] = ()

    def source(self, name: str) -> str:
        """Return where a field was read: its own entry, else that of the nearest group above."""
        while name:
            if name in self.sources:
                return self.sources[name]
            name = name.rpartition(".")[0]
        return ""


def layer_counts(layers: Iterable[Layer]) -> tuple[tuple[Layer, int], ...]:
    """Return equal layers as (layer, how many), in the order of their first appearance."""
    counts: dict[Layer, int] = {}
    for layer in layers:
        counts[layer] = counts.get(layer, 0) + 1
    return tuple(counts.items())

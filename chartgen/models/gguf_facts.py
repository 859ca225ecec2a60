"""The facts of a model from the keys of its GGUF."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from chartgen.models.facts import Drafter, Layer, ModelFacts, RopeScaling, State, Vision
from chartgen.models.gguf_keys import ARCHITECTURE

# The part of a llama.cpp model that encodes images and sound.
PROJECTOR = "clip"
# Layers per layer of full attention, where a file does not say: `load_swa_pattern` in llama.cpp
# b11434, src/models/*.cpp.
_WINDOW_PERIODS: Mapping[str, int] = MappingProxyType(
    {
        "cohere2": 4,
        "exaone4": 4,
        "gemma2": 2,
        "gemma3": 6,
        "gemma3n": 5,
        "gpt-oss": 2,
        "llama4": 4,
        "olmo2": 4,
        "plamo3": 8,
    }
)
# llama.cpp b11434, src/models/llama4.cpp:14: the chunk of Llama 4, whatever the file says.
_LLAMA4_CHUNK = 8192
# Recurrent layers are those without heads for the cache: `is_recr_impl` in src/models/*.cpp.
_HEADLESS_MAMBA = frozenset({"granitehybrid", "jamba", "nemotron_h", "nemotron_h_moe", "plamo2"})
_GATED_DELTA = frozenset({"qwen35", "qwen35moe", "qwen3next"})
# src/models/qwen35.cpp:21: every fourth layer, where the file does not say.
_GATED_DELTA_PERIOD = 4
# Layers of another kind, of which nothing here knows what they keep.
_FOREIGN = frozenset(
    {"bailingmoe3", "deepseek4", "glm5-next", "kimi-k3", "kimi-linear", "lfm2", "lfm2moe",
     "mamba", "mamba2", "minimax-01", "qwen4exp", "rwkv6", "rwkv6qwen2", "rwkv7"}
)  # fmt: skip
# llama.cpp b11434, src/llama-hparams.h: LLAMA_MAX_LAYERS.
_MOST_LAYERS = 512
# The converters of llama.cpp and of a fork name it differently.
_ASSISTANTS = frozenset({"gemma4-assistant", "gemma4_assistant"})
_DFLASH = frozenset({"dflash", "dflash-draft"})


def facts_of_metadata(name: str, metadata: Mapping[str, Any]) -> ModelFacts:
    """Return what the keys of a GGUF tell; weights and sources are the caller's to add."""
    architecture = str(metadata.get(ARCHITECTURE, ""))
    if architecture == PROJECTOR:
        return ModelFacts(
            name=name,
            family=architecture,
            architecture=architecture,
            experts=0,
            vision=Vision() if metadata.get("clip.has_vision_encoder", True) else None,
            audio=bool(metadata.get("clip.has_audio_encoder")),
            projector=True,
        )
    reader = _Keys(architecture, metadata)
    drafter = reader.drafter()
    own, extra = reader.layers(shares=drafter is not None and drafter.shares_target_cache)
    context = reader.count("context_length")
    if context is None and drafter is None:
        reader.missing.append(f"{architecture}.context_length")
    return ModelFacts(
        name=name,
        family=architecture,
        architecture=architecture,
        layers=() if reader.missing_layers else own,
        mtp_layers=() if reader.missing_layers else extra,
        native_context=context,
        rope_scaling=reader.rope_scaling(),
        hidden=reader.count("embedding_length"),
        heads=reader.heads("attention.head_count", 0),
        vocabulary=reader.count("vocab_size"),
        experts=reader.count("expert_count") or 0,
        experts_per_token=reader.count("expert_used_count") or 0,
        drafter=drafter,
        missing=tuple(reader.missing),
    )


class _Keys:
    """Reads the keys of one architecture; `missing` collects the names of what is needed."""

    def __init__(self, architecture: str, metadata: Mapping[str, Any]) -> None:
        self._architecture = architecture
        self._metadata = metadata
        self.missing: list[str] = [] if architecture else [ARCHITECTURE]
        self.missing_layers = not architecture

    def value(self, suffix: str) -> Any:
        return self._metadata.get(f"{self._architecture}.{suffix}")

    def count(self, suffix: str) -> int | None:
        value = self.value(suffix)
        whole = isinstance(value, int) and not isinstance(value, bool)
        return value if whole and value >= 0 else None

    def heads(self, suffix: str, index: int) -> int | None:
        """Return a count that may be one for each layer."""
        value = self.value(suffix)
        if isinstance(value, Sequence) and not isinstance(value, str):
            found = value[index] if index < len(value) else None
            return found if isinstance(found, int) else None
        return self.count(suffix)

    def need(self, suffix: str, value: int | None) -> int:
        if value is None:
            name = f"{self._architecture}.{suffix}"
            self.missing_layers = True
            if name not in self.missing:
                self.missing.append(name)
            return 0
        return value

    def drafter(self) -> Drafter | None:
        architecture = self._architecture
        if architecture in _ASSISTANTS:
            target = self.count("embedding_length_out") or self.count("n_embd_backbone")
            return Drafter("mtp", 1, shares_target_cache=True, target_hidden=target)
        if architecture in _DFLASH:
            reads = self.value("target_layers") or self.value("dflash.target_layer_ids") or ()
            block = self.count("block_size") or self.count("dflash.block_size") or 1
            return Drafter(
                "dflash",
                block,
                target_hidden=self.count("embedding_length"),
                reads_layers=tuple(reads),
            )
        if architecture == "eagle3":
            return Drafter("eagle3", 1, target_hidden=self.count("embedding_length"))
        return None

    def layers(self, *, shares: bool) -> tuple[tuple[Layer, ...], tuple[Layer, ...]]:
        """Return the layers of the model, and those for multi-token prediction behind them."""
        if self._architecture in _FOREIGN:
            self.need("layers", None)
        claimed = self.count("block_count")
        sound = claimed is not None and claimed <= _MOST_LAYERS
        blocks = self.need("block_count", claimed if sound else None)
        if shares:
            return (Layer("none"),) * blocks, ()
        extra = min(self.count("nextn_predict_layers") or 0, blocks)
        own = blocks - extra
        shared = self.count("attention.shared_kv_layers") or 0
        layers = [Layer("none") if i >= own - shared else self._layer(i) for i in range(own)]
        return tuple(layers), tuple(self._full(i) for i in range(own, blocks))

    def _layer(self, index: int) -> Layer:
        if self._recurrent(index):
            return self._state()
        heads = self.heads("attention.head_count_kv", index)
        if heads == 0:
            return Layer("none")
        if self._windowed(index):
            return self._sliding(index)
        return self._full(index)

    def _recurrent(self, index: int) -> bool:
        flags = self.value("attention.recurrent_layers")
        if flags is not None:
            return index < len(flags) and bool(flags[index])
        if self._architecture in _GATED_DELTA:
            period = self.count("full_attention_interval") or _GATED_DELTA_PERIOD
            return (index + 1) % period != 0
        if self._architecture in _HEADLESS_MAMBA:
            feed_forward = self.value("feed_forward_length")
            # NemotronH: a block without heads that has a width is plain feed-forward.
            plain = isinstance(feed_forward, Sequence) and bool(
                self.heads("feed_forward_length", index)
            )
            headless = self.heads("attention.head_count_kv", index) == 0
            return headless and not (plain and self._architecture.startswith("nemotron"))
        return False

    def _windowed(self, index: int) -> bool:
        if not self.count("attention.sliding_window") and self._architecture != "llama4":
            return False
        pattern = self.value("attention.sliding_window_pattern")
        if isinstance(pattern, Sequence):
            return index < len(pattern) and bool(pattern[index])
        period = self.count("attention.sliding_window_pattern") or _WINDOW_PERIODS.get(
            self._architecture
        )
        self.need("attention.sliding_window_pattern", period)
        return bool(period) and (index + 1) % (period or 1) != 0

    def _head_size(self, suffix: str) -> int:
        stated = self.count(f"attention.{suffix}")
        if stated is not None:
            return stated
        width, heads = self.count("embedding_length"), self.heads("attention.head_count", 0)
        return self.need(f"attention.{suffix}", width // heads if width and heads else None)

    def _kv_heads(self, index: int) -> int:
        heads = self.heads("attention.head_count_kv", index)
        if heads is None:
            heads = self.heads("attention.head_count", index)
        return self.need("attention.head_count_kv", heads)

    def _full(self, index: int) -> Layer:
        rank = self.count("attention.kv_lora_rank")
        if rank:
            rotary = self.need("rope.dimension_count", self.count("rope.dimension_count"))
            return Layer("mla", 1, rank + rotary, 0)
        sizes = self._head_size("key_length"), self._head_size("value_length")
        return Layer("full", self._kv_heads(index), *sizes)

    def _sliding(self, index: int) -> Layer:
        key = self.count("attention.key_length_swa") or self._head_size("key_length")
        value = self.count("attention.value_length_swa") or self._head_size("value_length")
        if self._architecture == "llama4":
            return Layer("chunked", self._kv_heads(index), key, value, _LLAMA4_CHUNK)
        window = self.need("attention.sliding_window", self.count("attention.sliding_window"))
        return Layer("sliding", self._kv_heads(index), key, value, window)

    def _state(self) -> Layer:
        inner = self.need("ssm.inner_size", self.count("ssm.inner_size"))
        size = self.need("ssm.state_size", self.count("ssm.state_size"))
        kernel = self.need("ssm.conv_kernel", self.count("ssm.conv_kernel"))
        groups = self.count("ssm.group_count") or 0
        heads = self.count("ssm.time_step_rank") or 0
        # The first Mamba has no heads, and its rank of steps does not divide its width.
        shape = (heads, inner // heads, size) if groups and heads else (inner, size)
        state = State(inner + 2 * groups * size, kernel, shape)
        gated = self._architecture in _GATED_DELTA
        return Layer("gated-delta" if gated else "mamba", state=state)

    def rope_scaling(self) -> RopeScaling | None:
        method, factor = self.value("rope.scaling.type"), self.value("rope.scaling.factor")
        if not isinstance(method, str) or not isinstance(factor, (int, float)) or not factor:
            return None
        original = self.count("rope.scaling.original_context_length") or 0
        return RopeScaling(method, float(factor), original)

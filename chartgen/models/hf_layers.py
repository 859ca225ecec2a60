"""The layers of a language model, from its config: their kinds, heads, windows and states."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from chartgen.models.facts import Layer, LayerKind, State
from chartgen.models.hf_schema import LayerOverride, TextConfig

# A layer of full attention after this many minus one windowed ones, where the config does not
# say: the configuration classes of transformers 5.23.
_WINDOW_PERIODS: Mapping[str, int] = MappingProxyType(
    {
        "cohere2": 4,
        "exaone4": 4,
        "gemma2": 2,
        "gemma3": 6,
        "gemma3_text": 6,
        "gemma3n_text": 5,
        "gemma4_text": 6,
        "gpt_oss": 2,
        "olmo3": 4,
    }
)
# Likewise among layers of gated delta networks.
_LINEAR_PERIODS: Mapping[str, int] = MappingProxyType(
    {"qwen3_next": 4, "qwen3_5_text": 4, "qwen3_5_moe_text": 4}
)
# Families whose config has `kv_lora_rank` and whose layers keep the latent of it: vLLM 0.33.0,
# transformers_utils/model_arch_config_convertor.py is_deepseek_mla.
_LATENT = frozenset(
    {
        "deepseek_v2",
        "deepseek_v3",
        "deepseek_v32",
        "deepseek_mtp",
        "glm4_moe_lite",
        "glm_moe_dsa",
        "kimi_k2",
        "longcat_flash",
        "pangu_ultra_moe",
    }
)
# "linear" is a gated delta network in some families and Mamba in others: their fields tell.
Kind = LayerKind | Literal["linear"]
_KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "attention": "full",
        "full_attention": "full",
        "sliding_attention": "sliding",
        "chunked_attention": "chunked",
        "linear_attention": "linear",
        "mamba": "mamba",
        "mlp": "none",
        "moe": "none",
    }
)
# Letters of NemotronH's patterns (transformers 5.23, configuration_nemotron_h.py).
_LETTERS: Mapping[str, Kind] = MappingProxyType(
    {"M": "mamba", "*": "full", "-": "none", "E": "none"}
)
_NOTHING = LayerOverride()


class LayerReader:
    """Reads the layers of one config; `missing` collects the names of what would be needed."""

    def __init__(self, config: TextConfig) -> None:
        self._config = config
        self.missing: list[str] = []

    def layers(self) -> tuple[Layer, ...]:
        """Return the layers in order, none where they cannot be told."""
        kinds = self._shared(self._kinds())
        overrides = {int(index): one for index, one in self._config.per_layer_config.items()}
        made = [self._layer(kind, overrides.get(i, _NOTHING)) for i, kind in enumerate(kinds)]
        return () if self.missing else tuple(made)

    def mtp_layers(self) -> tuple[Layer, ...]:
        """Return the layers for multi-token prediction that the checkpoint has of its own."""
        config = self._config
        count = config.mtp_num_hidden_layers or config.num_nextn_predict_layers or 0
        if config.mtp_hybrid_override_pattern or config.mtp_layers_block_type:
            pattern = self._named(config.mtp_layers_block_type or ()) or self._lettered(
                config.mtp_hybrid_override_pattern or ""
            )
            kinds = pattern * count
        else:
            kinds = ["mla" if self._latent else "full"] * count
        made = [self._layer(kind, _NOTHING) for kind in kinds]
        return () if self.missing else tuple(made)

    @property
    def _latent(self) -> bool:
        return self._config.model_type in _LATENT and self._config.kv_lora_rank is not None

    def _need(self, name: str, value: int | None) -> int:
        """Return a number, or note that it is missing."""
        if value is None:
            if name not in self.missing:
                self.missing.append(name)
            return 0
        return value

    def _kinds(self) -> list[Kind]:
        config = self._config
        for names in (config.layer_types, config.layers_block_type):
            if names:
                return self._last_full(self._counted(self._named(names), "layer_types"))
        if pattern := config.hybrid_override_pattern:
            return self._counted(self._lettered(pattern), "hybrid_override_pattern")
        count = self._need("num_hidden_layers", config.num_hidden_layers)
        if self._latent:
            return ["mla"] * count
        if config.attn_layer_indices is not None:
            return ["full" if i in config.attn_layer_indices else "mamba" for i in range(count)]
        if config.attn_layer_period:
            offset = config.attn_layer_offset or 0
            return [
                "full" if i % config.attn_layer_period == offset else "mamba" for i in range(count)
            ]
        if linear := config.full_attention_interval or self._default(_LINEAR_PERIODS):
            return ["linear" if (i + 1) % linear else "full" for i in range(count)]
        if config.attention_chunk_size:
            return self._chunked(count)
        return self._last_full(self._windowed(count))

    def _counted(self, kinds: list[Kind], name: str) -> list[Kind]:
        """Return as many kinds as there are layers; some configs go on with those for drafts."""
        count = self._config.num_hidden_layers
        if count is not None and count > len(kinds):
            self._need(name, None)
        return kinds[:count] if count else kinds

    def _default(self, periods: Mapping[str, int]) -> int:
        return periods.get(self._config.model_type or "", 0)

    def _named(self, names: tuple[str, ...]) -> list[Kind]:
        unknown = sorted({name for name in names if name not in _KINDS})
        if unknown:
            self._need("layer_types", None)
        return [_KINDS.get(name, "none") for name in names]

    def _lettered(self, pattern: str) -> list[Kind]:
        if set(pattern) - set(_LETTERS):
            self._need("hybrid_override_pattern", None)
        return [_LETTERS.get(letter, "none") for letter in pattern]

    def _chunked(self, count: int) -> list[Kind]:
        """Llama 4: layers without rotary positions see everything, the others a chunk."""
        config = self._config
        interval = config.no_rope_layer_interval or 4
        rotary = config.no_rope_layers or [int((i + 1) % interval != 0) for i in range(count)]
        return ["chunked" if flag else "full" for flag in rotary]

    def _windowed(self, count: int) -> list[Kind]:
        config = self._config
        if not config.sliding_window or config.use_sliding_window is False:
            return ["full"] * count
        pattern = config.sliding_window_pattern
        if isinstance(pattern, str):  # EXAONE 4: "LLLG"
            return ["full" if pattern[i % len(pattern)] == "G" else "sliding" for i in range(count)]
        if period := pattern or self._default(_WINDOW_PERIODS):
            return ["sliding" if (i + 1) % period else "full" for i in range(count)]
        if config.use_sliding_window and config.max_window_layers is not None:
            return ["full" if i < config.max_window_layers else "sliding" for i in range(count)]
        return ["sliding"] * count

    def _last_full(self, kinds: list[Kind]) -> list[Kind]:
        """Gemma 4 makes its last layer one of full attention, whatever the config says."""
        if kinds and self._config.model_type == "gemma4_text" and kinds[-1] == "sliding":
            return [*kinds[:-1], "full"]
        return kinds

    def _shared(self, kinds: list[Kind]) -> list[Kind]:
        """Drop the caches of the last layers, which read those of layers before them."""
        own = len(kinds) - (self._config.num_kv_shared_layers or 0)
        return [kind if i < own else "none" for i, kind in enumerate(kinds)]

    def _layer(self, kind: Kind, override: LayerOverride) -> Layer:
        if kind == "linear":
            gated = self._config.linear_num_value_heads is not None
            return self._gated_delta() if gated else self._mamba()
        if kind == "mamba":
            return self._mamba()
        if kind == "mla":
            return self._mla()
        if kind == "full":
            return self._full(override)
        if kind == "sliding":
            window = override.sliding_window or self._config.sliding_window
            length = self._need("sliding_window", window)
            return Layer("sliding", *self._sizes(override), length)
        if kind == "chunked":
            chunk = override.attention_chunk_size or self._config.attention_chunk_size
            length = self._need("attention_chunk_size", chunk)
            return Layer("chunked", *self._sizes(override), length)
        return Layer("none")

    def _full(self, override: LayerOverride) -> Layer:
        config = self._config
        # Gemma 4; the number of heads counts only where keys serve as values too (vLLM 0.21.0,
        # model_executor/models/gemma4.py:556).
        own_heads = config.num_global_key_value_heads if config.attention_k_eq_v else None
        heads = override.num_key_value_heads or own_heads
        size = override.head_dim or config.global_head_dim
        merged = override.model_copy(update={"num_key_value_heads": heads, "head_dim": size})
        return Layer("full", *self._sizes(merged))

    def _sizes(self, override: LayerOverride) -> tuple[int, int, int]:
        """Return the heads of the cache, and the sizes of a key and of a value."""
        config = self._config
        heads = override.num_key_value_heads or config.num_key_value_heads or config.num_kv_heads
        if heads is None:
            heads = self._need("num_key_value_heads", config.num_attention_heads)
        size = override.head_dim or config.head_dim or self._even_share()
        return heads, size, config.v_head_dim or size

    def _even_share(self) -> int:
        config = self._config
        if config.hidden_size is None or not config.num_attention_heads:
            return self._need("head_dim", None)
        return config.hidden_size // config.num_attention_heads

    def _mla(self) -> Layer:
        rank = self._need("kv_lora_rank", self._config.kv_lora_rank)
        rotary = self._need("qk_rope_head_dim", self._config.qk_rope_head_dim)
        return Layer("mla", 1, rank + rotary, 0)

    def _gated_delta(self) -> Layer:
        config = self._config
        keys = self._need("linear_num_key_heads", config.linear_num_key_heads)
        values = self._need("linear_num_value_heads", config.linear_num_value_heads)
        key_dim = self._need("linear_key_head_dim", config.linear_key_head_dim)
        value_dim = self._need("linear_value_head_dim", config.linear_value_head_dim)
        state = State(
            conv_channels=2 * keys * key_dim + values * value_dim,
            conv_kernel=self._need("linear_conv_kernel_dim", config.linear_conv_kernel_dim),
            shape=(values, value_dim, key_dim),
            dtype=config.mamba_ssm_dtype or "",
        )
        return Layer("gated-delta", state=state)

    def _mamba(self) -> Layer:
        config = self._config
        states = self._need("mamba_d_state", config.ssm_state_size or config.mamba_d_state)
        kernel = self._need("mamba_d_conv", config.conv_kernel or config.mamba_d_conv)
        heads = config.mamba_num_heads or config.mamba_n_heads
        dtype = config.mamba_ssm_cache_dtype or config.mamba_ssm_dtype or ""
        if heads:
            size = self._need("mamba_head_dim", config.mamba_head_dim or config.mamba_d_head)
            groups = self._need("mamba_n_groups", config.n_groups or config.mamba_n_groups)
            channels = heads * size + 2 * groups * states
            return Layer("mamba", state=State(channels, kernel, (heads, size, states), dtype))
        # The first Mamba has no heads.
        expand = self._need("mamba_expand", config.mamba_expand)
        inner = expand * self._need("hidden_size", config.hidden_size)
        return Layer("mamba", state=State(inner, kernel, (inner, states), dtype))

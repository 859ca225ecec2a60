"""What a spec's arguments mean for the memory of vLLM.

Sources: vllm 0.21.0, engine/arg_utils.py and config/; what differs between releases stands in
`vllm_kv_families.yaml`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from chartgen.engines.vllm import speculative_config
from chartgen.hardware import Hardware
from chartgen.memory.given import Given, whole
from chartgen.memory.parts import MIB
from chartgen.memory.vllm_kv_batch import GEMMA4_ITEM_TOKENS, default_batch, largest_item
from chartgen.memory.vllm_kv_family import KvFamily, kv_family
from chartgen.memory.vllm_kv_settings import KvSettings
from chartgen.models.facts import ModelFacts
from chartgen.spec.engine import VllmEngine

ALIASES: Mapping[str, str] = {
    "tp": "tensor-parallel-size",
    "pp": "pipeline-parallel-size",
    "cc": "compilation-config",
    "ac": "attention-config",
    "device-memory-utilization": "gpu-memory-utilization",
    "disable-prefix-caching": "!enable-prefix-caching",
    "disable-chunked-prefill": "!enable-chunked-prefill",
}
# Families whose images are attended to in both directions, so that an item must lie in one batch
# (vllm 0.21.0, transformers_utils/model_arch_config_convertor.py is_mm_prefix_lm).
_PREFIX_LM = frozenset({"bagel", "gemma3", "gemma4", "molmo2", "moondream3", "paligemma", "umm"})
# Arguments that take a number of at least one.
_COUNTS = (
    "max-num-seqs",
    "max-num-batched-tokens",
    "block-size",
    "mamba-block-size",
    "tensor-parallel-size",
    "pipeline-parallel-size",
    "kv-cache-memory-bytes",
    "num-gpu-blocks-override",
)
_MODALITIES = ("image", "video", "audio")


@dataclass(frozen=True, slots=True)
class VllmRun:
    """All that the plan takes from the arguments of one server.

    `utilisation` is --gpu-memory-utilization, `cache_bytes` --kv-cache-memory-bytes, which makes
    the former void. `sequences` is --max-num-seqs. `limits` are the items of --limit-mm-per-prompt
    by modality, `items` the tokens of one item of each. `fits_itself`: --max-model-len auto.
    `stated` names the arguments that the spec gives itself, `unread` those whose value makes no
    sense, without which there is no plan.
    """

    kv: KvSettings
    utilisation: float
    sequences: int
    cache_bytes: int | None
    chunked_prefill: bool
    graphs: bool
    graph_estimate: bool
    limits: Mapping[str, int]
    items: Mapping[str, int]
    prefix_lm: bool
    fits_itself: bool
    stated: frozenset[str]
    unread: tuple[str, ...] = ()

    @property
    def multimodal(self) -> bool:
        """Tell whether any item may come with a request."""
        return bool(self.items) and largest_item(self.items, self.limits)[1] > 0

    def at(self, context: int) -> VllmRun:
        """Return the same server with another context."""
        return replace(self, kv=replace(self.kv, max_model_len=context), fits_itself=False)


def vllm_run(
    engine: VllmEngine,
    release: str,
    hardware: Hardware,
    target: ModelFacts | None,
    environment: Mapping[str, str],
) -> VllmRun:
    """Return what the arguments of a spec ask for on a release and a card.

    `environment` are the plain variables of the engine's container. Where a value is neither given
    nor known (the context of a model without facts), 1 stands for it; the plan then says what is
    missing. Raises ValueError where nothing is known of the release.
    """
    family = kv_family(release)
    given = Given.of(engine.args, ALIASES)
    native = target.native_context if target is not None else None
    asked = engine.context if engine.context is not None else given.whole("max-model-len")
    automatic = asked == -1 or given.text("max-model-len") == "auto"
    context = asked if asked is not None and asked > 0 else native or 1
    items, prefix_lm = _items(target)
    limits = _limits(given)
    chunked = given.switch("enable-chunked-prefill", default=True)
    batch = default_batch(
        release,
        gpu_memory_bytes=hardware.gpu_memory_mib * MIB,
        gpu=hardware.title,
        max_model_len=context,
        sequences=given.count("max-num-seqs"),
        chunked_prefill=chunked,
        throughput_mode=given.text("performance-mode") == "throughput",
        prefix_lm_item_tokens=max(items.values(), default=0) if prefix_lm else 0,
    )
    speculation = speculative_config(engine) or {}
    drafting = bool(speculation) or engine.draft is not None
    method = str(speculation.get("method") or ("draft_model" if drafting else ""))
    kv = KvSettings(
        release=release,
        max_model_len=context,
        batched_tokens=given.count("max-num-batched-tokens") or batch.batched_tokens,
        kv_type=_kv_type(given, target),
        model_dtype=_dtype(given, target),
        block_size=given.count("block-size"),
        backend=given.text("attention-backend").upper(),
        async_scheduling=_tristate(given, "async-scheduling"),
        runner_v2=_flag(environment.get("VLLM_USE_V2_MODEL_RUNNER")),
        speculative_method=method,
        speculative_tokens=max(
            int(drafting), whole(speculation.get("num_speculative_tokens")) or 0
        ),
        prefix_caching=_tristate(given, "enable-prefix-caching"),
        mamba_cache_mode=given.text("mamba-cache-mode"),
        mamba_block_size=given.count("mamba-block-size"),
        state_prefix_mode_all=target is not None and any(x.kind == "mamba" for x in target.layers),
        layout=environment.get("VLLM_KV_CACHE_LAYOUT", ""),
        disable_hybrid=given.switch("disable-hybrid-kv-cache-manager"),
        blocks_override=given.count("num-gpu-blocks-override"),
        tensor_parallel=given.count("tensor-parallel-size") or 1,
        pipeline_parallel=given.count("pipeline-parallel-size") or 1,
    )
    estimate = _flag(environment.get("VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS"))
    share = given.share("gpu-memory-utilization")
    return VllmRun(
        kv=kv,
        utilisation=share if share is not None else family.gpu_memory_utilization,
        sequences=given.count("max-num-seqs") or batch.sequences,
        cache_bytes=given.count("kv-cache-memory-bytes"),
        chunked_prefill=chunked,
        graphs=not _eager(given),
        graph_estimate=family.graph_estimate == "on" if estimate is None else estimate,
        limits=limits,
        items=items,
        prefix_lm=prefix_lm,
        fits_itself=automatic,
        stated=frozenset(given.values),
        unread=tuple(_unread(given, family)),
    )


def _unread(given: Given, family: KvFamily) -> Iterator[str]:
    """Yield the arguments from which no number or type can be read."""
    yield from given.unread(_COUNTS, given.count)
    yield from given.unread(("gpu-memory-utilization",), given.share)
    if given.text("max-model-len") != "auto":
        yield from given.unread(("max-model-len",), given.whole)
    kind = given.values.get("kv-cache-dtype")
    if kind is not None and kind not in ("auto", *family.kv_types):
        yield "--kv-cache-dtype"


def _kv_type(given: Given, target: ModelFacts | None) -> str:
    """Return --kv-cache-dtype; `auto` takes what the checkpoint asks for (torch_utils.py)."""
    stated = given.text("kv-cache-dtype") or "auto"
    if stated == "auto" and target is not None and target.kv_quantisation:
        return target.kv_quantisation
    return stated


def _dtype(given: Given, target: ModelFacts | None) -> str:
    stated = given.text("dtype")
    if stated not in ("", "auto"):
        return stated
    own = target.dtype if target is not None else ""
    # --dtype auto makes bfloat16 of float32 models (config/model.py _get_and_verify_dtype).
    return own if own in {"bfloat16", "float16"} else "bfloat16"


def _items(target: ModelFacts | None) -> tuple[dict[str, int], bool]:
    """Return the tokens of one item by modality, and whether items must lie in one batch."""
    if target is None or target.vision is None:
        return {}, False
    family = target.family.removesuffix("_text")
    prefix_lm = family in _PREFIX_LM
    found = {"image": target.vision.image_tokens, "video": target.vision.video_tokens}
    if family.startswith("gemma4"):
        found = {name: found[name] or GEMMA4_ITEM_TOKENS[name] for name in found}
    return {name: tokens for name, tokens in found.items() if tokens}, prefix_lm


def _limits(given: Given) -> dict[str, int]:
    if given.switch("language-model-only"):
        return dict.fromkeys(_MODALITIES, 0)
    limits = {}
    for name, value in given.item("limit-mm-per-prompt").items():
        count = whole(value.get("count") if isinstance(value, Mapping) else value)
        if count is not None:
            limits[str(name)] = count
    return limits


def _tristate(given: Given, name: str) -> bool | None:
    return given.switch(name) if name in given.values else None


def _flag(value: str | None) -> bool | None:
    return None if value is None else value.strip().lower() in {"1", "true"}


def _eager(given: Given) -> bool:
    """Tell whether no CUDA graphs are captured."""
    mode = given.item("compilation-config").get("cudagraph_mode")
    return given.switch("enforce-eager") or mode in (0, "0", "NONE", "none")

"""Run vLLM's own KV-cache functions over a grid of models and keep what they say.

    python tools/oracle/vllm_kv.py WHEELS RELEASE --out FILE

WHEELS is a folder with one folder per release that holds the unzipped wheel (only its .py files
and dist-info are needed); the Python that runs this needs torch for the CPU and what that release
imports (tools/engine_tables makes both). No GPU and no compiled part of vLLM is used: specs are
built by the layer classes' own `get_kv_cache_spec`, blocks aligned by the platform's own code,
grouped, sized and checked by `get_kv_cache_configs`. The file is what tests/test_vllm_kv.py
compares with chartgen.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import hashlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import json
import logging
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args
from unittest.mock import MagicMock

from vllm_kv_grid import MODELS, cases

# Memory as parts of the need of one request of full length: one more than enough, enough to the
# byte, one byte too little, much less, much more, almost none, none.
PARTS: tuple[tuple[int, int, int], ...] = (
    (1, 1, 0),
    (1, 1, -1),
    (3, 8, 5),
    (7, 3, 777),
    (1, 500, 1),
    (0, 1, 0),
)
# Settings that a point of the golden file leaves out.
COMMON = {"max_model_len": 131072, "batched_tokens": 8192}


class Loose(types.SimpleNamespace):
    """A configuration of which only some fields matter: every other one is None."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return None


class Stubs(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Packages of which only the names are needed."""

    names = ("flashinfer",)

    def find_spec(self, fullname: str, *_where: Any) -> Any:
        """Return a spec for a stubbed package."""
        if fullname.partition(".")[0] in self.names:
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: Any) -> Any:
        """Return a module that has every name."""
        module = MagicMock()
        module.__path__ = []
        module.__spec__ = spec
        return module

    def exec_module(self, module: Any) -> None:
        """Do nothing: there is nothing to run."""


class NotAskedError(Exception):
    """A point of the grid that this release cannot be asked."""


def first(*names: str) -> Any:
    """Return the first module that this release has; raises NotAskedError for none."""
    for name in names:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not name.startswith(error.name):
                raise NotAskedError(f"{name}: {error}") from error
    raise NotAskedError(f"this release has none of {', '.join(names)}")


class Engine:
    """The functions of one release of vLLM."""

    def __init__(self, release: str) -> None:
        self.key = tuple(int(part) for part in release.split("."))
        self.interface = first("vllm.v1.kv_cache_interface")
        self.utils = first("vllm.v1.core.kv_cache_utils")
        try:
            self.planning = first("vllm.v1.core.kv_cache_planning")
        except NotAskedError:
            self.planning = self.utils
        self.torch_utils = first("vllm.utils.torch_utils", "vllm.utils")
        self.config = first("vllm.config.vllm", "vllm.config")
        self.checks: list[tuple[int, int, int]] = []
        self.log: list[tuple[Any, ...]] = []
        self._record_checks()
        self.config.set_current_vllm_config = lambda _config: contextlib.nullcontext()
        if (0, 24, 0) <= self.key < (0, 29, 0):
            # Without a connector: v1/attention/backends/utils.py get_kv_cache_layout.
            layouts = first("vllm.v1.attention.backends.utils")
            layouts.get_kv_connector_cache_layout = lambda: "NHD"
        recorder = MagicMock()
        for level in ("info", "info_once"):
            getattr(recorder, level).side_effect = lambda *words, **_: self.log.append(words)
        self.planning.logger = recorder

    def _record_checks(self) -> None:
        """Keep what every check of memory compares, and what it estimates."""
        if self.key >= (0, 14, 0):
            name = "_check_enough_kv_cache_memory"
            original = getattr(self.planning, name)

            def check(available: int, needed: Any, length: int, estimate: Any) -> None:
                if available > 0:
                    need = needed()
                    longest = length if need <= available else estimate(available)
                    self.checks.append((available, need, longest))
                original(available, needed, length, estimate)

            setattr(self.planning, name, check)
            return
        before = self.planning.check_enough_kv_cache_memory

        def check_specs(config: Any, specs: Any, available: int) -> None:
            length = config.model_config.max_model_len
            if specs and available > 0:
                needed = self.planning.max_memory_usage_bytes(config, specs.values())
                longest = self.planning.estimate_max_model_len(config, specs, available)
                config.model_config.max_model_len = length
                self.checks.append((available, needed, longest))
            before(config, specs, available)

        self.planning.check_enough_kv_cache_memory = check_specs

    def dtype(self, name: str) -> Any:
        """Return the torch type of a name of --dtype or --kv-cache-dtype."""
        return self.torch_utils.STR_DTYPE_TO_TORCH_DTYPE[name]


def engine_config(engine: Engine, settings: Mapping[str, Any]) -> Any:
    """Return a configuration with the fields that the KV functions read."""
    length = settings["max_model_len"]
    mtp = None
    speculative = settings.get("speculative_tokens", 0)
    if speculative:
        modules = settings.get("multi_module_mtp", False)
        mtp = Loose(
            method=settings["speculative_method"],
            num_speculative_tokens=speculative,
            use_multi_module_mtp=lambda: modules,
            use_eagle=lambda: True,
            use_eagle_block_drop=lambda: False,
            draft_model_config=None,
        )
    block = settings.get("block_size")
    layout = settings.get("layout") or "LBNHC"
    config = Loose(
        model_config=Loose(
            max_model_len=length,
            original_max_model_len=length,
            dtype=engine.dtype(settings.get("model_dtype", "bfloat16")),
            hf_config=Loose(model_type="qwen3_next"),
            supports_mamba_prefix_caching=settings.get("state_prefix_mode_all", False),
            get_mamba_chunk_size=lambda: settings.get("state_chunk"),
            supports_kv_cache_grouping=False,
            architecture="Grid",
            is_hybrid=False,
        ),
        cache_config=Loose(
            block_size=block,
            user_specified_block_size=block is not None,
            cache_dtype=settings.get("kv_type", "auto"),
            enable_prefix_caching=settings.get("prefix_caching", False),
            mamba_cache_mode=settings.get("mamba_cache_mode", "none"),
            num_gpu_blocks_override=settings.get("blocks_override"),
            kv_cache_dtype_skip_layers=[],
            get_resolved_kv_cache_layout=lambda: first(
                "vllm.v1.kv_cache_layout", "vllm.v1.kv_cache_interface"
            ).KVCacheLayout[layout],
        ),
        parallel_config=Loose(
            decode_context_parallel_size=1,
            prefill_context_parallel_size=1,
            tensor_parallel_size=settings.get("tensor_parallel", 1),
            pipeline_parallel_size=settings.get("pipeline_parallel", 1),
            cp_kv_cache_interleave_size=1,
        ),
        scheduler_config=Loose(
            max_num_batched_tokens=settings["batched_tokens"],
            disable_hybrid_kv_cache_manager=settings.get("disable_hybrid", False),
            async_scheduling=settings.get("async_scheduling", False),
            enable_chunked_prefill=True,
        ),
        speculative_config=mtp,
        attention_config=Loose(),
        compilation_config=Loose(static_forward_context={}),
        use_v2_model_runner=settings.get("runner_v2", False),
    )
    kind = engine.config.VllmConfig
    for name in (
        "num_speculative_tokens",
        "num_prefill_lookahead_tokens",
        "max_concurrent_batches",
        "max_in_flight_tokens",
    ):
        made = getattr(kind, name, None)
        if isinstance(made, property) and made.fget is not None:
            setattr(config, name, made.fget(config))
    return config


def backend_of(engine: Engine, layer: Mapping[str, Any], kv_type: str) -> Any:
    """Return the class of the attention backend that stores a layer in a KV type."""
    path = "vllm.v1.attention.backends."
    if layer["kind"] == "mla":
        return first(path + "mla.flashmla").FlashMLABackend
    if kv_type.startswith("turboquant"):
        return first(path + "turboquant_attn").TurboQuantAttentionBackend
    if kv_type.startswith("nvfp4") and engine.key >= (0, 28, 0):
        return first(path + "flashinfer").FlashInferBackend
    return first(path + "triton_attn").TritonAttentionBackend


def heads_of(layer: Mapping[str, Any], settings: Mapping[str, Any]) -> int:
    """Return the KV heads of a layer on one GPU: ModelConfig.get_num_kv_heads."""
    return max(1, layer["kv_heads"] // settings.get("tensor_parallel", 1))


def states_of(layer: Mapping[str, Any], settings: Mapping[str, Any]) -> Any:
    """Return the shapes of a recurrent layer by the engine's own calculator."""
    calculator = first("vllm.model_executor.layers.mamba.mamba_utils").MambaStateShapeCalculator
    parallel = settings.get("tensor_parallel", 1)
    speculative = settings.get("speculative_tokens", 0)
    shape = layer["shape"]
    if layer["kind"] == "gated-delta":
        return calculator.gated_delta_net_state_shape(parallel, *shape, num_spec=speculative)
    names = ("intermediate_size", "n_groups", "num_heads", "head_dim", "state_size", "conv_kernel")
    words = dict(zip(names, shape, strict=True)) | {"tp_world_size": parallel}
    try:
        return calculator.mamba2_state_shape(**words, num_spec=speculative)
    except TypeError:
        if speculative:
            raise NotAskedError("Mamba-2 without speculative decoding") from None
        return calculator.mamba2_state_shape(**words)


def align(engine: Engine, config: Any, layers: Sequence[Mapping[str, Any]]) -> None:
    """Set block sizes as the platform and the model's configuration do."""
    settings = config.grid
    attention = [one for one in layers if "key_dim" in one]
    recurrent = [one for one in layers if "shape" in one]
    cache, model = config.cache_config, config.model_config
    mixed = any(one.get("kv_type") for one in layers)
    cache.kv_cache_dtype_skip_layers = ["0"] if mixed else []
    model.use_mla = bool(attention) and attention[0]["kind"] == "mla"
    model.is_hybrid = bool(attention and recurrent)
    backend = None
    if attention:
        model.get_num_kv_heads = lambda _parallel: heads_of(attention[0], settings)
        model.get_head_size = lambda: attention[0]["key_dim"]
        backend = backend_of(engine, attention[0], cache.cache_dtype)
    if model.use_mla and engine.key < (0, 18, 0) and (cache.block_size or 16) % 64:
        # platforms/cuda.py: FlashMLA's kernels take 64.
        cache.block_size = 64
    if cache.block_size is None:
        cache.block_size = 16
        if backend is not None and (0, 18, 0) <= engine.key < (0, 20, 0):
            cache.block_size = backend.get_preferred_block_size(16)
    if recurrent:
        give_states(engine, recurrent, settings)
        rules = first("vllm.model_executor.models.config")
        hybrid = rules.HybridAttentionMambaModelConfig
        chosen = hybrid if attention else rules.MambaModelConfig
        chosen.verify_and_update_config(config)
        if (
            attention
            and (0, 18, 0) <= engine.key < (0, 20, 0)
            and settings.get("block_size") is None
        ):
            # platforms/interface.py update_block_size_for_backend of these two releases.
            cache.block_size = 16
    if engine.key >= (0, 20, 0) and backend is not None:
        platform = first("vllm.platforms.interface").Platform
        for name, found in (("", backend), ("s", [backend])):
            answer = classmethod(lambda _cls, _config, found=found: found)
            setattr(platform, f"_find_non_ssm_backend{name}", answer)
        platform.update_block_size_for_backend(config)


def give_states(engine: Engine, recurrent: Sequence[Any], settings: Mapping[str, Any]) -> None:
    """Have the engine find a model class with the states of the grid's model."""
    layer = recurrent[0]
    shapes = states_of(layer, settings)
    kinds = tuple(engine.dtype(name) for name in layer["dtypes"])
    made = type(
        "Grid",
        (),
        {
            "get_mamba_state_shape_from_config": staticmethod(lambda _config: shapes),
            "get_mamba_state_dtype_from_config": staticmethod(lambda _config: kinds),
        },
    )
    registry = first("vllm.model_executor.models").ModelRegistry
    type(registry).resolve_model_cls = lambda *_args, **_words: (made, "Grid")


def spec_of(engine: Engine, config: Any, layer: Mapping[str, Any]) -> Any:
    """Return the spec that the layer's own class builds."""
    settings = config.grid
    cache = config.cache_config
    if "shape" in layer:
        base = first("vllm.model_executor.layers.mamba.abstract").MambaBase
        shapes = states_of(layer, settings)
        kinds = tuple(engine.dtype(name) for name in layer["dtypes"])
        itself = Loose(
            get_state_shape=lambda: shapes, get_state_dtype=lambda: kinds, mamba_type="mamba2"
        )
        return base.get_kv_cache_spec(itself, config)
    kv_type = layer.get("kv_type") or cache.cache_dtype
    stored = config.model_config.dtype if kv_type == "auto" else engine.dtype(kv_type)
    backend = backend_of(engine, layer, kv_type)
    itself = Loose(
        attn_type="decoder",
        num_kv_heads=heads_of(layer, settings),
        head_size=layer["key_dim"],
        head_size_v=layer["value_dim"],
        kv_cache_dtype=kv_type,
        kv_cache_torch_dtype=stored,
        attn_backend=backend,
        sliding_window=layer.get("window") if layer["kind"] == "sliding" else None,
        attention_chunk_size=layer.get("window") if layer["kind"] == "chunked" else None,
        # Only sparse MLA backends read the cache as flat rows.
        _uses_flat_kv_cache=lambda: False,
    )
    if "token_bytes" in layer:
        return indexer_spec(engine, config, layer)
    spec = layer_class(layer["kind"]).get_kv_cache_spec(itself, config)
    return customized(engine, backend, spec)


def indexer_spec(engine: Engine, config: Any, layer: Mapping[str, Any]) -> Any:
    """Return the spec of an indexer: bytes without a KV type (DeepseekV32IndexerCache)."""
    import torch

    return engine.interface.MLAAttentionSpec(
        block_size=config.cache_config.block_size,
        num_kv_heads=1,
        head_size=layer["token_bytes"],
        dtype=torch.uint8,
    )


def layer_class(kind: str) -> Any:
    """Return the class of an attention layer of this release."""
    modern = "vllm.model_executor.layers.attention."
    if kind == "chunked":
        found = first(
            modern + "chunked_local_attention", "vllm.attention.layers.chunked_local_attention"
        )
        return found.ChunkedLocalAttention
    if kind == "mla":
        found = first(modern + "mla_attention", "vllm.attention.layer")
        if not hasattr(found, "MLAAttention"):
            found = first("vllm.attention.layer")
        return found.MLAAttention
    return first(modern + "attention", "vllm.attention.layer").Attention


def customized(engine: Engine, backend: Any, spec: Any) -> Any:
    """Return a spec as the model runner passes it on: gpu_model_runner.py get_kv_cache_spec."""
    if (0, 24, 0) <= engine.key < (0, 29, 0):
        strided = backend.indexes_kv_by_block_stride()
        spec = dataclasses.replace(spec, indexes_kv_by_block_stride=strided)
    if engine.key >= (0, 28, 0):
        worker = first("vllm.v1.worker.utils")
        change = getattr(worker, "customize_attention_spec", None)
        spec = change(backend, spec) if change else backend.customize_spec(spec)
    return spec


def stages_of(engine: Engine, config: Any, model: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the specs of each pipeline stage by the name of the layer."""
    layers = [model["kinds"][kind] for kind, count in model["order"] for _ in range(count)]
    align(engine, config, layers)
    number = 1 + max(layer.get("stage", 0) for layer in layers)
    stages: list[dict[str, Any]] = [{} for _ in range(number)]
    made: dict[str, Any] = {}
    for index, layer in enumerate(layers):
        if layer["kind"] == "none":
            continue
        text = json.dumps(layer)
        if text not in made:
            made[text] = spec_of(engine, config, layer)
        stages[layer.get("stage", 0)][f"layers.{index}"] = made[text]
    return stages


def configure(engine: Engine, config: Any, stages: list[Any], memory: int) -> list[Any]:
    """Return what get_kv_cache_configs makes of the same memory on each stage."""
    available = [memory] * len(stages)
    copies = [dict(stage) for stage in stages]
    found = getattr(engine.planning, "get_global_kv_cache_groups", None)
    if found is not None:
        groups = found(config, copies)
        return engine.planning.get_kv_cache_configs(config, copies, available, groups)
    return engine.planning.get_kv_cache_configs(config, copies, available)


def run(engine: Engine, config: Any, stages: list[Any], memory: int) -> list[Any]:
    """Return memory, checked memory, longest, error or "", blocks, tokens and concurrency."""
    engine.checks.clear()
    engine.log.clear()
    config.model_config.max_model_len = config.grid["max_model_len"]
    error, blocks, tokens, concurrency = "", 0, 0, 0.0
    try:
        made = configure(engine, config, stages, memory)
    except ValueError as refused:
        error = hashlib.sha256(str(refused).encode()).hexdigest()[:12]
    else:
        blocks = made[0].num_blocks
        tokens, concurrency = capacity(engine, config, made[0])
    checked = min((one[0] for one in engine.checks), default=0)
    longest = min((one[2] for one in engine.checks), default=0)
    return [memory, checked, longest, error, blocks, tokens, concurrency]


def capacity(engine: Engine, config: Any, made: Any) -> tuple[int, float]:
    """Return the tokens and concurrency that the engine logs."""
    if not made.kv_cache_groups:
        return 0, 0.0
    sizes = getattr(engine.utils, "get_kv_cache_capacity", None)
    if sizes is not None:
        tokens, concurrency = sizes(config, made)
        return tokens, concurrency
    lines = {words[0]: words for words in engine.log}
    tokens = int(lines["GPU KV cache size: %s tokens"][1].replace(",", ""))
    return tokens, lines["Maximum concurrency for %s tokens per request: %.2fx"][2]


def layout_of(engine: Engine, config: Any, stages: list[Any]) -> list[list[Any]]:
    """Return kind, block, bytes of a page and number of layers of each group of the model."""
    merged = {name: spec for stage in stages for name, spec in stage.items()}
    rows = []
    for group in engine.planning.get_kv_cache_groups(config, merged):
        spec = group.kv_cache_spec
        inner = getattr(spec, "kv_cache_specs", None)
        one = next(iter(inner.values())) if inner else spec
        rows.append([kind_of(one), one.block_size, spec.page_size_bytes, len(group.layer_names)])
    return rows


def kind_of(spec: Any) -> str:
    """Return chartgen's name of a spec's class."""
    names = {
        "MambaSpec": "state",
        "MLAAttentionSpec": "mla",
        "SlidingWindowSpec": "sliding",
        "ChunkedLocalAttentionSpec": "chunked",
    }
    return names.get(type(spec).__name__, "full")


def case(engine: Engine, model: Mapping[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Return what the engine says of one point of the grid."""
    if settings.get("layout") and engine.key < (0, 29, 0):
        raise NotAskedError("layouts came with 0.29")
    known = get_args(first("vllm.config.cache").CacheDType)
    if settings.get("kv_type", "auto") not in known:
        raise NotAskedError(f'no KV type "{settings["kv_type"]}"')
    if settings.get("mamba_cache_mode") == "all" and engine.key >= (0, 32, 0):
        raise NotAskedError("mode all went with 0.32")
    config = engine_config(engine, settings)
    config.grid = settings
    try:
        stages = stages_of(engine, config, model)
        groups = layout_of(engine, config, stages)
        # The memory of a large cluster, to learn the need from the engine's own check.
        engine.checks.clear()
        config.cache_config.num_gpu_blocks_override = None
        configure(engine, config, stages, 1 << 50)
        config.cache_config.num_gpu_blocks_override = settings.get("blocks_override")
    except (NotImplementedError, AssertionError, ValueError, KeyError) as refused:
        return {"refused": f"{type(refused).__name__}: {refused}"}
    need = max(one[1] for one in engine.checks)
    extra = (1 << 50) - min(one[0] for one in engine.checks)
    attempts = [
        run(engine, config, stages, need * up // down + extra * (up > 0) + more)
        for up, down, more in PARTS
    ]
    return {"need": need, "groups": groups, "runs": attempts}


def collect(release: str, report: Callable[[str], None]) -> dict[str, Any]:
    """Return the golden document of a release."""
    engine = Engine(release)
    rows: list[list[Any]] = []
    skipped: dict[str, int] = {}
    for name, settings in cases():
        try:
            rows.append([name, settings, case(engine, MODELS[name], settings)])
        except NotAskedError as why:
            skipped[str(why)] = skipped.get(str(why), 0) + 1
    report(f"{release}: {len(rows)} points, {sum(skipped.values())} not asked {skipped or ''}")
    return {"release": release, "models": MODELS, "cases": rows, "skipped": skipped}


def compact_case(row: list[Any]) -> list[Any]:
    """Return a point as it is kept: settings and groups that repeat are left out.

    A group is [kind, block, page, layers] and how often it stands in a row. An attempt is [longest,
    error] where the engine stops, else [blocks, tokens, concurrency].
    """
    name, settings, found = row
    kept = {key: value for key, value in settings.items() if COMMON.get(key) != value}
    if "refused" in found:
        return [name, kept, found["refused"].partition(":")[0]]
    groups: list[list[Any]] = []
    for group in found["groups"]:
        if groups and groups[-1][:4] == group:
            groups[-1][4] += 1
        else:
            groups.append([*group, 1])
    runs = [
        [longest, error] if error else [blocks, tokens, concurrency]
        for _, _, longest, error, blocks, tokens, concurrency in found["runs"]
    ]
    return [name, kept, found["need"], groups, found["runs"][0][0] - found["need"], runs]


def document(golden: Mapping[str, Any]) -> str:
    """Return a golden document as text: one line per model and per point."""

    def compact(value: Any) -> str:
        return json.dumps(value, separators=(",", ":"))

    head = {key: golden[key] for key in ("release", "skipped")} | {"common": COMMON, "parts": PARTS}
    models = ",\n".join(f"{compact(name)}:{compact(one)}" for name, one in golden["models"].items())
    rows = ",\n".join(compact(compact_case(row)) for row in golden["cases"])
    return f'{compact(head)[:-1]},\n"models":{{\n{models}\n}},\n"cases":[\n{rows}\n]}}\n'


def prepare_torch() -> None:
    """Give torch a name that 0.17 asks for and that newer ones have no more."""
    import torch

    processor = torch._C._cpu  # noqa: SLF001  vLLM asks for this very name.
    if not hasattr(processor, "_is_avx512_supported"):
        processor._is_avx512_supported = lambda: False  # noqa: SLF001  As above.


def main() -> None:
    """Run one release and write its golden file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("wheels", type=Path, help="folder with a folder per release")
    parser.add_argument("release")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    sys.argv = ["oracle"]
    sys.path.insert(0, str(options.wheels / options.release))
    sys.meta_path.insert(0, Stubs())
    version = importlib.metadata.version
    # The version tells vLLM its platform.
    importlib.metadata.version = lambda name: version(name) + ("+cpu" if name == "vllm" else "")
    logging.disable(logging.WARNING)
    prepare_torch()
    golden = collect(options.release, lambda line: print(line, file=sys.stderr))
    options.out.write_text(document(golden), encoding="utf-8")


if __name__ == "__main__":
    main()

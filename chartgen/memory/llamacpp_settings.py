"""What a spec's arguments mean for the memory of llama.cpp's server.

Source: llama.cpp b11434, common/arg.cpp and tools/server/server.cpp; forks spell some otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from chartgen.engines.llamacpp_variables import arguments_of_variables
from chartgen.memory.given import Given
from chartgen.memory.llamacpp_kv import (
    DEFAULT_BATCH,
    DEFAULT_SLOTS,
    DEFAULT_UBATCH,
    CacheType,
    LlamaSettings,
)
from chartgen.spec.engine import LlamaCppEngine

ALIASES: Mapping[str, str] = {
    "c": "ctx-size",
    "np": "parallel",
    "kvu": "kv-unified",
    "no-kvu": "!kv-unified",
    "no-kv-unified": "!kv-unified",
    "b": "batch-size",
    "ub": "ubatch-size",
    "ctk": "cache-type-k",
    "ctv": "cache-type-v",
    "ctkd": "spec-draft-type-k",
    "ctvd": "spec-draft-type-v",
    "cache-type-k-draft": "spec-draft-type-k",
    "cache-type-v-draft": "spec-draft-type-v",
    "fa": "flash-attn",
    "nkvo": "!kv-offload",
    "no-kv-offload": "!kv-offload",
    "ngl": "n-gpu-layers",
    "gpu-layers": "n-gpu-layers",
    "draft-max": "spec-draft-n-max",
    "draft-n": "spec-draft-n-max",
    "draft": "spec-draft-n-max",
    "cmoe": "cpu-moe",
    "ncmoe": "n-cpu-moe",
    "ot": "override-tensor",
    "no-mmproj-offload": "!mmproj-offload",
}
# Drafts that keep recurrent states to roll back to, one per drafted token (common/common.h:399),
# under the spellings of b9101, of b9246 and later, and of forks.
_ROLLBACK = frozenset(
    {"mtp", "draft-mtp", "eagle3", "draft-eagle3", "dflash", "draft-dflash", "draft-dspark"}
)
_MTP = frozenset({"mtp", "draft-mtp"})
_DRAFT_TOKENS = 3
_NUMBERS = ("ctx-size", "kv-unified-per-slot", "parallel", "batch-size", "ubatch-size")


@dataclass(frozen=True, slots=True)
class LlamaRun:
    """All that the plan takes from the arguments of one server.

    `cache` and `draft` are the settings of the two caches. `asked` is --ctx-size, 0 for the model's
    own. `drafts_itself`: the model's own MTP layers draft, in a cache of their own. `problem` says
    what cannot be read (a cache type nobody knows), else it is empty; `on_host` what is kept out of
    GPU memory on purpose, which the plan does not model.
    """

    asked: int
    cache: LlamaSettings
    draft: LlamaSettings
    drafts_itself: bool
    projector_on_gpu: bool
    cache_on_gpu: bool
    on_host: tuple[str, ...] = ()
    problem: str = ""

    def at(self, context: int) -> LlamaRun:
        """Return the same server with another context."""
        cache = replace(self.cache, context=context)
        whole = self.draft.context == self.cache.context
        draft = replace(self.draft, context=context) if whole else self.draft
        return replace(self, asked=context, cache=cache, draft=draft)


def llama_run(
    engine: LlamaCppEngine,
    types: Mapping[str, CacheType],
    native_context: int | None,
    environment: Mapping[str, str],
) -> LlamaRun:
    """Return what the arguments of a spec ask for.

    `types` are the cache types of this build by name, forks' own among them; `environment` are the
    plain variables of the engine's container, some of which stand for arguments.
    """
    spelt = {flag: field for field, flag in engine.spellings.items() if field == "context"}
    aliases = dict(ALIASES) | dict.fromkeys(spelt, "ctx-size")
    variables = arguments_of_variables(environment)
    given = Given.of({**variables, **engine.args}, aliases)
    slots = given.count("parallel") or -1
    unified = given.switch("kv-unified", default=slots < 0)
    slots = slots if slots > 0 else DEFAULT_SLOTS
    asked = engine.context or given.count("ctx-size") or 0
    if not asked and (per_slot := given.count("kv-unified-per-slot")):
        asked = slots * per_slot
    context = asked or native_context or 0
    names = {
        "type_k": given.text("cache-type-k") or "f16",
        "type_v": given.text("cache-type-v") or "f16",
        "draft_k": given.text("spec-draft-type-k") or "f16",
        "draft_v": given.text("spec-draft-type-v") or "f16",
    }
    unknown = sorted({name for name in names.values() if name not in types})
    chosen = {key: types.get(name, types["f16"]) for key, name in names.items()}
    kinds = {kind.strip() for kind in given.text("spec-type").replace("_", "-").split(",")}
    drafted = given.count("spec-draft-n-max") or _DRAFT_TOKENS
    cache = LlamaSettings(
        context=max(1, context),
        type_k=chosen["type_k"],
        type_v=chosen["type_v"],
        slots=slots,
        unified=unified,
        batch=given.count("batch-size") or DEFAULT_BATCH,
        ubatch=given.count("ubatch-size") or DEFAULT_UBATCH,
        full_windows=given.switch("swa-full"),
        flash_attention=given.switch("flash-attn", default=True),
        rollback=drafted if kinds & _ROLLBACK else 0,
    )
    # A fork's DFlash drafter looks at that much of the context and keeps no more.
    reach = given.count("spec-dflash-cross-ctx") or cache.context
    draft = replace(
        cache, type_k=chosen["draft_k"], type_v=chosen["draft_v"], rollback=0, context=reach
    )
    return LlamaRun(
        asked=asked,
        cache=cache,
        draft=draft,
        drafts_itself=bool(kinds & _MTP) and engine.draft is None,
        projector_on_gpu=given.switch("mmproj-offload", default=True),
        cache_on_gpu=given.switch("kv-offload", default=True),
        on_host=tuple(
            name
            for name in ("cpu-moe", "n-cpu-moe", "override-tensor")
            if given.values.get(name) not in (None, False, 0)
        ),
        problem=_problem(tuple(given.unread(_NUMBERS, given.whole)), unknown, context),
    )


def _problem(unread: tuple[str, ...], unknown: list[str], context: int) -> str:
    if unread:
        return f"a sound value of {unread[0]}"
    if unknown:
        return f"the size of the cache type {unknown[0]}"
    return "" if context else "the context length"

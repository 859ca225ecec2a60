"""Which arithmetic a release of vLLM uses: its traits, from `vllm_kv_families.yaml`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from chartgen.resources import shipped_data

_NUMBER = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?")

ReleaseKey = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class KvFamily:
    """The traits of one release; what each value means stands in `vllm_kv_families.yaml`."""

    release: str
    need: str
    stages: str
    unequal_pages: str
    pad_states: bool
    full_fallback: bool
    group_slack: float
    value_dim_full: bool
    value_dim_sliding: bool
    value_compare: bool
    window_block: str
    hybrid_turboquant: bool
    mixed_types: str
    int4_windows: bool
    nvfp4_windows: bool
    turboquant_windows: bool
    mla_scales: bool
    mla_windows: bool
    nvfp4_equal: bool
    hybrid_scales: bool
    mla_compare: bool
    quantisation_kept: bool
    promotion: str
    in_flight: bool
    retained: bool
    states: str
    state_block: str
    align_speculative: bool
    checkpoints: bool
    equal_state_pages: bool
    null_block: bool
    layouts: str
    override_counts: bool
    cache_tokens: str
    gib: str
    no_memory_text: str
    too_long_text: str
    kv_types: tuple[str, ...]
    kernel_blocks: Mapping[str, tuple[int, ...]]
    no_stride_backends: tuple[str, ...]
    mla_default_block: str
    hybrid_block: str
    hybrid_prefix_caching: str
    gpu_memory_utilization: float
    graph_estimate: str
    batch_defaults: tuple[Mapping[str, Any], ...]
    batch_cap: str
    throughput_mode: bool
    raise_for_items: bool
    whole_items: bool
    async_scheduling: Mapping[str, Any]
    pipeline_batches: str
    runner_v2: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class KvChange:
    """One trait that is another from `since` on: a sentence and the file of vLLM that shows it."""

    trait: str
    since: str
    note: str
    source: str


def release_key(release: str) -> ReleaseKey:
    """Return a release as numbers that compare: "v0.21.0-cu129" is (0, 21, 0).

    Raises ValueError where the text does not begin with a release number.
    """
    found = _NUMBER.match(release)
    if found is None:
        raise ValueError(f'"{release}" is no release of vLLM')
    return int(found[1]), int(found[2]), int(found[3] or 0)


@cache
def kv_family(release: str) -> KvFamily:
    """Return the traits of a release; one newer than all entries has those of the newest.

    Raises ValueError for a text without a release number and for one older than all entries.
    """
    key = release_key(release)
    values = {
        trait: _frozen(_entry(trait, entries, key)["value"]) for trait, entries in _data().items()
    }
    return KvFamily(release=release, **values)


def kv_changes(old: str, new: str) -> tuple[KvChange, ...]:
    """Return what changed after release `old` up to release `new`, oldest first.

    Raises ValueError as `release_key` does.
    """
    after, last = release_key(old), release_key(new)
    found = [
        KvChange(trait, entry["since"], entry["note"], entry["source"])
        for trait, entries in _data().items()
        for entry in entries
        if after < release_key(entry["since"]) <= last
    ]
    return tuple(sorted(found, key=lambda change: (release_key(change.since), change.trait)))


@cache
def _data() -> Mapping[str, list[dict[str, Any]]]:
    """Return the shipped entries by trait, oldest first."""
    data: dict[str, list[dict[str, Any]]] = shipped_data("chartgen.memory", "vllm_kv_families.yaml")
    return data


def _entry(trait: str, entries: list[dict[str, Any]], key: ReleaseKey) -> dict[str, Any]:
    """Return the last entry of a trait at or below a release."""
    held = [entry for entry in entries if release_key(entry["since"]) <= key]
    if not held:
        raise ValueError(f"vLLM {'.'.join(map(str, key))} is older than what is known ({trait})")
    return held[-1]


def _frozen(value: Any) -> Any:
    """Return a value that nobody can change."""
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    if isinstance(value, dict):
        return MappingProxyType({key: _frozen(item) for key, item in value.items()})
    return value

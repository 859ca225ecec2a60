"""How vLLM groups the layers that have a cache, so that all groups share one pool of blocks.

Sources: vllm 0.11.0 to 0.32.0, v1/core/kv_cache_utils.py; 0.33.0, v1/core/kv_cache_planning.py
(`get_kv_cache_groups` and what it calls).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chartgen.memory.vllm_kv_family import KvFamily
from chartgen.memory.vllm_kv_layer import KvRefusedError
from chartgen.memory.vllm_kv_settings import KvSettings
from chartgen.memory.vllm_kv_spec import KvSpec, full_length

# v1/kv_cache_layout.py (0.33.0): layouts whose outermost dimension is the block.
_BLOCK_OUTERMOST = frozenset({"BLHNC", "BLNHC", "BHLNC"})

_Layers = Sequence[tuple[int, KvSpec]]


@dataclass(frozen=True, slots=True)
class KvGroup:
    """Layers that share a block table: their positions and specs in the order of vLLM.

    `mixed` says that the layers have pages of their own; otherwise all are stored like the first.
    """

    members: tuple[int, ...]
    specs: tuple[KvSpec, ...]
    mixed: bool

    @property
    def kind(self) -> str:
        """Kind of the first layer."""
        return self.specs[0].kind

    @property
    def block(self) -> int:
        """Tokens of a block."""
        return self.specs[0].block

    @property
    def page_bytes(self) -> int:
        """Bytes of the page of one layer, of all layers together where they differ."""
        return sum(spec.page for spec in self.specs) if self.mixed else self.specs[0].page

    @property
    def block_bytes(self) -> int:
        """Bytes of one block of all layers of the group."""
        return self.page_bytes if self.mixed else len(self.members) * self.page_bytes

    def on(self, members: frozenset[int]) -> KvGroup:
        """Return the part of the group that one pipeline stage runs."""
        kept = [place for place, member in enumerate(self.members) if member in members]
        specs = tuple(self.specs[place] for place in kept) or self.specs
        return KvGroup(tuple(self.members[place] for place in kept), specs, self.mixed)


def kv_groups(family: KvFamily, settings: KvSettings, layers: _Layers) -> tuple[KvGroup, ...]:
    """Return the groups of all layers; raises KvRefusedError where vLLM finds none."""
    if not layers:
        return ()
    if settings.disable_hybrid:
        layers = _promoted(family, settings, layers)
    specs = [spec for _, spec in layers]
    if _is_uniform(family, specs):
        if family.unequal_pages == "refused" and len({spec.page for spec in specs}) > 1:
            raise KvRefusedError("AssertionError")
        return (_group(layers, mixed=False),)
    if _is_uniform_type(family, specs):
        return (_group(layers, mixed=True),)
    if family.layouts != "none" and settings.layout in _BLOCK_OUTERMOST:
        packed = _packed(family, layers)
        if packed:
            return packed
    try:
        unified = _with_equal_pages(family, settings, layers)
    except KvRefusedError:
        if family.full_fallback and (promoted := _fallback(family, settings, layers)):
            return (_group(promoted, mixed=True),)
        raise
    return _same_count(family, unified)


def _group(layers: _Layers, *, mixed: bool) -> KvGroup:
    """Return one group of layers."""
    return KvGroup(tuple(member for member, _ in layers), tuple(spec for _, spec in layers), mixed)


def _is_uniform(family: KvFamily, specs: Sequence[KvSpec]) -> bool:
    """Return whether all layers are stored alike: is_kv_cache_spec_uniform."""
    first = specs[0]
    if any(spec.kind != first.kind for spec in specs):
        return False
    if first.kind == "full":
        windows = {spec.window for spec in specs if spec.window and not spec.chunked}
        chunks = {spec.window for spec in specs if spec.window and spec.chunked}
        if len(windows) > 1 or len(chunks) > 1:
            raise KvRefusedError(
                "All attention layers in the same KV cache group must have the same window size."
            )
        if windows and chunks:
            return False
        return len({_full_identity(family, spec) for spec in specs}) == 1
    if first.kind == "mla" and not family.mla_compare:
        return len({spec.shape[3] for spec in specs}) == 1
    return len(set(specs)) == 1


def _full_identity(family: KvFamily, spec: KvSpec) -> tuple[object, ...]:
    """Return what of full-attention layers must agree for them to be stored alike."""
    heads, key, value, name = spec.shape
    shape = (heads, key, value if family.value_compare else 0, name)
    return (spec.block, shape, spec.padded)


def _is_uniform_type(family: KvFamily, specs: Sequence[KvSpec]) -> bool:
    """Return whether all layers always need the same blocks: is_uniform_type."""
    first = specs[0]
    if any(spec.block != first.block for spec in specs):
        return False
    if first.kind in {"full", "mla"}:
        return all(spec.kind in {"full", "mla"} for spec in specs)
    if any((spec.kind, spec.window) != (first.kind, first.window) for spec in specs):
        return False
    if first.kind == "state" and family.equal_state_pages:
        return len({spec.page for spec in specs}) == 1
    return True


def _promoted(family: KvFamily, settings: KvSettings, layers: _Layers) -> _Layers:
    """Return the layers with windowed ones stored at full length: unify_hybrid_kv_cache_specs."""
    specs = [spec for _, spec in layers]
    if _is_uniform(family, specs) or _is_uniform_type(family, specs):
        return layers
    full = [spec for spec in specs if spec.kind in {"full", "mla"}]
    if full:
        blocks = {spec.block for spec in full}
        block = blocks.pop() if len(blocks) == 1 else None
        strided = _reads_by_stride(family, settings)
        layers = [
            (member, full_length(family, spec, block, strided=strided))
            if spec.kind in {"sliding", "chunked"}
            else (member, spec)
            for member, spec in layers
        ]
        specs = [spec for _, spec in layers]
    if _is_uniform(family, specs) or _is_uniform_type(family, specs):
        return layers
    if family.promotion in {"plain", "sliding"}:
        raise KvRefusedError(
            "Hybrid KV cache manager is disabled but failed to convert the KV cache specs to one "
            "unified type."
        )
    raise KvRefusedError("Failed to promote local KV cache specs to one unified type.")


def _fallback(family: KvFamily, settings: KvSettings, layers: _Layers) -> _Layers | None:
    """Return MLA and sliding-window layers all stored at full length, None where they can't be.

    Source: _try_get_full_allocation_fallback_groups.
    """
    kinds = {spec.kind for _, spec in layers}
    if "chunked" in kinds or not {"mla", "sliding"} <= kinds:
        return None
    try:
        promoted = _promoted(family, settings, layers)
    except KvRefusedError:
        return None
    return promoted if _is_uniform_type(family, [spec for _, spec in promoted]) else None


def _with_equal_pages(family: KvFamily, settings: KvSettings, layers: _Layers) -> _Layers:
    """Return the layers with pages of one size: unify_kv_cache_spec_page_size."""
    largest = max(spec.page for _, spec in layers)
    if all(spec.page == largest for _, spec in layers):
        return layers
    if family.unequal_pages == "refused":
        raise KvRefusedError("NotImplementedError")
    return [(member, _grown(family, settings, spec, largest)) for member, spec in layers]


def _grown(family: KvFamily, settings: KvSettings, spec: KvSpec, page: int) -> KvSpec:
    """Return a spec whose page has the given size."""
    if spec.page == page:
        return spec
    if spec.kind == "state" and family.pad_states:
        return replace(spec, padded=page)
    if page % spec.page == 0 and spec.kind != "state" and spec.padded is None:
        return replace(spec, block=spec.block * (page // spec.page))
    by_stride = family.unequal_pages == "pad-by-stride" and _reads_by_stride(family, settings)
    by_kind = family.unequal_pages == "pad" and spec.kind != "mla"
    if spec.kind != "state" and page % spec.page and (by_stride or by_kind):
        return replace(spec, padded=page)
    raise KvRefusedError(_no_equal_pages(family))


def _reads_by_stride(family: KvFamily, settings: KvSettings) -> bool:
    """Return whether the attention backend reads pages by their stride."""
    return settings.backend not in family.no_stride_backends


def _no_equal_pages(family: KvFamily) -> str:
    """Return what vLLM says where pages cannot be made equal, without the name of the layer."""
    if family.unequal_pages == "divide":
        return (
            "The page size of the layer is not divisible by the maximum page size. Cannot unify "
            "by adjusting block_size."
        )
    return "page size is not divisible by the maximum page size and cannot be padded."


def _same_count(family: KvFamily, layers: _Layers) -> tuple[KvGroup, ...]:
    """Return groups of the same number of layers, each of one spec.

    Source: _get_kv_cache_groups_uniform_page_size.
    """
    by_spec: dict[KvSpec, list[tuple[int, KvSpec]]] = {}
    for member, spec in layers:
        by_spec.setdefault(spec, []).append((member, spec))
    counts = [len(members) for members in by_spec.values()]
    size = min(counts)
    if max(counts) < size * family.group_slack:
        size = max(counts)
    groups = []
    for members in by_spec.values():
        number = -(-len(members) // size)
        groups += [_group(members[first::number], mixed=False) for first in range(number)]
    return tuple(groups)


@dataclass(frozen=True, slots=True)
class _Bucket:
    """Layers that always need the same blocks, by the size of their page."""

    layers: tuple[tuple[int, KvSpec], ...]
    by_page: tuple[tuple[tuple[int, KvSpec], ...], ...]

    @property
    def balanced(self) -> bool:
        """Whether there are as many layers of one page size as of any other."""
        return len({len(layers) for layers in self.by_page}) == 1

    @property
    def repeats(self) -> int:
        """Layers of the most frequent page size."""
        return max(len(layers) for layers in self.by_page)

    def widest(self, number: int) -> int:
        """Return the bytes of a block of the largest of `number` groups."""
        return sum(-(-len(layers) // number) * layers[0][1].page for layers in self.by_page)


def _packed(family: KvFamily, layers: _Layers) -> tuple[KvGroup, ...]:
    """Return groups whose pages lie side by side in a block, none where all pages are equal.

    Source: _get_packed_kv_cache_groups.
    """
    if len({spec.page for _, spec in layers}) <= 1:
        return ()
    buckets = _buckets(family, layers)
    least = max(
        (bucket.repeats for bucket in buckets if bucket.balanced and len(bucket.by_page) > 1),
        default=0,
    )
    repeats = 0
    if least:
        repeats = _least_padding([b.repeats for b in buckets if b.balanced], least)

    def count(bucket: _Bucket) -> int:
        return -(-bucket.repeats // repeats) if bucket.balanced and repeats else 1

    def is_state(bucket: _Bucket) -> bool:
        kind = bucket.layers[0][1].kind
        windowed = family.layouts == "packed-windows" and not repeats and kind == "sliding"
        return kind == "state" or windowed

    anchor = max(b.widest(len(b.layers) if is_state(b) else count(b)) for b in buckets)
    groups: list[KvGroup] = []
    for bucket in buckets:
        number = count(bucket)
        if is_state(bucket):
            per_block = max(anchor // bucket.layers[0][1].page, 1)
            number = max(number, -(-len(bucket.layers) // per_block))
        if number == 1:
            groups.append(_group(bucket.layers, mixed=True))
            continue
        rows = list(zip(*bucket.by_page, strict=False))
        for first in range(number):
            members = [layer for row in rows[first::number] for layer in row]
            groups.append(_group(members, mixed=True))
    return tuple(groups)


def _buckets(family: KvFamily, layers: _Layers) -> list[_Bucket]:
    """Return the layers in as few buckets as their types allow, in order."""
    found: list[list[tuple[int, KvSpec]]] = []
    for layer in layers:
        for bucket in found:
            if _is_uniform_type(family, [spec for _, spec in (*bucket, layer)]):
                bucket.append(layer)
                break
        else:
            found.append([layer])
    result = []
    for bucket in found:
        by_page: dict[int, list[tuple[int, KvSpec]]] = {}
        for layer in bucket:
            by_page.setdefault(layer[1].page, []).append(layer)
        result.append(_Bucket(tuple(bucket), tuple(map(tuple, by_page.values()))))
    return result


def _least_padding(values: Sequence[int], least: int) -> int:
    """Return the number from `least` on to whose multiples the values round up by the least.

    Ties go to the larger number. Source: _approximate_gcd.
    """
    candidates = range(least, max(values) + 1)
    return min(candidates, key=lambda d: (sum(-value % d for value in values), -d), default=least)


def padding_layers(groups: Sequence[KvGroup]) -> int:
    """Return how many layers' worth of pages the groups hold that no layer uses."""
    if len(groups) < 2 or any(group.mixed for group in groups):
        return 0
    size = max(len(group.members) for group in groups)
    return sum(size - len(group.members) for group in groups)


def bytes_per_block(groups: Sequence[KvGroup]) -> int:
    """Return the bytes that one block takes of the pool that all groups share."""
    return max(group.block_bytes for group in groups)

"""What a plan is made from, collected from a loaded spec and the facts of its models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chartgen.engines import engine_weights
from chartgen.hardware import Hardware
from chartgen.memory.llamacpp_kv import CacheType, cache_types
from chartgen.models.facts import ModelFacts
from chartgen.models.store import Shelf
from chartgen.spec.app import AppSpec
from chartgen.spec.sources import ModelSource

# Engines whose cache chartgen can calculate.
PLANNED = ("vllm", "llamacpp")


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights by their role: where they come from, their facts, and the size the spec states."""

    source: ModelSource
    facts: ModelFacts | None

    @property
    def name(self) -> str:
        """Repository and file, as people say it."""
        source = self.source
        place = source.hf or source.url or source.local or ""
        return f"{place} {source.file}" if source.file else place

    @property
    def size(self) -> int | None:
        """Bytes of all files: as read from the repository, else as the spec states them."""
        known = self.facts.weight_bytes if self.facts is not None else None
        return known if known is not None else self.source.size

    @property
    def told_by(self) -> str:
        """Where the size is from."""
        if self.facts is not None and self.facts.weight_bytes is not None:
            return self.facts.source("weight_bytes") or "facts of the model"
        return "size in the spec"


@dataclass(frozen=True, slots=True)
class Measured:
    """Memory for the KV cache in bytes, as an engine's log said for the spec's own settings.

    `longest` is the longest context that the engine said would fit, 0 where it said none: what that
    needs was there for certain. `release` is the engine's that said so.
    """

    kv_available: int
    told_by: str
    longest: int = 0
    release: str = ""


@dataclass(frozen=True, slots=True)
class PlanInput:
    """Everything that one plan is made from.

    `release` is the engine's, empty where it is not known; `release_exact` is false where it is the
    nearest one that chartgen knows; `release_told_by` names what told it. `types` are the cache
    types of a llama.cpp build.
    """

    spec: AppSpec
    weights: Mapping[str, Weights]
    hardware: Hardware
    release: str
    release_exact: bool = True
    release_told_by: str = ""
    measured: Measured | None = None
    types: Mapping[str, CacheType] = field(default_factory=cache_types)

    def facts(self, role: str) -> ModelFacts | None:
        """Return the facts of the weights of a role."""
        found = self.weights.get(role)
        return found.facts if found is not None else None

    @property
    def environment(self) -> dict[str, str]:
        """Plain variables of the engine's container."""
        return {
            name: value.value for name, value in self.spec.env.items() if value.value is not None
        }


def weights_with_facts(spec: AppSpec, shelf: Shelf) -> dict[str, Weights]:
    """Return the weights of a spec by role, with what is known of each."""
    found = {}
    for item in engine_weights(spec):
        source = item.source
        facts = shelf.find(source.hf, source.file) if source.hf is not None else None
        found[item.role] = Weights(source, facts)
    return found

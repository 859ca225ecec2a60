"""Hardware profiles: what a GPU and its host offer, as data with sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from chartgen.resources import shipped_data


@dataclass(frozen=True, slots=True)
class Hardware:
    """One machine: GPU memory in MiB, host memory as a quantity, download rate in Mbit/s.

    `unified` tells that GPU and system share one memory; `gpu_memory_mib` is then what the GPU may
    use of it. `compute_capability` is CUDA's number, or the gfx target of an AMD GPU. `source`
    tells where the figures of the GPU come from.
    """

    name: str
    title: str
    gpu_memory_mib: int
    compute_capability: str
    unified: bool
    accelerator: str
    arch: str
    cpu_cores: int
    memory: str
    download_mbit_s: int
    source: str


@cache
def hardware_profiles() -> Mapping[str, Hardware]:
    """Return all profiles by name, from `profiles.yaml`: Olares One first, then by memory."""
    data = shipped_data("chartgen.hardware", "profiles.yaml")
    return {name: Hardware(name=name, **facts) for name, facts in data.items()}

"""Hardware profiles: what a GPU and its host offer, as data with sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from chartgen.resources import shipped_data


@dataclass(frozen=True, slots=True)
class Hardware:
    """One machine: GPU memory in MiB, host memory as a quantity, download rate in Mbit/s."""

    name: str
    title: str
    gpu_memory_mib: int
    compute_capability: str
    accelerator: str
    arch: str
    cpu_cores: int
    memory: str
    download_mbit_s: int


@cache
def hardware_profiles() -> Mapping[str, Hardware]:
    """Return all profiles by name, from `profiles.yaml`."""
    data = shipped_data("chartgen.hardware", "profiles.yaml")
    return {name: Hardware(name=name, **facts) for name, facts in data.items()}

"""The two families of Olares releases that a chart is made for, and the facts of each.

Source: olares-manifest 0, 1.2, 2.1, 3.3 (device lint rules M6, M8, M20, M21).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from chartgen.resources import shipped_data
from chartgen.spec.app import PlatformName


@dataclass(frozen=True, slots=True)
class Platform:
    """One family of Olares releases.

    `variables` maps the Olares variables whose name differs between the families to the name
    that this one knows. `gpu_inject_by_name` tells whether the GPU is handed to one container by
    its name (or to all).
    """

    name: PlatformName
    manifest_version: str
    api_version: str | None
    olares_range: str
    accelerators: bool
    workload_replicas: bool
    gpu_inject_by_name: bool
    shared_store: bool
    gateway: bool
    variables: Mapping[str, str]


MODERN = Platform(
    name="modern",
    manifest_version="0.12.0",
    api_version="v3",
    olares_range=">=1.12.6-0",
    accelerators=True,
    workload_replicas=True,
    gpu_inject_by_name=True,
    shared_store=True,
    gateway=True,
    variables={
        "OLARES_USER_HUGGINGFACE_SERVICE": "OLARES_SYSTEM_HUGGINGFACE_SERVICE",
        "OLARES_USER_HUGGINGFACE_TOKEN": "OLARES_SYSTEM_HUGGINGFACE_TOKEN",
    },
)
LEGACY = Platform(
    name="legacy",
    manifest_version="0.11.0",
    api_version=None,
    olares_range=">=1.12.3-0,<1.12.6",
    accelerators=False,
    workload_replicas=False,
    gpu_inject_by_name=False,
    shared_store=False,
    gateway=False,
    variables={
        "OLARES_SYSTEM_HUGGINGFACE_SERVICE": "OLARES_USER_HUGGINGFACE_SERVICE",
        "OLARES_SYSTEM_HUGGINGFACE_TOKEN": "OLARES_USER_HUGGINGFACE_TOKEN",
    },
)
PLATFORMS: Mapping[str, Platform] = {"modern": MODERN, "legacy": LEGACY}


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One accelerator mode of a manifest: whether it has GPU memory of its own, and its arch."""

    mode: str
    gpu_memory: bool
    arch: str | None
    injects_gpu: bool
    legacy: bool
    replaced_by: str | None


@cache
def accelerators() -> Mapping[str, Accelerator]:
    """Return the accelerator modes by name, from `accelerators.yaml`."""
    data = shipped_data("chartgen.olares", "accelerators.yaml")
    return {mode: Accelerator(mode=mode, **facts) for mode, facts in data.items()}

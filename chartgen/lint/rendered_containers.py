"""Checks on rendered containers: images, GPU requests and variables.

None of them is part of the device's lint (olares-manifest §3.3 last line, §3.6; app-corpus §5.3,
§5.4 and §5.7).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chartgen.chart import Chart
from chartgen.findings import Finding
from chartgen.helm import RenderedObject
from chartgen.lint.manifest_reading import Manifest
from chartgen.lint.rendered_objects import (
    Container,
    all_containers,
    mapping,
    mappings,
    metadata,
    object_place,
    pod_template,
    text,
    title,
    workloads,
)
from chartgen.lint.rules import finding
from chartgen.olares.platform import accelerators

Objects = Sequence[RenderedObject]

GPU_INJECT = "applications.app.bytetrade.io/gpu-inject"
_ALL = "true"
_NONE = ("", "false")
_GPU = "nvidia.com/gpu"
_GPU_MEMORY = "nvidia.com/gpumem"
# github.com/distribution/reference: host with port, path, tag, digest.
_IMAGE = re.compile(
    r"(?:[A-Za-z0-9.-]+(?::[0-9]+)?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?P<digest>@sha256:[0-9a-f]{64})?"
)
_FLOATING = frozenset(
    {"latest", "nightly", "main", "master", "dev", "develop", "edge", "canary", "unstable"}
)
# A commit, a date or a full version in a tag pins what a word such as `nightly` leaves open.
_PIN = re.compile(
    r"[0-9]+\.[0-9]+\.[0-9]+|(?<![0-9a-z])(?:[0-9a-f]{7,40}|(?:20)?[0-9]{6})(?![0-9a-z])"
)
# Clients that take an empty value of these literally (app-corpus §5.4).
_NOT_EMPTY = frozenset({"HF_ENDPOINT"})
# Containers that a device adds to pods (app-service pkg/constants, pkg/webhook).
_INJECTED = frozenset(
    {
        "check-auth",
        "olares-envoy-sidecar",
        "olares-prepare-userspace",
        "olares-sidecar-init",
        "olares-ws-sidecar",
    }
)


def check_containers(
    chart: Chart, manifest: Manifest, items: Objects, mode: str
) -> Iterator[Finding]:
    """Check images, variables and GPU requests of one render for an accelerator mode."""
    configs = {
        (item.kind, item.name): {
            **mapping(item.data.get("stringData")),
            **mapping(item.data.get("data")),
        }
        for item in items
        if item.kind in {"ConfigMap", "Secret"}
    }
    for container in all_containers(items):
        place = object_place(chart, container.owner, f"spec.template.spec.{container.path}")
        image = container.data.get("image")
        for rule, message in image_faults(image if isinstance(image, str) else ""):
            where = f"container {container.name} of {title(container.owner)}"
            yield finding(rule, place, f"{where}: {message}")
        if container.name in _INJECTED:
            message = f"{title(container.owner)} has a container called {container.name}"
            yield finding("container-name-reserved", place, message)
        for name in _empty_variables(container, configs):
            message = f"container {container.name} of {title(container.owner)} gets {name} empty"
            yield finding("env-empty", place, message)
    for index, image in enumerate(manifest.items("options", "images")):
        for rule, message in image_faults(image):
            yield finding(rule, manifest.place("options", "images", index), message)
    yield from _check_gpu(chart, manifest, items, mode)


def image_faults(image: str) -> Iterator[tuple[str, str]]:
    """Yield rule and message for an image that cannot be pulled, or not twice the same."""
    match = _IMAGE.fullmatch(image)
    if match is None:
        yield "image-invalid", f"{image!r} is no image reference"
        return
    tag = match["tag"] or ""
    if match["digest"]:
        return
    if not tag:
        yield "image-floating-tag", f"{image} has no tag"
    elif _FLOATING & set(re.split(r"[-_.]", tag.lower())) and not _PIN.search(tag.lower()):
        yield "image-floating-tag", f"the tag of {image} moves"


def _empty_variables(
    container: Container, configs: Mapping[tuple[str, str], Mapping[str, Any]]
) -> list[str]:
    values: dict[str, Any] = {}
    for source in mappings(container.data.get("envFrom")):
        for kind, key in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
            name = text(mapping(source.get(key)).get("name"))
            values.update(configs.get((kind, name), {}))
    for env in mappings(container.data.get("env")):
        source = mapping(env.get("valueFrom"))
        value = env.get("value")
        for kind, key in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
            reference = mapping(source.get(key))
            if reference:
                held = configs.get((kind, text(reference.get("name"))), {})
                value = held.get(text(reference.get("key")), "unknown")
        values[text(env.get("name"))] = "unknown" if source and value is None else value
    return sorted(name for name in _NOT_EMPTY & values.keys() if not values[name])


def _check_gpu(chart: Chart, manifest: Manifest, items: Objects, mode: str) -> Iterator[Finding]:
    wants_gpu = False
    for item in workloads(items):
        wanted = _annotation(metadata(item))
        place = object_place(chart, item, f"metadata.annotations.{GPU_INJECT}")
        if wanted in _NONE and _annotation(mapping((pod_template(item) or {}).get("metadata"))):
            message = f"{title(item)} asks for a GPU on its pods, not on itself"
            yield finding("gpu-inject-on-pod", place, message)
        if wanted not in _NONE:
            wants_gpu = True
            names = {container.name for container in all_containers([item])}
            for name in (part.strip() for part in wanted.split(",")):
                if wanted != _ALL and name not in names:
                    message = f"{title(item)} asks for a GPU for {name}, which is no container"
                    yield finding("gpu-inject-unknown-container", place, message)
            if not gpu_modes(manifest):
                message = f"{title(item)} asks for a GPU, the manifest declares no GPU memory"
                yield finding("gpu-memory-undeclared", place, message)
        wants_gpu = wants_gpu or any(
            _GPU in _limits(container) for container in all_containers([item])
        )
        for container in all_containers([item]):
            amount = str(_limits(container).get(_GPU_MEMORY, "0"))
            if not amount.isdigit():
                message = f"container {container.name} of {title(item)} asks {amount} of GPU memory"
                yield finding("gpu-memory-unit", object_place(chart, item), message)
    if mode in gpu_modes(manifest) and not wants_gpu:
        message = f"the manifest declares a GPU ({mode}), but no workload asks for one"
        yield finding("gpu-inject-missing", manifest.place("spec"), message)


def gpu_modes(manifest: Manifest) -> frozenset[str]:
    """Return the modes for which a manifest declares what the device's GPU webhook needs.

    A mode whose GPU has memory of its own needs an amount of it; flat resources mean nvidia.
    """
    modes = set()
    if manifest.text("spec", "requiredGpu").strip() not in {"", "0"}:
        modes.add("nvidia")
    for entry in manifest.items("spec", "accelerator"):
        known = accelerators().get(entry.get("mode") or "")
        if known and known.injects_gpu and (entry.get("requiredGPUMemory") or not known.gpu_memory):
            modes.add(known.mode)
    return frozenset(modes)


def _annotation(data: Mapping[str, Any]) -> str:
    return text(mapping(data.get("annotations")).get(GPU_INJECT)).strip()


def _limits(container: Container) -> Mapping[str, Any]:
    return mapping(mapping(container.data.get("resources")).get("limits"))
